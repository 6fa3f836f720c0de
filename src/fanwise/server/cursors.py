"""Cursors: the place in a list at which its next page begins, for the same conditions alone."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

import msgspec

from fanwise.server.problems import Refusal
from fanwise.server.routes import Fields

_MARK_BYTES: Final = 6
_FIRST: Final = ("cursor", "limit")


class _Cursor(msgspec.Struct, array_like=True):
    mark: str
    place: int


def write_cursor(query: Fields, place: int) -> str:
    """Return the cursor of a place in the list that a query asks for."""
    text = msgspec.json.encode(_Cursor(_mark(query), place))
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def read_cursor(query: Fields, cursor: str | None) -> int | None:
    """Return the place of a cursor of the same query; None without one. Raises `Refusal`."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = msgspec.json.decode(text, type=_Cursor)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise _bad("The cursor isn't one of this server.") from None
    if found.mark != _mark(query):
        raise _bad("The cursor is of a list with other conditions.")
    return found.place


def _mark(query: Fields) -> str:
    """A text that stands for the conditions of a query: all but the page."""
    asked = {name: getattr(query, name) for name in query.__struct_fields__ if name not in _FIRST}
    text = msgspec.json.encode([type(query).__name__, asked])
    return hashlib.sha256(text).hexdigest()[: 2 * _MARK_BYTES]


def _bad(detail: str) -> Refusal:
    return Refusal(400, "bad-cursor", detail, hint="Begin with the first page, without a cursor.")
