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


Parts: TypeAlias = "Mapping[str, Parts] | Leaf | None"
"""The parts of a value by their names; None for a value that may be anything."""

_STATUS: Final = Leaf(tuple(Status))
_ERROR: Final[Parts] = {"type": Leaf(), "message": Leaf(), "data": None}
_ITEMS: Final[Parts] = {name: Leaf() for name in ("total", "succeeded", "failed", "bad_records")}

TASK_PARTS: Final[Mapping[str, Parts]] = {
    "output": None,
    "status": _STATUS,
    "error": _ERROR,
    "items": _ITEMS,
    "failures": None,
}
"""The parts of `task.NAME`."""

_ROOTS: Final[Mapping[str, Parts]] = {
    "run": {
        "id": Leaf(),
        "started_at": Leaf(),
        "status": _STATUS,
        "error": _ERROR,
        "cause": {"type": Leaf(), "by": Leaf()},
    },
    "trigger": {**dict.fromkeys(TRIGGER_KEYS, Leaf()), "event": None, "events": None},
    "attempt": {"key": Leaf(), "number": Leaf()},
    "index": Leaf(),
    "error()": _ERROR,
}

Key: TypeAlias = str | int


def parts_at(root: str, keys: Sequence[Key]) -> Parts:
    """The parts of the value at a constant path; None also where the path leads nowhere."""
    found, rest = _start(root, keys)
    for key in rest:
        if not isinstance(found, Mapping) or not isinstance(key, str):
            return None
        found = found.get(key)
    return found


def wrong_part(root: str, keys: Sequence[Key]) -> tuple[str, str] | None:
    """The fault of a constant path that names a part which can't exist, and a hint."""
    found, rest = _start(root, keys)
    owner = ".".join(map(str, (root, *keys[: len(keys) - len(rest)])))
    for key in rest:
        if found is None or not isinstance(key, str):
            return None
        if isinstance(found, Leaf):
            return f'{owner} has no parts, and no "{key}".', ""
        if key not in found:
            known = ", ".join(found)
            return f'{owner} has {known}, and no "{key}".', nearest(key, found)
        found = found[key]
        owner = f"{owner}.{key}"
    return None


def wrong_text(parts: Parts, text: object) -> tuple[str, str] | None:
    """The fault of a text that the value with these parts can never be, and a hint."""
    if not isinstance(parts, Leaf) or not parts.texts or text in parts.texts:
        return None
    if not isinstance(text, str):
        return None
    known = ", ".join(parts.texts)
    hint = nearest(text, parts.texts) or f"There are {known}."
    return f'"{text}" is no status.', hint


def _start(root: str, keys: Sequence[Key]) -> tuple[Parts, Sequence[Key]]:
    """The parts at the beginning of a path, and the keys that lead on from there."""
    if root == "task":
        return TASK_PARTS, keys[1:]
    return _ROOTS.get(root), keys
