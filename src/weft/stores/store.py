"""What every store is, whatever it records runs in."""

from __future__ import annotations

from typing import Literal, Protocol, Self

from weft.ports import Control, Journal, Records

Durability = Literal["normal", "full"]
"""What commits survive: `normal` the end of the process, `full` also a loss of power."""


class Store(Journal, Records, Control, Protocol):
    """A store writes and reads, and is closed at the end of a `with` block."""

    def close(self) -> None:
        """Close the store, which then raises `StoreError`. Closing it again does nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
