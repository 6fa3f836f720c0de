"""Checks of arguments that Python code gives: one of a wrong type is a `UsageError` of one line.

No value is quoted, since it may be a secret: a message names the argument and the type.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from fanwise.errors import UsageError


def require_text(name: str, given: object) -> None:
    """Raise `UsageError` unless an argument is text."""
    if not isinstance(given, str):
        raise _wrong(name, "text", given)


def require_list(name: str, given: object, element: str) -> None:
    """Raise `UsageError` unless an argument is a list, or another collection that isn't text."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise _wrong(name, "a list", given, hint=f"Write {name}=[{element}].")


def require_map(name: str, given: object) -> None:
    """Raise `UsageError` unless an argument is a map, or None."""
    if given is not None and not isinstance(given, Mapping):
        raise _wrong_map(name, given)


def require_named(name: str, given: object) -> None:
    """Raise `UsageError` unless an argument is a map whose keys are text."""
    if not isinstance(given, Mapping):
        raise _wrong_map(name, given)
    for key in given:
        if not isinstance(key, str):
            raise UsageError(f"`{name}` takes a map of names, not of {type(key).__name__}.")


def require_seconds(name: str, given: object) -> None:
    """Raise `UsageError` unless an argument is a number of seconds from 0, or None."""
    if given is None:
        return
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise _wrong(name, "a number of seconds", given)
    if not 0 <= given < math.inf:
        raise UsageError(f"`{name}` takes a number of seconds from 0, not {given:g}.")


def require_whole(name: str, given: object) -> None:
    """Raise `UsageError` unless an argument is a whole number."""
    if isinstance(given, bool) or not isinstance(given, int):
        raise _wrong(name, "a whole number", given)


def _wrong_map(name: str, given: object) -> UsageError:
    return _wrong(name, "a map", given, hint=f'Write {name}={{"name": value}}.')


def _wrong(name: str, takes: str, given: object, *, hint: str = "") -> UsageError:
    kind = "None" if given is None else type(given).__name__
    return UsageError(f"`{name}` takes {takes}, not {kind}.", hint=hint)
