"""The variables that a template makes with `set` and `for`, and the place of each in a frame.

A loop's body has variables of its own, which every turn unsets; the branches of an `if` share those
around them. A name means the innermost variable that is set.
"""

from __future__ import annotations

from itertools import count


class Variables:
    """The variables of one block: their places in `Frame.local`."""

    def __init__(self, outer: Variables | None = None) -> None:
        self._outer = outer
        self.numbers: count[int] = count() if outer is None else outer.numbers
        self.places: dict[str, int] = {}

    def declare(self, name: str) -> int:
        """The place of a variable of this block, new unless it was declared before."""
        if name not in self.places:
            self.places[name] = next(self.numbers)
        return self.places[name]

    def find(self, name: str) -> list[int]:
        """The places of all visible variables of this name, the innermost first."""
        found = [] if self._outer is None else self._outer.find(name)
        return [self.places[name], *found] if name in self.places else found

    def names(self) -> list[str]:
        """The names of all visible variables."""
        return [*self.places, *([] if self._outer is None else self._outer.names())]
