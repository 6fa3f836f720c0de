"""Records the prints and logs of actions, apart by attempt, while the attempts run.

Each worker of an executor has a log, set once in its context and used for one attempt after the
other. While a `capturing()` block lasts, text written to standard output or error, or given to
`logging`, goes to the log of the current context; without one it goes to the stream or handler as
before. The engine drives runs in such a block, and nothing else does, so without a run in progress
the process's streams and logging are left alone.

Tasks and `asyncio.to_thread` inherit the context. Threads that an action starts by itself don't:
what they print goes to the real streams, without the secrets of all runs that this process has
driven. Child processes write to the real streams themselves. A task that outlives its attempt
prints into the attempt that its worker makes at that time. Between attempts, and after the last
one, printed text is dropped: it may hold a secret, and belongs to no attempt any more. So the
streams stay covered after the last block as long as a thread or a task is left that has a log in
its context.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar, Token
from io import RawIOBase
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Final, TextIO, TypeAlias, TypeVar

from fanwise.engine.masking import Masker
from fanwise.ports import Ticket

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

_FLUSH_S: Final = 0.5
"""Seconds after which the text of an attempt that still runs is recorded."""

_T = TypeVar("_T")

Keep: TypeAlias = Callable[[Ticket, float, str], None]
"""Records the text of an attempt, which was written at that time."""


class AttemptLog:
    """The log of one worker's attempts; implements `ports.AttemptLog`.

    As a block, on an event loop, it is the log of its context. It takes `limit_bytes` of an attempt
    at most and counts the rest. `keep_text` is called on the loop's thread, with text that `masker`
    has masked: half a second after a line was written, and at the attempt's end. Any thread may
    write.
    """

    __slots__ = (
        "_flushing",
        "_is_due",
        "_keep_text",
        "_left_out",
        "_limit",
        "_lock",
        "_loop",
        "_loops_thread",
        "_masker",
        "_now",
        "_room",
        "_token",
        "_written",
        "_written_at",
        "has_text",
        "ticket",
    )

    def __init__(
        self, limit_bytes: int, masker: Masker, now: Callable[[], float], keep_text: Keep
    ) -> None:
        self.ticket: Ticket | None = None
        self.has_text = False
        self._written = bytearray()  # and not recorded yet
        self._written_at = 0.0
        self._room = self._limit = limit_bytes
        self._left_out = 0
        self._masker = masker
        self._now = now
        self._keep_text = keep_text
        self._loop = asyncio.get_running_loop()
        self._loops_thread = threading.get_ident()
        self._is_due = False  # whether a flush is
        self._flushing: asyncio.TimerHandle | None = None
        self._lock = threading.RLock()  # the garbage collector may run what prints in the midst
        self._token: Token[AttemptLog | None] | None = None
        _living.add(id(self))
        _elsewhere.add_those_of(masker)

    def __del__(self) -> None:
        _living.discard(id(self))
        if not _living:
            _uncover_if_idle()

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
        if self._flushing is not None:
            self._flushing.cancel()

    def write(self, text: str) -> None:
        """Add a text, in a form that can be stored; without an attempt it is dropped."""
        data = text.replace("\0", "\ufffd").encode("utf-8", "replace")
        with self._lock:
            if self.ticket is None:
                return
            kept = data[: self._room]
            self._written += kept
            self._written_at = self._now()
            self._room -= len(kept)
            self._left_out += len(data) - len(kept)
            self.has_text = True
            is_due, self._is_due = self._is_due, True
        if not is_due:
            self._plan_flush()

    def _plan_flush(self) -> None:
        if threading.get_ident() == self._loops_thread:
            self._set_timer()
        else:
            with suppress(RuntimeError):  # the loop is closed, and the attempt has no end
                self._loop.call_soon_threadsafe(self._set_timer)

    def _set_timer(self) -> None:
        # In no context: a timer that is cancelled would keep the log that its context has.
        self._flushing = self._loop.call_later(_FLUSH_S, self._flush, context=Context())

    def _flush(self) -> None:
        """Record the lines that are complete, and can be masked apart from those that follow."""
        self._flushing = None
        with self._lock:
            self._is_due = False
            ticket = self.ticket
            if ticket is None or not self._written:
                return
            text = self._written.decode("utf-8", "ignore")  # its last character may be incomplete
            lines = text[: self._masker.settled(text)]
            del self._written[: len(lines.encode())]
            written_at = self._written_at
        if lines:
            self._keep_text(ticket, written_at, self._masker.text(lines))

    def take(self, text: str, left_out: int) -> None:
        """Record a text that another process has printed, and count bytes that it left out."""
        with self._lock:
            self._is_due = True  # so that no timer is set
            self.write(text)
            self._left_out += left_out
        self._flush()

    def keep(self, ticket: Ticket) -> None:
        """End the attempt, and record the rest of its text."""
        text = log_text(*self._end(), self._masker)
        if text:
            self._keep_text(ticket, self._written_at, text)

    def _end(self) -> tuple[str, int]:
        """End the attempt: the rest of its text, and the bytes that were left out."""
        with self._lock:
            self.ticket = None
            self.has_text = False
            rest = self._written.decode("utf-8", "ignore")
            left_out, self._left_out = self._left_out, 0
            self._written.clear()
            self._room = self._limit
        return rest, left_out


def log_text(text: str, left_out: int, masker: Masker) -> str:
    """The end of a log: without secrets, and with a note if bytes of it were left out."""
    if not left_out:
        return masker.text(text)
    note = f"({left_out:,} bytes more were left out: limits.log_bytes)\n"
    beginning = masker.beginning(text).rstrip()
    return f"{beginning}\n{note}" if beginning else note


_living: set[int] = set()
"""The ids of all logs that there are: of workers, and in the contexts of what they have started."""

_elsewhere = Masker(())
"""Masks what other threads than the main one print past all logs."""

_current: ContextVar[AttemptLog | None] = ContextVar("fanwise_attempt_log", default=None)


def unheard(tell: Callable[[_T], None]) -> Callable[[_T], None]:
    """Wrap `tell` so that its prints bypass attempt logs."""

    def told(fact: _T) -> None:
        token = _current.set(None)
        try:
            tell(fact)
        finally:
            _current.reset(token)

    return told


@contextmanager
def capturing() -> Iterator[None]:
    """A block in which the prints and logs of attempts are recorded with them.

    It concerns the whole process. Blocks may overlap in any order, also in several threads: the
    streams are put back after the last. If logging isn't configured, records are heard from the
    level INFO on.
    """
    with _lock:
        parts: list[_Stream | _Handler] = [
            _Stream.over("stdout"),
            _Stream.over("stderr"),
            _Handler.on_root(),
        ]
        for part in parts:
            _covers[part] = _covers.get(part, 0) + 1
    try:
        yield
    finally:
        with _lock:
            for part in parts:
                _covers[part] -= 1
        if not _living:
            _uncover_if_idle()


def _uncover_if_idle() -> None:
    """Put back the streams and the handler that no block needs any more."""
    with _lock:
        for part in [part for part, blocks in _covers.items() if not blocks]:
            del _covers[part]
            part.uncover()


_lock = threading.RLock()  # the garbage collector may end a log in the midst


class _Stream:
    """A standard stream, of which attempts write into their logs."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name = name
        self._stream = stream

    @classmethod
    def over(cls, name: str) -> _Stream:
        """The stream in place of `sys.NAME`, put there if it isn't there yet."""
        stream = getattr(sys, name)
        if not isinstance(stream, cls):
            stream = cls(name, stream)
            setattr(sys, name, stream)
        return stream

    def uncover(self) -> None:
        """Put the real stream back, unless another one has come there since."""
        if getattr(sys, self._name) is self:
            setattr(sys, self._name, self._stream)

    def write(self, text: str) -> int:
        log = _current.get()
        if log is not None:
            log.write(text)
        elif _is_main():
            self._stream.write(text)
        else:
            self._stream.write(_elsewhere.text(text))
        return len(text)

    @property
    def buffer(self) -> BinaryIO | _Bytes:
        """The stream for bytes: the real one only where texts go to the real one as they are."""
        return self._stream.buffer if _current.get() is None and _is_main() else _Bytes(self)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def isatty(self) -> bool:
        """True if the text written now reaches a terminal: a log wants no colours and no bars."""
        log = _current.get()
        return (log is None or log.ticket is None) and self._stream.isatty()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


class _Bytes(RawIOBase):
    """Takes bytes of a text, as `sys.stdout.buffer` does, and writes the text."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        self._stream.write(bytes(data).decode(errors="replace"))
        return len(bytes(data))


def _is_main() -> bool:
    return threading.get_ident() == threading.main_thread().ident


class _Handler(logging.Handler):
    """Writes the log records of attempts into their logs, a record like a printed line."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
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
        return handler

    def uncover(self) -> None:
        """Leave the root logger as it was."""
        root = logging.getLogger()
        root.removeHandler(self)
        root.setLevel(self._level_before)

    def emit(self, record: logging.LogRecord) -> None:
        log = _current.get()
        if log is None:
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


_covers: dict[_Stream | _Handler, int] = {}
"""Parts in place of streams and at the root logger, with the number of blocks that need each."""
