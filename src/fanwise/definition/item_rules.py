"""Rules between the keys of one task that concern its items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fanwise.definition.literals import has_template, parse_count
from fanwise.definition.messages import Notes, Path
from fanwise.definition.problems import shown
from fanwise.source_kinds import SOURCE_KINDS

_ITEM_KEYS: Final = (
    "label",
    "concurrency",
    "rate",
    "batch-size",
    "tolerate",
    "on-item-error",
    "keep-output",
)


def check_items(
    path: Path, task: dict[str, Any], spellings: Mapping[str, str], notes: Notes
) -> None:
    """What concerns items needs items, and a map of items is of one kind.

    `spellings` gives for each key, with `-`, how the task spells it.
    """
    if "with-items" not in spellings:
        for key in (spellings[each] for each in _ITEM_KEYS if each in spellings):
            notes.at_key(
                (*path, key),
                "needs-with-items",
                f'{notes.subject((*path, key))} concerns items, but it has no "with-items".',
                f'Add "with-items", or remove "{key}".',
            )
        return
    items = task[spellings["with-items"]]
    if not isinstance(items, dict):
        return
    streams = [key for key in items if key in SOURCE_KINDS]
    items_path = (*path, "with-items")
    if not items or (streams and len(items) > 1):
        what = f"has other keys beside {shown(streams[0])}" if items else "is an empty map"
        notes.at_value(
            items_path,
            "bad-with-items",
            f"{notes.subject(items_path)} {what}.",
            f"Give one of {', '.join(SOURCE_KINDS)} alone, or lists under other keys.",
        )
    elif streams:
        _check_stream((*items_path, streams[0]), streams[0], items[streams[0]], notes)
        if SOURCE_KINDS[streams[0]].is_file:
            _check_stop(path, task, spellings, notes)
    else:
        _check_side_by_side(items_path, items, notes)


def _check_stream(path: Path, stream: str, value: object, notes: Notes) -> None:
    kind = SOURCE_KINDS[stream]
    takes = kind.takes
    if isinstance(value, str) and (has_template(value) or (kind.is_file and value)):
        return
    if not kind.is_file:
        try:
            parse_count(value)
        except ValueError as error:
            takes = str(error)
        else:
            return
    notes.at_value(path, "bad-with-items", f"{notes.subject(path)} {takes}, not {shown(value)}.")


def _check_stop(
    path: Path, task: dict[str, Any], spellings: Mapping[str, str], notes: Notes
) -> None:
    """A percentage of failures at which a task stops is one of a known number of items."""
    key, tolerate = spellings.get("on-item-error"), task.get("tolerate")
    is_percentage = isinstance(tolerate, str) and not has_template(tolerate)
    if key is not None and task[key] == "stop" and is_percentage:
        notes.at_key(
            (*path, key),
            "conflicting-keys",
            f"{notes.subject((*path, key))} can't stop at {shown(tolerate)} of the items, because "
            "how many a file has is known at its end only.",
            'Give "tolerate" as a number of items, or let a task before read the file into a list.',
        )


def _check_side_by_side(path: Path, items: dict[str, Any], notes: Notes) -> None:
    lengths: dict[int, str] = {}
    for key, value in items.items():
        if isinstance(value, list):
            lengths.setdefault(len(value), key)
        elif not isinstance(value, str) or not has_template(value):
            notes.at_value(
                (*path, key),
                "with-items-not-a-list",
                f"{notes.subject((*path, key))} takes a list or a template that gives "
                f"one, not {shown(value)}.",
            )
    if len(lengths) > 1:
        (one, a), (other, b), *_ = lengths.items()
        notes.at_value(
            path,
            "bad-with-items",
            f"the lists of {notes.subject(path)} differ in length: {shown(a)} has {one} "
            f"elements and {shown(b)} {other}.",
            "Lists side by side must be equally long.",
        )
