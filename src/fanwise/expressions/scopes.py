"""The variables that a template makes with `set` and `for`, and where each of them is kept.

A loop's body is a scope of its own, which every turn starts afresh; the branches of an `if` are
not. A name means the innermost variable that is set, and the compiler knows which ones can be.
"""

from __future__ import annotations

from itertools import count


class Scope:
    """One scope: the places of its variables in `Frame.local`."""

    def __init__(self, outer: Scope | None = None) -> None:
        self._outer = outer
        self.numbers: count[int] = count() if outer is None else outer.numbers
        self.places: dict[str, int] = {}

    def declare(self, name: str) -> int:
        """The place of a variable of this scope, which is new unless it was declared before."""
        if name not in self.places:
            self.places[name] = next(self.numbers)
        return self.places[name]

    def find(self, name: str) -> list[int]:
        """The places of all variables with this name that can be seen, the innermost first."""
        found = [] if self._outer is None else self._outer.find(name)
        return [self.places[name], *found] if name in self.places else found

    def names(self) -> list[str]:
        """The names of all variables that can be seen."""
        return [*self.places, *([] if self._outer is None else self._outer.names())]
