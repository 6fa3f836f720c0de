"""The texts of credentials: tokens that secret scanners know, and hashes to keep of them. Pure.

A token is `fanwise_ID_SECRET_CRC`. Its secret has more than 250 bits of chance, so that a plain
hash of it can't be turned back.
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from typing import Final, NamedTuple

ID_LETTERS: Final = 8
SECRET_LETTERS: Final = 52
_PREFIX: Final = "fanwise"
_NOBODYS: Final = "0" * 64


class TokenText(NamedTuple):
    """A token as its owner has it."""

    token_id: str
    secret: str

    def __str__(self) -> str:
        text = f"{_PREFIX}_{self.token_id}_{self.secret}"
        return f"{text}_{_checksum(text)}"


def read_token(text: str) -> TokenText | None:
    """Return the parts of a token, or None for a text that is none."""
    begun, _, checksum = text.rpartition("_")
    parts = begun.split("_")
    if len(parts) != 3 or parts[0] != _PREFIX or not all(parts) or checksum != _checksum(begun):
        return None
    return TokenText(*parts[1:])


def hashed(secret: str) -> str:
    """Return the hash that is kept of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def is_secret(secret: str, known: str | None) -> bool:
    """Say whether a secret has a hash; it takes as long if no hash is known."""
    return hmac.compare_digest(hashed(secret), known or _NOBODYS) and known is not None


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode(errors='surrogateescape')):08x}"
