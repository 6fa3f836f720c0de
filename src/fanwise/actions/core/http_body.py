"""Bodies of the answers to `core.http`: read within a bound, decompressed, made text, or saved.

Decompression is done here and not by aiohttp, which has no bound on what a small body may become:
each piece is expanded only as far as the bound allows, and large pieces in a thread.
"""

from __future__ import annotations

import asyncio
import errno
import os
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import aiohttp
import msgspec

from fanwise.actions.core._shared import decoded, file_error
from fanwise.actions.core.atomic_file import replacement
from fanwise.charsets import charset
from fanwise.errors import ActionError
from fanwise.threaded import in_thread

_LARGE_BYTES: Final = 64 * 2**10
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_COMPRESSED: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # window bits for zlib
_RAW_DEFLATE: Final = -15


class Saved(NamedTuple):
    """A body that was saved: its path, size and SHA-256 in hexadecimal digits."""

    path: str
    bytes: int
    sha256: str


async def read_body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """Read the whole body. Raises `ActionError` if it is larger, or not compressed as it says."""
    if "Content-Encoding" not in response.headers:  # as most are
        content = response.content
        if content.is_eof():  # it has come with the headers
            body = content.read_nowait()
            if len(body) > max_bytes:
                raise _too_large(max_bytes)
            return body
        pieces = []
        size = 0
        while piece := await content.readany():
            size += len(piece)
            if size > max_bytes:
                raise _too_large(max_bytes)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return b"".join([piece async for piece in _pieces(response, max_bytes)])


async def read_head(response: aiohttp.ClientResponse) -> bytes:
    """Read the beginning of the body, of 64 KiB at least if it has so many."""
    head = b""
    with suppress(ActionError):  # the status counts, whatever the body is like
        async for piece in _pieces(response, None):
            head += piece
            if len(head) >= _LARGE_BYTES:
                break
    return head


async def save_body(response: aiohttp.ClientResponse, path: str, max_bytes: int | None) -> Saved:
    """Write the whole body to a file, which is put in place at the end; make missing folders.

    Raises `ActionError`.
    """
    digest, size = sha256(), 0

    def write(file: IO[bytes], piece: bytes) -> None:
        file.write(piece)
        digest.update(piece)

    try:
        await asyncio.to_thread(_prepare, path)
        with replacement(path, parents=False) as file:
            async for piece in _pieces(response, max_bytes):
                await in_thread(partial(write, file, piece))  # whose hands the file is in
                size += len(piece)
    except aiohttp.ClientError:
        raise
    except OSError as error:
        raise file_error("core.http", error, path) from None
    return Saved(path, size, digest.hexdigest())


def text_of(response: aiohttp.ClientResponse, body: bytes, encoding: str | None) -> str:
    """Return the body as text. Raises `ActionError` for what isn't.

    The encoding is the given one, else the charset that the server names, else UTF-8. A content
    type of text may hold NUL, which is no character of a text that can be stored.
    """
    if encoding is not None and charset(encoding) is None:
        raise ActionError(
            "core.http: the input encoding isn't a charset.", type="BadRequest", retry=False
        )
    codec = charset(encoding or response.charset or "utf-8") or "utf-8"
    if codec == "utf_8":
        body = body.removeprefix(_BYTE_ORDER_MARK)
    try:
        text = body.decode(codec)
    except UnicodeError:
        raise _no_text() from None
    if "\0" in text:
        if not response.content_type.startswith("text/"):
            raise _no_text()
        text = text.replace("\0", "\ufffd")
    return text


def json_of(response: aiohttp.ClientResponse, body: bytes) -> Any:
    """Return the JSON value of a body whose content type says JSON, or None if it isn't."""
    if not _is_json(response.headers.get("Content-Type", "")):
        return None
    try:
        return msgspec.json.decode(body.removeprefix(_BYTE_ORDER_MARK))
    except (ValueError, RecursionError):  # also bytes that aren't UTF-8
        return None


@lru_cache(maxsize=100)  # Most servers say the same.
def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def text_like(response: aiohttp.ClientResponse, head: bytes) -> str:
    """Return the beginning of a body as text for an error, with U+FFFD where it isn't."""
    return decoded(head, response.charset or "utf-8")


def _prepare(path: str) -> None:
    """Make the folders of a file. Raises `OSError`, also for a pipe, which nobody may read."""
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_fifo():  # opening it would wait, and all else on the loop with it
        raise OSError(errno.ESPIPE, "the path is a pipe's")


async def _pieces(response: aiohttp.ClientResponse, max_bytes: int | None) -> AsyncIterator[bytes]:
    """Yield the decompressed body piece by piece. Raises `ActionError` once it is too large."""
    names = response.headers.get("Content-Encoding", "identity").lower()
    inflater = None if names == "identity" else _Inflater(names)
    size = 0
    while compressed := await response.content.readany():
        waiting: bytes | None = compressed
        while waiting is not None:
            piece = waiting
            if inflater is None:
                waiting = None
            elif len(waiting) > _LARGE_BYTES:
                piece, waiting = await asyncio.to_thread(inflater.feed, waiting)
            else:
                piece, waiting = inflater.feed(waiting)
            size += len(piece)
            if max_bytes is not None and size > max_bytes:
                raise _too_large(max_bytes)
            if piece:
                yield piece
    if inflater is not None and not inflater.is_complete and size:
        raise _broken("ends too early")


class _Inflater:
    """Decompresses one body, at most a megabyte at a time."""

    _PIECE_BYTES = 2**20

    def __init__(self, names: str) -> None:
        if names not in _COMPRESSED:
            raise _broken("is compressed in a way that wasn't asked for")
        self._bits = _COMPRESSED[names]
        self._inflate = zlib.decompressobj(self._bits)
        self._has_begun = False

    @property
    def is_complete(self) -> bool:
        return self._inflate.eof

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Return the next piece, and the input that has to be fed again, or None."""
        if self._inflate.eof:  # a gzip file may have several members
            self._inflate = zlib.decompressobj(self._bits)
        try:
            piece = self._inflate.decompress(data, self._PIECE_BYTES)
        except zlib.error:
            if self._has_begun or self._bits != _COMPRESSED["deflate"]:
                raise _broken("isn't compressed so, or it is damaged") from None
            self._bits = _RAW_DEFLATE  # as some servers send it, against RFC 9110
            self._inflate = zlib.decompressobj(self._bits)
            self._has_begun = True
            return self.feed(data)
        self._has_begun = True
        rest = self._inflate.unconsumed_tail or self._inflate.unused_data
        if not rest and len(piece) == self._PIECE_BYTES:
            return piece, b""  # more may wait inside
        return piece, rest or None


def _too_large(max_bytes: int) -> ActionError:
    return ActionError(
        f"core.http: the body has more than {max_bytes} bytes. Ask for less, save it with save_to, "
        "or raise max_bytes and limits.result_bytes.",
        type="BodyTooLarge",
        data={"max_bytes": max_bytes},
        retry=False,
    )


def _no_text() -> ActionError:
    return ActionError(
        "core.http: the body isn't text. Save it with save_to, or name its encoding.",
        type="NotText",
        retry=False,
    )


def _broken(cause: str) -> ActionError:
    return ActionError(
        f"core.http: the body can't be unpacked as its Content-Encoding says: it {cause}.",
        type="BadBody",
    )
