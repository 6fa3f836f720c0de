"""Errors of attempts on their way from a worker to its engine, which masks and shortens them.

An `Excerpt` travels with the text around it, since a secret that lies across its end is found in
that text alone. JSON values have no NUL, so a key with one can't be an author's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from fanwise.errors import Excerpt
from fanwise.model import ErrorInfo

_EXCERPT: Final = "\0excerpt"

_decode = msgspec.json.Decoder(ErrorInfo).decode


def encode_error(error: ErrorInfo) -> bytes:
    """An error whose data is JSON, as JSON text."""
    return msgspec.json.encode(msgspec.structs.replace(error, data=_packed(error.data)))


def decode_error(text: bytes) -> ErrorInfo:
    """The error that this text is of."""
    error = _decode(text)
    return msgspec.structs.replace(error, data=_unpacked(error.data))


def _packed(value: object) -> object:
    if isinstance(value, Excerpt):
        return {_EXCERPT: [value.whole, value.most, value.from_end]}
    if isinstance(value, Mapping):
        return {key: _packed(part) for key, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_packed(part) for part in value]
    return value


def _unpacked(value: object) -> object:
    if isinstance(value, dict):
        if _EXCERPT in value:
            whole, most, from_end = value[_EXCERPT]
            return Excerpt(whole, most, from_end=from_end)
        return {key: _unpacked(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_unpacked(part) for part in value]
    return value
