"""Keys and values that outlive runs, and the change of one."""

from __future__ import annotations

from typing import Final

import msgspec

LONGEST_KEY: Final = 200
"""The most characters of a key."""


def is_key(text: str) -> bool:
    """True if a text can be a key: 1 to 200 printable characters, with blanks only within."""
    return 0 < len(text) <= LONGEST_KEY and text.isprintable() and text == text.strip()


class KvEntry(msgspec.Struct, frozen=True):
    """The value of a key: JSON text, and the version that it has; each change gives a higher one.

    Times are by the store's clock. `set_by` names the person or the attempt that has set it.
    """

    name: str
    value: bytes
    version: int
    is_secret: bool
    set_at: float
    set_by: str
    expires_at: float | None = None


class KvChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a key: its new value, or None to delete it.

    The value is deleted after `ttl_s` seconds. With `if_version` the change is made only if the
    key has this version; 0 is that of a key that isn't set. `by` names who asks. With `is_once` a
    change is made only once by the same.
    """

    name: str
    value: bytes | None
    by: str
    is_secret: bool = False
    ttl_s: float | None = None
    if_version: int | None = None
    is_once: bool = False
