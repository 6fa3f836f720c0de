"""The connection that writes for the journal, and the log beside the store that it leaves.

A transaction waits as long as it has to: for other processes, and for the disk once the log has
grown long, since SQLite empties it within a commit. One that is made at once waits for neither.
The pages of these are estimated, and a thread empties the log beside them. That makes nothing
durable that wasn't: whenever it is broken off, the next one finds the same log. Times are seconds.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator

from fanwise.errors import StoreError

_MOST_PAGES = 1_000
"""The pages in the log at which a transaction that waits empties it; the default of SQLite."""

_COMMIT_PAGES = 4
"""The pages that any commit writes, beside those that its texts fill."""

_TOO_MANY_PAGES = 4 * _MOST_PAGES
"""Pages of commits at once while the log is being emptied: more wait for that, on a slow disk."""

_LONG_S = 0.005
_RESTS = 20
"""So many commits wait after one at once that took long; see `at_once`."""

_NORMAL = 1  # of `PRAGMA synchronous`: above it each commit waits for the disk


class WritingConnection:
    """A connection that one thread at a time writes with.

    `connect` gives another one to empty the log with, which never waits for a lock.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        timeout_s: float,
        connect: Callable[[], sqlite3.Connection],
    ) -> None:
        self._connection = connection
        self._timeout_ms = round(timeout_s * 1_000)
        self._turn = threading.Lock()
        self._waits = True
        self._syncs = connection.execute("PRAGMA synchronous").fetchone()[0] > _NORMAL
        self._page_bytes: int = connection.execute("PRAGMA page_size").fetchone()[0]
        self._rests = 0
        self._checkpoints = _Checkpoints(connect)

    @contextlib.contextmanager
    def patiently(self) -> Iterator[sqlite3.Connection]:
        """The connection, once no other thread uses it; its transactions wait."""
        with self._turn:
            self._checkpoints.catch_up()
            self._let_wait(True)
            yield self._connection

    def at_once(self, change: Callable[[sqlite3.Connection], object], size_bytes: int) -> bool:
        """Make a short transaction of about `size_bytes` unless it would wait; True if it was made.

        A busy disk holds a commit up, which shows only afterwards. So the commits after one that
        took long aren't made at once, and little of an event loop's time is lost.
        """
        if self._rests:
            self._rests -= 1
            return False
        if self._syncs or self._checkpoints.are_due or not self._turn.acquire(blocking=False):
            return False
        started_at = time.monotonic()
        try:
            self._let_wait(False)
            change(self._connection)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                return False
            raise
        finally:
            self._turn.release()
        if time.monotonic() - started_at > _LONG_S:
            self._rests = _RESTS
        self._checkpoints.count(_COMMIT_PAGES + size_bytes // self._page_bytes)
        return True

    def close(self, settle: Callable[[sqlite3.Connection], None]) -> None:
        """Close the connection after a last use of it, once nobody empties the log."""
        with self._turn:
            self._checkpoints.wait()  # it can't be emptied twice at the same time
            self._let_wait(True)
            settle(self._connection)
            self._connection.close()

    def _let_wait(self, waits: bool) -> None:
        """Have transactions wait, and empty the log that they make long, or not."""
        if waits is not self._waits:
            pages, timeout_ms = (_MOST_PAGES, self._timeout_ms) if waits else (0, 0)
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {pages}")
            self._connection.execute(f"PRAGMA busy_timeout = {timeout_ms}")
            self._waits = waits


class _Checkpoints:
    """Counts the pages of commits at once, and empties the log after many of them."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._pages = 0
        self._thread: threading.Thread | None = None
        self._is_emptied = False

    @property
    def are_due(self) -> bool:
        """True if the next transaction has to wait: for the log, or to begin one that is empty."""
        return self._is_emptied or self._pages >= _TOO_MANY_PAGES

    def catch_up(self) -> None:
        """Wait for the log if it has grown too long, before a transaction that may wait itself."""
        if self._pages >= _TOO_MANY_PAGES:
            self.wait()
            self._pages = 0
        self._is_emptied = False

    def count(self, pages: int) -> None:
        """Count a commit at once of so many pages, and empty the log if it is time."""
        self._pages += pages
        if self._pages < _MOST_PAGES or self._is_running:
            return
        self._pages = 0
        self._thread = threading.Thread(target=self._empty, name="fanwise-log", daemon=True)
        with contextlib.suppress(RuntimeError):  # no thread is to be had: perhaps later
            self._thread.start()

    def wait(self) -> None:
        """Return when the log isn't being emptied."""
        if self._thread is not None and self._is_running:
            self._thread.join()

    @property
    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _empty(self) -> None:
        """Take the log over into the file. With an error it stays as it is, for the next time.

        The first step holds nobody up, but commits made meanwhile stay in the log. The second one
        holds commits up while it takes these few over, and gives up if somebody is committing.
        Then the next commit finds all of the log taken over, and begins it again, which waits for
        the disk.
        """
        with (
            contextlib.suppress(sqlite3.Error, StoreError),
            contextlib.closing(self._connect()) as connection,
        ):
            for how in ("PASSIVE", "FULL"):
                connection.execute(f"PRAGMA wal_checkpoint({how})").fetchall()
        self._is_emptied = True
