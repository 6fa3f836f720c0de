"""Hears what actions print and log, and keeps it apart by attempt.

Each worker of an executor has a log, set once in its context and used for one attempt after the
other. While a `capturing()` block lasts, what is written to standard output or error, or given to
`logging`, goes to the log of the context in which that happens, if there is one and it is open;
everything else goes where it always went. Without such a block nothing is heard, and the process's
streams and logging are left alone.

Tasks and `asyncio.to_thread` inherit the context. Threads that an action starts by itself don't,
and child processes write to the real streams. What a task that outlives its attempt prints later
belongs to whichever attempt its worker makes at that time.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, TextIO, cast

from fanwise.engine.masking import Masker
from fanwise.ports import Ticket


class AttemptLog:
    """What the attempts of one worker print and log; implements `ports.AttemptLog`.

    As a block it is the log of its context. It holds `limit_bytes` at most and counts the rest;
    `keep` is called with a ticket, a start, the text so far, and how many bytes are left out.
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
        """Add a text, as it can be stored; False if the log isn't open."""
        data = text.replace("\0", "\ufffd").encode("utf-8", "replace")
        with self._lock:
            if not self.is_open:
                return False
            room = self._limit - len(self.written)
            self.written += data[:room]
            self._left_out += max(0, len(data) - room)
            return True

    def keep(self, ticket: Ticket, started_at: float) -> None:
        """Close the log, and record what it holds, if anything, as that of this attempt."""
        with self._lock:
            self.is_open = False
            written, left_out = bytes(self.written), self._left_out
            self.written.clear()
            self._left_out = 0
        if written:
            self._keep(ticket, started_at, written, left_out)


_current: ContextVar[AttemptLog | None] = ContextVar("fanwise_attempt_log", default=None)


def log_text(written: bytes, left_out: int, masker: Masker) -> str:
    """What is recorded of a log: without secrets, and with a note if some of it was left out."""
    text = written.decode("utf-8", "ignore")  # its last character may be incomplete
    if not left_out:
        return masker.text(text)
    note = f"({left_out:,} bytes more were left out: limits.log_bytes)"
    return f"{masker.beginning(text).rstrip()}\n{note}\n"


def unheard(tell: Callable[[str], None]) -> Callable[[str], None]:
    """The same function, of which no attempt's log hears what it prints."""

    def told(text: str) -> None:
        token = _current.set(None)
        try:
            tell(text)
        finally:
            _current.reset(token)

    return told


@contextmanager
def capturing() -> Iterator[None]:
    """A block in which what attempts print and log is recorded with them.

    It concerns the whole process, so it is for whoever owns that. If nobody has configured logging,
    records are heard from the level INFO on.
    """
    root = logging.getLogger()
    level = root.level
    if not root.handlers:
        root.setLevel(min(level, logging.INFO))
    handler = _Handler()
    root.addHandler(handler)
    out, err = cast("TextIO", _Stream(sys.stdout)), cast("TextIO", _Stream(sys.stderr))
    try:
        with redirect_stdout(out), redirect_stderr(err):
            yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


class _Stream:
    """A standard stream, of which attempts write into their logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        log = _current.get()
        if log is None or not log.write(text):
            self._stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def isatty(self) -> bool:
        """Whether what is written now reaches a terminal: a log wants no colours and no bars."""
        log = _current.get()
        return (log is None or not log.is_open) and self._stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Handler(logging.Handler):
    """Writes what attempts log into their logs, a record like a printed line."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

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
        """Do what happens to a record for which there is no handler, if this is the only one."""
        last_resort = logging.lastResort
        is_alone = logging.getLogger().handlers == [self]
        if is_alone and last_resort is not None and record.levelno >= last_resort.level:
            last_resort.handle(record)
