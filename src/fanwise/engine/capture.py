"""Records the prints and logs of actions, apart by attempt.

Each worker of an executor has a log, set once in its context and used for one attempt after the
other. While a `capturing()` block lasts, text written to standard output or error, or given to
`logging`, goes to the log of the current context, if there is one and it is open; everything else
goes to the stream or handler as before. The engine drives runs in such a block, and nothing else
does, so without a run in progress the process's streams and logging are left alone.

Tasks and `asyncio.to_thread` inherit the context. Threads that an action starts by itself don't,
and child processes write to the real streams. A task that outlives its attempt prints into the
attempt that its worker makes at that time.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TextIO

from fanwise.engine.masking import Masker
from fanwise.ports import Ticket


class AttemptLog:
    """The log of one worker's attempts; implements `ports.AttemptLog`.

    As a block it is the log of its context. It holds `limit_bytes` at most and counts the rest;
    `keep` is called with a ticket, a start, the text so far, and the number of bytes left out.
    Any thread may write.
    """

    __slots__ = ("_keep", "_left_out", "_limit", "_lock", "_token", "is_open", "written")

    def __init__(self, limit_bytes: int, keep: Callable[[Ticket, float, bytes, int], None]) -> None:
        self.is_open = True
        self.written = bytearray()
        self._left_out = 0
        self._limit = limit_bytes
        self._keep = keep
        self._lock = threading.RLock()  # the garbage collector may run what prints in the midst
        self._token: Token[AttemptLog | None] | None = None

    def __enter__(self) -> AttemptLog:
        self._token = _current.set(self)
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        assert self._token is not None
        _current.reset(self._token)

    def write(self, text: str) -> bool:
        """Add a text, in a form that can be stored; False if the log isn't open."""
        data = text.replace("\0", "\ufffd").encode("utf-8", "replace")
        with self._lock:
            if not self.is_open:
                return False
            room = self._limit - len(self.written)
            self.written += data[:room]
            self._left_out += max(0, len(data) - room)
            return True

    def keep(self, ticket: Ticket, started_at: float) -> None:
        """Close the log, and record its text, if there is any, as that of this attempt."""
        with self._lock:
            self.is_open = False
            written, left_out = bytes(self.written), self._left_out
            self.written.clear()
            self._left_out = 0
        if written:
            self._keep(ticket, started_at, written, left_out)


_current: ContextVar[AttemptLog | None] = ContextVar("fanwise_attempt_log", default=None)


def log_text(written: bytes, left_out: int, masker: Masker) -> str:
    """The record of a log: without secrets, and with a note if some of it was left out."""
    text = written.decode("utf-8", "ignore")  # its last character may be incomplete
    if not left_out:
        return masker.text(text)
    note = f"({left_out:,} bytes more were left out: limits.log_bytes)"
    return f"{masker.beginning(text).rstrip()}\n{note}\n"


def unheard(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Wrap `tell` so that its prints bypass attempt logs."""

    def told(text: str) -> None:
        token = _current.set(None)
        try:
            tell(text)
        finally:
            _current.reset(token)

    return told


@contextmanager
def capturing() -> Iterator[None]:
    """A block in which the prints and logs of attempts are recorded with them.

    It concerns the whole process. Blocks may overlap in any order, also in several threads: the
    last to end puts back the streams. If logging isn't configured, records are heard from the level
    INFO on.
    """
    with _lock:
        streams = [_Stream.over("stdout"), _Stream.over("stderr")]
        handler = _Handler.on_root()
    try:
        yield
    finally:
        with _lock:
            handler.leave_root()
            for stream in streams:
                stream.uncover()


_lock = threading.Lock()


class _Stream:
    """A standard stream, of which attempts write into their logs."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name = name
        self._stream = stream
        self._blocks = 0

    @classmethod
    def over(cls, name: str) -> _Stream:
        """The stream in place of `sys.NAME`, put there if it isn't there yet."""
        stream = getattr(sys, name)
        if not isinstance(stream, cls):
            stream = cls(name, stream)
            setattr(sys, name, stream)
        stream._blocks += 1
        return stream

    def uncover(self) -> None:
        """Put the real stream back with the last block, unless another one has come there since."""
        self._blocks -= 1
        if not self._blocks and getattr(sys, self._name) is self:
            setattr(sys, self._name, self._stream)

    def write(self, text: str) -> int:
        log = _current.get()
        if log is None or not log.write(text):
            self._stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def isatty(self) -> bool:
        """True if the text written now reaches a terminal: a log wants no colours and no bars."""
        log = _current.get()
        return (log is None or not log.is_open) and self._stream.isatty()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


class _Handler(logging.Handler):
    """Writes the log records of attempts into their logs, a record like a printed line."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        self._blocks = 0
        self._level_before = logging.NOTSET

    @classmethod
    def on_root(cls) -> _Handler:
        """The handler at the root logger, added if it isn't there yet."""
        root = logging.getLogger()
        handler = next((each for each in root.handlers if isinstance(each, cls)), None)
        if handler is None:
            handler = cls()
            handler._level_before = root.level
            if not root.handlers:
                root.setLevel(min(root.level, logging.INFO))
            root.addHandler(handler)
        handler._blocks += 1
        return handler

    def leave_root(self) -> None:
        """Leave the root logger as it was, with the last block."""
        self._blocks -= 1
        if not self._blocks:
            root = logging.getLogger()
            root.removeHandler(self)
            root.setLevel(self._level_before)

    def emit(self, record: logging.LogRecord) -> None:
        log = _current.get()
        if log is None or not log.is_open:
            self._pass_on(record)
            return
        try:
            log.write(f"{self.format(record)}\n")
        except Exception:
            self.handleError(record)

    def _pass_on(self, record: logging.LogRecord) -> None:
        """Treat a record as without any handler, if this is the only one."""
        last_resort = logging.lastResort
        is_alone = logging.getLogger().handlers == [self]
        if is_alone and last_resort is not None and record.levelno >= last_resort.level:
            last_resort.handle(record)
