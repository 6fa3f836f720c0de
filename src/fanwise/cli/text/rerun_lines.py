"""A retry's plan in lines: the tasks that run again, the tasks that are kept, and the reasons.

A plain retry takes one line; a retry from a named task, or with a repaired workflow, takes a line
for each task.
"""

from __future__ import annotations

from collections.abc import Sequence

from fanwise.ports import RerunNote, RerunNotes, RerunReason

_NAMED = 5
"""The most tasks that a line names."""

_REASONS = {
    RerunReason.FAILED: "it failed",
    RerunReason.CANCELLED: "it was cancelled",
    RerunReason.OTHER_ITEMS: "its items come from elsewhere now",
    RerunReason.LED_TO_FAIL: "it led to fail",
    RerunReason.NAMED: "it was asked for",
    RerunReason.FOLLOWS_RERUN: "what comes before it does",
}


def rerun_lines(notes: RerunNotes) -> list[str]:
    """The lines to show of a retry's plan."""
    if notes.is_repaired or notes.corrected or notes.from_task is not None:
        return [f"{note.name}: {_effect(note)}" for note in notes.tasks]
    return [_in_one_line(notes.tasks)]


def _in_one_line(notes: Sequence[RerunNote]) -> str:
    """All tasks in one line, such as `runs b (2 of 4 items), c; keeps a`."""
    runs = [_with_items(note) for note in notes if not note.is_kept]
    keeps = [note.name for note in notes if note.is_kept]
    kept = f"; keeps {_listed(keeps)}" if keeps else ""
    return f"runs {_listed(runs) if runs else 'no task but those of finally'}{kept}"


def _effect(note: RerunNote) -> str:
    if note.reason is not None:
        items = note.items
        kept = f"; {items.succeeded:,} of {items.total:,} items are kept" if items else ""
        return f"runs again, since {_reason(note, note.reason)}{kept}{_used(note)}"
    if note.is_kept:
        changed = "; what has changed in it is not used" if note.is_changed else ""
        return f"kept, since it has succeeded{changed}{_used(note)}"
    return "has not run yet"


def _used(note: RerunNote) -> str:
    """The corrected parameters that kept work has used."""
    if not note.uses:
        return ""
    return f", made with the old {'values' if len(note.uses) > 1 else 'value'} of " + _listed(
        note.uses
    )


def _reason(note: RerunNote, reason: RerunReason) -> str:
    if reason is RerunReason.ITEMS_FAILED:
        return f"{note.failed_items:,} of its items failed"
    return _REASONS[reason]


def _with_items(note: RerunNote) -> str:
    if note.items is None:
        return note.name
    left = note.items.total - note.items.succeeded
    return f"{note.name} ({left:,} of {note.items.total:,} items)"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
