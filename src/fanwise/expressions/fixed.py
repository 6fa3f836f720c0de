"""The parts that values of the engine have, whatever a workflow says: the one table of them.

A template that names another part, or compares a status with a text that is none, can never be
right, so it is refused when it is compiled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from fanwise.context import TRIGGER_KEYS
from fanwise.expressions.missing import nearest
from fanwise.model import Status


class Leaf(NamedTuple):
    """A value without parts. `texts` are the only texts that it can be, if there are such."""

    texts: tuple[str, ...] = ()
    noun: str = "status"
    """The word for such a text."""


class Each(NamedTuple):
    """A list, or a map by names of the workflow's own: all of its elements have the same parts."""

    parts: Parts
    by: type[int] | type[str]
    """The type of its keys."""


Parts: TypeAlias = "Mapping[str, Parts] | Each | Leaf | None"
"""The parts of a value by their names; None for a value that may be anything."""

_STATUS: Final = Leaf(tuple(Status))
_ENDS: Final = Leaf((Status.SUCCEEDED, Status.FAILED, Status.CANCELLED))
_CAUSES: Final = Leaf(("failed", "timed-out", "cancelled"), "type of a cause")
_ERROR: Final[Parts] = {"type": Leaf(), "message": Leaf(), "data": None}
_ITEMS: Final[Parts] = {name: Leaf() for name in ("total", "succeeded", "failed", "bad_records")}
_FAILURE: Final[Parts] = {"index": Leaf(), "label": Leaf(), "item": None, "error": _ERROR}

TASK_PARTS: Final[Mapping[str, Parts]] = {
    "output": None,
    "status": _STATUS,
    "error": _ERROR,
    "items": _ITEMS,
    "failures": Each(_FAILURE, int),
}
"""The parts of `task.NAME`."""

_ROOTS: Final[Mapping[str, Parts]] = {
    "task": Each(TASK_PARTS, str),
    "run": {
        "id": Leaf(),
        "started_at": Leaf(),
        "status": _ENDS,
        "error": _ERROR,
        "cause": {"type": _CAUSES, "by": Leaf()},
    },
    "trigger": {**dict.fromkeys(TRIGGER_KEYS, Leaf()), "event": None, "events": None},
    "attempt": {"key": Leaf(), "number": Leaf()},
    "index": Leaf(),
    "error()": _ERROR,
}

Key: TypeAlias = str | int


def root_parts(root: str) -> Parts:
    """The parts of a name of the context, or of `error()`."""
    return _ROOTS.get(root)


def part_of(parts: Parts, key: Key) -> Parts:
    """The parts of one part of a value; None also for a part that it can't have."""
    if isinstance(parts, Each):
        return parts.parts if isinstance(key, parts.by) else None
    return parts.get(key) if isinstance(parts, Mapping) and isinstance(key, str) else None


def wrong_part(parts: Parts, owner: str, keys: Sequence[Key]) -> tuple[str, str] | None:
    """The fault of a path into a value that names a part which can't exist, and a hint.

    `owner` names the value.
    """
    for key in keys:
        if isinstance(key, str) and isinstance(parts, Leaf):
            return f'{owner} has no parts, and no "{key}".', ""
        if isinstance(key, str) and isinstance(parts, Mapping) and key not in parts:
            known = ", ".join(parts)
            hint = nearest(key, parts)
            if key == "errors" and "failures" in parts:
                hint = f"Failed items with their errors are {owner}.failures."
            return f'{owner} has {known}, and no "{key}".', hint
        parts = part_of(parts, key)
        owner = f"{owner}.{key}" if isinstance(key, str) else f"{owner}[{key}]"
    return None


def wrong_text(parts: Parts, text: object) -> tuple[str, str] | None:
    """The fault of a text that the value with these parts can never be, and a hint."""
    if not isinstance(parts, Leaf) or not parts.texts or text in parts.texts:
        return None
    if not isinstance(text, str):
        return None
    known = ", ".join(parts.texts)
    hint = nearest(text, parts.texts) or f"There are {known}."
    return f'"{text}" is no {parts.noun}.', hint
