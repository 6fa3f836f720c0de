"""Sources that read files: the way from bytes to lines, and the formats with an item a line.

A file is read as it grows: each read takes what is there, up to `CHUNK_BYTES`. Files are read in a
thread; pipes are watched by the event loop, so that waiting for one can be cancelled. Lines end
with LF or CRLF. Text is UTF-8, with or without a byte order mark; another encoding is turned into
UTF-8 before lines are cut, and bytes that aren't text in it become bytes that aren't UTF-8.

Only the file's name, the line's number and what is wrong with it get into messages, never its text.
"""

from __future__ import annotations

import asyncio
import codecs
import errno
import os
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any, Final

import msgspec

from fanwise.bitmap import Bitmap
from fanwise.errors import ResultError
from fanwise.model import ErrorInfo, Limits
from fanwise.ports import Notice
from fanwise.sources.errors import unreadable
from fanwise.values import CHUNK_ITEMS, freeze

CHUNK_BYTES: Final = 64 * 2**10
"""The most bytes that one read of a file takes."""

_UTF_8: Final = "utf_8"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class FileSource:
    """A file whose items are made from its lines; subclasses say how.

    Items whose index is in `done` need not be made, and may be None. `encoding` is the name of a
    codec. Reading raises `AttemptError` if the file can't be read.
    """

    def __init__(
        self,
        path: str,
        limits: Limits,
        done: Bitmap | None = None,
        *,
        encoding: str = _UTF_8,
        notice: Notice | None = None,
    ) -> None:
        self.total: int | None = None
        self._path = path
        self._done = done
        self._limit_bytes = limits.item_bytes
        self._encoding = encoding
        self._notice = notice
        self._file = _File(path)
        self._transcoder = None if encoding in (_UTF_8, "utf_8_sig") else _Transcoder(encoding)
        self._cutter = _LineCutter(limits.item_bytes)
        self._lines: deque[bytes | None] = deque()
        self._line_no = 0
        self._first_line_no = 0  # Of the item that is being read.
        self._is_open = False  # True while the item continues in the next line.
        self._count = 0
        self._is_at_end = False

    async def read(self) -> Sequence[Any]:
        """The next items, as soon as there are any; empty at the end."""
        chunk: list[Any] = []
        while not chunk and (self._lines or not self._is_at_end):
            if not self._lines:
                await self._read_lines()
            while self._lines and len(chunk) < CHUNK_ITEMS:
                chunk.extend(self._next_items(self._lines.popleft()))
            if self._is_at_end and not self._lines:
                chunk.extend(self._last_items())
        self._count += len(chunk)
        if not chunk:
            self.total = self._count
        return chunk

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    async def _read_lines(self) -> None:
        data = await self._file.read()
        self._is_at_end = not data
        if self._transcoder is not None:
            data = self._transcoder.feed(data)
        if data:
            self._lines.extend(self._cutter.feed(data))
        if self._is_at_end:
            self._lines.extend(self._cutter.finish())

    def _next_items(self, line: bytes | None) -> Iterator[Any]:
        self._line_no += 1
        if not self._is_open:
            self._first_line_no = self._line_no
        if line is None:
            yield self._lost_line()
        else:
            if self._line_no == 1:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            yield from self._items(line)

    def _items(self, line: bytes) -> Iterator[Any]:
        """The items, most often one, that this line makes or completes."""
        raise NotImplementedError

    def _last_items(self) -> Iterator[Any]:
        """The items that the file's end completes."""
        return iter(())

    def _lost_line(self) -> ErrorInfo:
        """The item of a line that is longer than the limit."""
        return self._over_limit()

    def _fault(self, type: str, what: str) -> ErrorInfo:
        return ErrorInfo(type=type, message=f"{self._path}:{self._first_line_no}: {what}")

    def _over_limit(self) -> ErrorInfo:
        return self._fault(
            "LimitExceeded",
            f"the item has more than {self._limit_bytes} bytes. The setting limits.item_bytes "
            "raises the bound.",
        )

    def _text(self, data: bytes) -> str | ErrorInfo:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return self._fault("BadEncoding", self._not_text())
        return self._fault("BadEncoding", "this holds NUL.") if "\0" in text else text

    def _not_text(self) -> str:
        if self._encoding == _UTF_8:
            return (
                "this isn't UTF-8. If the file is in another encoding, name it in with-items, as "
                "in encoding: windows-1252."
            )
        return f"this isn't text in the encoding {self._encoding}."


class LinesSource(FileSource):
    """The lines of a file as text, without their ends; an empty line is an item."""

    def _items(self, line: bytes) -> Iterator[Any]:
        yield self._text(line.removesuffix(b"\r"))


class JsonLinesSource(FileSource):
    """The values of a file with a JSON value on each line; empty lines are passed over."""

    _index = -1  # of the last item
    _wanted = 0  # the next index that is not done

    def _lost_line(self) -> ErrorInfo:
        self._index += 1
        return super()._lost_line()

    def _items(self, line: bytes) -> Iterator[Any]:
        if line.strip():
            self._index += 1
            if self._done is not None:
                if self._index >= self._wanted:
                    self._wanted = self._done.first_missing(self._index)
                if self._index < self._wanted:
                    yield None
                    return
            try:
                yield freeze(msgspec.json.decode(line))
            except (UnicodeError, msgspec.DecodeError, RecursionError) as error:
                yield self._not_json(line, error)
            except ResultError as error:
                yield self._fault("BadJson", str(error))

    def _not_json(self, line: bytes, error: Exception) -> ErrorInfo:
        text = self._text(line)
        if isinstance(text, ErrorInfo):
            return text
        return self._fault("BadJson", f"this isn't JSON ({error}).")


def _mark_as_no_text(error: UnicodeError) -> tuple[str, int]:
    """Give a character that UTF-8 can't hold in place of bytes that aren't text."""
    assert isinstance(error, UnicodeDecodeError)
    return "\udc80", error.end


codecs.register_error("fanwise.no_text", _mark_as_no_text)


class _Transcoder:
    """Turns text in another encoding into UTF-8, piece by piece.

    What isn't text in that encoding becomes bytes that aren't UTF-8.
    """

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)("fanwise.no_text")

    def feed(self, data: bytes) -> bytes:
        """The UTF-8 of `data` and of what was left before it; no data is the end."""
        return self._decoder.decode(data, final=not data).encode(_UTF_8, "surrogatepass")


class _LineCutter:
    """Cuts bytes into lines. None stands for a line that is longer than the limit."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._begun = bytearray()
        self._is_over = False

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """The lines that `data` completes."""
        first, *others = data.split(b"\n")
        if others:
            yield self._end(first)
            *whole, first = others
            for line in whole:
                yield line if len(line) <= self._limit_bytes else None
        self._add(first)

    def finish(self) -> Iterator[bytes | None]:
        """The last line, if it has no end of its own."""
        if self._begun or self._is_over:
            yield self._end(b"")

    def _add(self, part: bytes) -> None:
        if not self._is_over:
            self._begun += part
            self._is_over = len(self._begun) > self._limit_bytes

    def _end(self, part: bytes) -> bytes | None:
        self._add(part)
        line = None if self._is_over else bytes(self._begun)
        self._begun.clear()
        self._is_over = False
        return line


class _File:
    """A file's bytes, as they come. It is opened by the first read."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._handle: int | None = None
        self._is_watched = False
        self._is_closed = False
        # A cancelled read keeps running in its thread; the handle must not be another's by then.
        self._lock = Lock()

    async def read(self) -> bytes:
        """Some bytes, as soon as there are any; empty at the end."""
        try:
            if self._handle is None:
                await asyncio.to_thread(self._open)
            data = None
            while data is None:
                if self._is_watched and self._handle is not None:
                    await _readable(self._handle)
                data = await asyncio.to_thread(self._take)
        except OSError as error:
            raise unreadable(self._path, error) from None
        return data

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None

    def _open(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            # Without O_NONBLOCK, opening a pipe would wait for its writer.
            self._handle = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            mode = os.fstat(self._handle).st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self._is_watched = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(self._handle)

    def _take(self) -> bytes | None:
        """The bytes that can be read now, or None if there are none yet."""
        with self._lock:
            if self._handle is None:
                return b""
            try:
                return os.read(self._handle, CHUNK_BYTES)
            except BlockingIOError:
                return None


async def _readable(handle: int) -> None:
    """Wait until a pipe has something to read, or has been closed by its last writer."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(handle, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(handle)
