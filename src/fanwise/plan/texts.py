"""Short texts from outside by which people and events are told apart. Pure."""

from __future__ import annotations

from typing import Final

from fanwise.errors import UsageError
from fanwise.values import is_storable

_LONGEST: Final = 200


def require_text(what: str, text: str, example: str) -> None:
    """Raise `UsageError` for a text that is empty or too long, or that no store can keep."""
    is_text = isinstance(text, str) and 0 < len(text.strip()) <= _LONGEST >= len(text)
    if not is_text or not is_storable(text):
        raise UsageError(
            f"{what} is a text of 1 to {_LONGEST} characters.", hint=f"Give one {example}."
        )
