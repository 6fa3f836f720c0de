"""Rules between the keys of one task that concern its items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fanwise.definition.literals import has_template, parse_count
from fanwise.definition.messages import Notes, Path
from fanwise.definition.problems import did_you_mean, shown
from fanwise.source_kinds import SOURCE_KINDS, SourceKind

_ITEM_KEYS: Final = (
    "label",
    "concurrency",
    "rate",
    "batch-size",
    "tolerate",
    "bad-records",
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
    _check_bad_records(path, task, spellings, notes)
    if not isinstance(items, dict):
        return
    streams = [key for key in items if key in SOURCE_KINDS]
    items_path = (*path, "with-items")
    if not items or len(streams) > 1:
        what = "names several streams" if items else "is an empty map"
        notes.at_value(
            items_path,
            "bad-with-items",
            f"{notes.subject(items_path)} {what}.",
            f"Give one of {', '.join(SOURCE_KINDS)} alone, or lists under other keys.",
        )
    elif streams:
        kind = SOURCE_KINDS[streams[0]]
        _check_stream((*items_path, kind.name), kind, items[kind.name], notes)
        for key, value in items.items():
            if key != kind.name:
                _check_option((*items_path, key), kind, key, value, notes)
        if not kind.knows_total:
            _check_stop(path, task, spellings, notes)
    else:
        _check_side_by_side(items_path, items, notes)


def _check_stream(path: Path, kind: SourceKind, value: object, notes: Notes) -> None:
    takes = kind.takes
    if isinstance(value, str) and (has_template(value) or (kind.is_path and value)):
        return
    if not kind.is_path:
        try:
            parse_count(value)
        except ValueError as error:
            takes = str(error)
        else:
            return
    text = f"{notes.subject(path)} {takes}, not {shown(value)}."
    notes.at_value(path, "bad-with-items", text, f"Write {kind.example}.")


def _check_option(path: Path, kind: SourceKind, key: str, value: object, notes: Notes) -> None:
    """A key beside a stream's is one of its options, and takes this value."""
    if key not in kind.options:
        options = ", ".join(kind.options)
        notes.at_key(
            path,
            "bad-with-items",
            f"{notes.subject(path[:-1])} has a key beside {shown(kind.name)} that isn't one of its "
            f"options: {shown(key)}.",
            did_you_mean(key, kind.options)
            or (f"Its options are {options}." if options else f"Give {kind.name} alone."),
        )
    elif not _holds_template(value):
        try:
            kind.options[key](value)
        except ValueError as error:
            text = f"{notes.subject(path)} {error}, not {shown(value)}."
            notes.at_value(path, "bad-with-items", text)


def _holds_template(value: object) -> bool:
    parts = value if isinstance(value, list) else [value]
    return any(isinstance(part, str) and has_template(part) for part in parts)


def _check_bad_records(
    path: Path, task: Mapping[str, object], spellings: Mapping[str, str], notes: Notes
) -> None:
    """Only a file has records that can't be read and could be left out."""
    key, items = spellings.get("bad-records"), task[spellings["with-items"]]
    if key is None or task[key] == "fail":
        return
    records = [kind.name for kind in SOURCE_KINDS.values() if kind.has_records]
    if not (isinstance(items, dict) and any(kind in items for kind in records)):
        notes.at_key(
            (*path, key),
            "conflicting-keys",
            f'{notes.subject((*path, key))} concerns records of a file, and its "with-items" reads '
            "none.",
            f'Read a file, as in with-items: {{{records[0]}: FILE}}, or remove "{key}".',
        )


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


def _as_stream(key: str) -> str:
    """A remedy for a map with one key that is no list: it may have been meant as a stream."""
    return did_you_mean(key, SOURCE_KINDS) or f"The streams are {', '.join(SOURCE_KINDS)}."


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
                _as_stream(key) if len(items) == 1 else "",
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
