"""A session with a PostgreSQL server: several statements in one message, and rows by COPY.

The driver reads answers; messages with COPY inside are driven here, by the driver's `pq`. A thread
that waits for the server has given up the interpreter, and each wait may cost it 5 ms beside a busy
event loop. So a transaction has few waits, however many statements it has.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import select
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import error_from_result
from psycopg.types.numeric import IntLoader

from fanwise.errors import StoreError
from fanwise.stores.rows import Row

_OPTIONS: Final = {
    "client_encoding": "UTF8",
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}
"""Settings of libpq, unless the URL has others: a server that is gone is noticed in 25 s."""

CHANNEL: Final = "fanwise"
"""The channel on which changes are announced; those of other schemas are announced there too."""

_FIRST_ROWS: Final = 128
_MOST_ROWS: Final = 4_096
_PAGE_BYTES: Final = 2**20


def connect(conninfo: str, purpose: str, **options: str) -> psycopg.Connection:
    """Connect with the driver. `purpose` is told to the server with the application's name.

    Raises `StoreError` for a URL that isn't one of libpq.
    """
    try:
        given = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError as error:
        # Other messages quote parts of the URL, which may be those of a password.
        known = re.search(r'invalid URI query parameter: "[\w.-]+"', str(error))
        cause = f" ({known[0]})" if known else ""
        raise StoreError(
            f"the store's URL isn't one of PostgreSQL{cause}.",
            hint="Use postgresql://USER@HOST:PORT/DATABASE, with % codes for other characters.",
        ) from None
    settings = {name: text for name, text in (_OPTIONS | options).items() if name not in given}
    settings["application_name"] = f"{given.get('application_name') or 'fanwise'} {purpose}"
    return psycopg.connect(make_conninfo(conninfo, **settings), prepare_threshold=None)


class Session:
    """A connection whose transactions begin and end by statements only; one thread at a time."""

    def __init__(self, conninfo: str, purpose: str, **options: str) -> None:
        """Connect; see `connect`."""
        self._connection = connect(conninfo, purpose, **options)
        self._connection.autocommit = True
        self._connection.adapters.register_loader("numeric", IntLoader)  # sums of whole numbers
        self._pgconn = self._connection.pgconn
        self._cursors = itertools.count()

    @property
    def is_lost(self) -> bool:
        """Say whether the server or the network has ended the session."""
        return self._pgconn.status != pq.ConnStatus.OK

    def setting(self, name: str) -> str:
        """A setting that the server reports by itself."""
        return (self._pgconn.parameter_status(name.encode()) or b"").decode()

    def close(self) -> None:
        """Close the session, and roll back what it has open."""
        self._connection.close()

    def listen(self) -> None:
        """Be told of what processes announce from now on."""
        self.run(f"LISTEN {CHANNEL}")

    def is_told(self, timeout_s: float) -> bool:
        """Wait until something has been announced, at most for so long."""
        return any(True for _ in self._connection.notifies(timeout=timeout_s, stop_after=1))

    def run(self, text: str) -> tuple[list[Row], int]:
        """Run statements in one message; give the rows of the last one, and how many it changed."""
        with self._connection.cursor() as cursor:
            cursor.execute(text.encode())
            while cursor.nextset():
                pass
            # `cursor.description` would make an object of each column.
            result = cursor.pgresult
            rows = cursor.fetchall() if result is not None and result.nfields else []
            return rows, cursor.rowcount

    def send(self, statements: Sequence[str], copies: Sequence[bytes]) -> None:
        """Run statements in one message; each COPY among them takes the next of `copies`."""
        if not copies:
            self.run(";".join(statements))
            return
        left = iter(copies)
        self._pgconn.send_query(";".join(statements).encode())
        failed: pq.abc.PGresult | None = None
        while (result := self._answer()) is not None:
            if result.status == pq.ExecStatus.COPY_IN:
                self._pgconn.put_copy_data(next(left))
                self._pgconn.put_copy_end()
            elif result.status == pq.ExecStatus.FATAL_ERROR:
                failed = result
        if failed is not None:
            raise error_from_result(failed, "utf-8")

    def _answer(self) -> pq.abc.PGresult | None:
        """The next result, waited for without the interpreter; `get_result` would keep it."""
        pgconn = self._pgconn
        poller = select.poll()
        poller.register(pgconn.socket, select.POLLIN | select.POLLOUT)
        while pgconn.flush():  # to the end: the server waits for the rest
            for _, events in poller.poll():
                if events & ~select.POLLOUT:
                    pgconn.consume_input()
        poller.modify(pgconn.socket, select.POLLIN)
        while pgconn.is_busy():
            poller.poll()
            pgconn.consume_input()
        return pgconn.get_result()

    def each(self, query: str) -> Iterator[Row]:
        """The rows of a query within the open transaction, read as they are taken."""
        count = _FIRST_ROWS
        name = f"rows_{next(self._cursors)}"
        first = f"DECLARE {name} NO SCROLL CURSOR FOR {query};"
        while True:
            rows, _ = self.run(f"{first}FETCH {count} FROM {name}")
            yield from rows
            if len(rows) < count:
                return
            first = ""
            size = max(1, sum(len(value) for row in rows for value in row if type(value) is str))
            count = max(1, min(_MOST_ROWS, 2 * count, _PAGE_BYTES * count // size))

    def roll_back(self) -> None:
        """End a transaction that has failed, or was given up."""
        if self._pgconn.transaction_status != pq.TransactionStatus.IDLE:
            with contextlib.suppress(psycopg.Error):
                self.run("ROLLBACK")


class Slot:
    """A session of one purpose, made when it is needed; the lock is held while it is used.

    `made` counts the sessions that there have been.
    """

    def __init__(self, connect: Callable[[], Session]) -> None:
        self.lock = threading.Lock()
        self._connect = connect
        self._session: Session | None = None
        self.made = 0

    def session(self) -> Session:
        """The session, which is made if there is none."""
        if self._session is None:
            self._session = self._connect()
            self.made += 1
        return self._session

    def drop_lost(self) -> bool:
        """Forget a session that is lost, or was never made; say whether it was."""
        if self._session is not None and not self._session.is_lost:
            return False
        self.close()
        return True

    def close(self) -> None:
        """Close the session, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            session.close()
