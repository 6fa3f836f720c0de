"""The values that a parameter takes: their type, choices and bounds, and words for these.

The loader checks defaults with it, a run the values that it is given, and a task the literals that
it gives to a workflow that it calls. Words quote the workflow's text and never a given value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from fanwise.definition.literals import fits_type
from fanwise.definition.problems import shown
from fanwise.patterns import compiled

_WORDS: Final[Mapping[str, str]] = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list in JSON",
    "object": "a map in JSON",
}
_MOST_LISTED: Final = 20
NUMBERS: Final = ("integer", "number")
"""The types of which a parameter can have bounds."""


class Accepted(msgspec.Struct, frozen=True):
    """The values that fit a parameter; each None is no restriction. Null fits always."""

    type: str | None = None
    choices: Sequence[object] | None = None
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None

    def fits(self, value: object) -> bool:
        """True if a JSON value is accepted."""
        if value is None:
            return True
        if self.type is not None and not fits_type(value, self.type):
            return False
        if self.choices is not None and not any(_same(value, each) for each in self.choices):
            return False
        if isinstance(value, str):
            return self.pattern is None or compiled(self.pattern).fullmatch(value) is not None
        if not isinstance(value, int | float):
            return True
        return (self.minimum is None or value >= self.minimum) and (
            self.maximum is None or value <= self.maximum
        )

    @property
    def words(self) -> str:
        """Words for the values, such as `a whole number from 1 to 5`; "" for any value."""
        if self.choices is not None:
            listed = [_plain(each) for each in self.choices[:_MOST_LISTED]]
            if len(self.choices) > _MOST_LISTED:
                return f"one of {', '.join(listed)}, ..."
            *others, last = listed
            return f"{', '.join(others)} or {last}" if others else last
        if self.type is None:
            return ""
        words = _WORDS[self.type]
        if self.pattern is not None:
            return f"{words} of the pattern {shown(self.pattern)}"
        if self.minimum is not None and self.maximum is not None:
            return f"{words} from {self.minimum} to {self.maximum}"
        if self.minimum is not None:
            return f"{words} of {self.minimum} or more"
        return words if self.maximum is None else f"{words} of {self.maximum} or less"

    @property
    def read_as(self) -> str | None:
        """The type as which a text of the command line is read: the declared one, or the choices'.

        None if there is none, or none for all choices.
        """
        kinds = {type_of(each) for each in self.choices or ()}
        return self.type or (kinds.pop() if len(kinds) == 1 else None)


def type_of(value: object) -> str | None:
    """The type of a JSON value, where whole numbers are numbers; None for null."""
    return next(
        (each for each in _WORDS if each != "integer" and fits_type(value, each)),
        None,
    )


def _same(value: object, choice: object) -> bool:
    return isinstance(value, bool) is isinstance(choice, bool) and value == choice


def _plain(choice: object) -> str:
    text = shown(choice)
    return text[1:-1] if isinstance(choice, str) and choice.isalnum() else text
