"""What can be wrong with a workflow file: the codes, and a collector that keeps all problems.

A file is read to its end however much is wrong with it, so that its author sees every problem at
once. Only what makes the rest unreadable (broken YAML, a bound on size or depth) ends it early.
This module knows neither YAML nor the keys of a workflow. Lines and columns count from 1.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Final, NoReturn

from fanwise.errors import DefinitionError, Diagnostic, Place

CODES: Final[dict[str, str]] = {
    "bad-encoding": "The file isn't text in UTF-8, or holds control characters.",
    "bad-key": "A key of a map isn't text, or is a merge key.",
    "bad-name": "A name has other characters than letters, digits and `_`, or starts with a digit.",
    "bad-tag": "A value has a YAML tag; workflows hold text, numbers, true, false, null only.",
    "bad-type": "A value is of another kind than its key takes, such as text instead of a list.",
    "bad-value": "A value is of the right kind, but its key doesn't take it.",
    "bad-with-items": "A map under `with-items` is neither one stream with its options nor lists "
    "side by side.",
    "bad-yaml": "The file isn't well-formed YAML.",
    "conflicting-keys": "Two keys that are each fine can't stand together.",
    "duplicate-key": "A key stands twice in the same map.",
    "duplicate-name": "A list of tasks names one of them twice, or two triggers share a name or a "
    "webhook's path.",
    "duplicate-task": "Two tasks have the same name.",
    "misplaced-key": "A key about the order of tasks stands under `on-failure` or `finally`.",
    "missing-key": "A key is missing without which the rest makes no sense.",
    "needs-itself": "A task needs itself, so it could never start.",
    "needs-with-items": "A key that concerns items stands on a task without `with-items`.",
    "not-a-workflow": "The file is YAML, but something else than one workflow.",
    "reserved-name": "A name is kept for the language itself.",
    "too-deep": "Lists and maps are nested too deep.",
    "too-large": "The file is larger than `limits.definition_bytes`.",
    "too-many-nodes": "The file has too many values, perhaps through aliases of aliases.",
    "unknown-key": "A key isn't part of the language here.",
    "unquoted-template": "A value starts with a template but has no quotes, so YAML reads a map.",
    "with-items-not-a-list": "The value of `with-items` can never become a list.",
}
"""Every code that `fanwise.definition.load` reports, with its meaning."""


_MAX_SHOWN = 60


class BadValueError(ValueError):
    """A value that a key doesn't take: `code`, what is wrong with it as a predicate, and a hint.

    The message continues a sentence that begins with the key, such as `can't be "fail"`.
    """

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


class Problems:
    """Collects the problems of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[Diagnostic] = []
        self._spots: set[tuple[int, int]] = set()

    def add(
        self, spot: tuple[int, int], code: str, message: str, hint: str = "", *, last: bool = False
    ) -> None:
        """Note a problem at a spot, which is a line and a column.

        With `last=True` it gives way to any problem that was found at this spot before.
        """
        if last and spot in self._spots:
            return
        self._spots.add(spot)
        self._found.append(Diagnostic(Place(self.file, *spot), code, message, hint))

    def stop(self, spot: tuple[int, int], code: str, message: str, hint: str = "") -> NoReturn:
        """Note a problem after which nothing more can be read, and raise `DefinitionError`."""
        self.add(spot, code, message, hint)
        raise self.error()

    def raise_any(self) -> None:
        """Raise `DefinitionError` if there are any problems."""
        if self._found:
            raise self.error()

    def error(self) -> DefinitionError:
        """The error that tells all problems in the order of the file."""
        # A node that aliases repeat has the same problem at the same place each time.
        unique = dict.fromkeys(self._found)
        return DefinitionError(tuple(sorted(unique, key=lambda problem: problem.place)))


def shown(value: object) -> str:
    """A value of the workflow's text as messages show it: in one line, and not too long."""
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    if isinstance(value, str) and len(value) > _MAX_SHOWN:
        value = f"{value[:_MAX_SHOWN]}..."
    return json.dumps(value, ensure_ascii=not str(value).isprintable())


def nearest(name: str, known: Collection[str]) -> str | None:
    """The known name that `name` is most likely a slip for, or None if none is like it."""
    import difflib  # here, because it is needed only when something is wrong

    folded = {_fold(each): each for each in reversed(list(known))}
    found = difflib.get_close_matches(_fold(name), folded, n=1, cutoff=0.65)
    return folded[found[0]] if found else None


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The question `Did you mean "..."?`, or nothing if no known name is like `name`."""
    found = nearest(name, known)
    return f'Did you mean "{found}"?' if found else ""


def _fold(name: str) -> str:
    return name.casefold().replace("_", "-")
