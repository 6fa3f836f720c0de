"""Traces of failures: failed attempts that were followed by others, and the item that failed.

All of it is masked and bounded: of many attempts the first few and the last few are kept.
"""

from __future__ import annotations

from typing import Final

import msgspec

from fanwise.engine.describe import shortened
from fanwise.engine.masking import Masker
from fanwise.model import ErrorInfo, FailedAttempt
from fanwise.values import encode

FIRST_KEPT: Final = 3
LAST_KEPT: Final = 3
"""The numbers of failed attempts that are kept, at the start and at the end."""

_MESSAGE_LENGTH: Final = 500
_LABEL_LENGTH: Final = 200
_LABEL_BYTES: Final = 4 * _LABEL_LENGTH

Attempts = tuple[FailedAttempt, ...]

encode_attempts = msgspec.json.Encoder().encode


def with_attempt(
    earlier: Attempts, attempt: int, error: ErrorInfo, started_at: float, duration_s: float
) -> Attempts:
    """Failed attempts with one more; one in the middle gives way once there are many."""
    message = error.message[:_MESSAGE_LENGTH]
    made = FailedAttempt(attempt, started_at, duration_s, error.type, message)
    if len(earlier) < FIRST_KEPT + LAST_KEPT:
        return (*earlier, made)
    return (*earlier[:FIRST_KEPT], *earlier[FIRST_KEPT + 1 :], made)


def item_text(item: object, masker: Masker, limit_bytes: int) -> bytes:
    """An item as JSON text, or a JSON string of its beginning and end if it has too many bytes."""
    masked = masker.mask(item) if masker.is_active else item
    data = encode(masked)
    if len(data) <= limit_bytes:
        return data
    text = masked if isinstance(masked, str) else data.decode()
    return encode(shortened(text, limit_bytes))


def label_of(item: bytes) -> str:
    """The label of an item that was given none: its own text, in one line."""
    text = msgspec.json.decode(item) if item.startswith(b'"') else None
    if text is None:
        text = item[:_LABEL_BYTES].decode(errors="ignore")
    return " ".join(text[:_LABEL_BYTES].split())[:_LABEL_LENGTH]


def label_text(text: str, masker: Masker) -> str:
    """The text that a task's `label` gave, as it is recorded."""
    return (masker.text(text) if masker.is_active else text)[:_LABEL_LENGTH]
