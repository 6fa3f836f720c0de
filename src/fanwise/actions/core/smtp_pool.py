"""The SMTP connections that the threads of a run share.

A connection is used by one thread at a time, and never after it broke. Servers close idle
connections: a message that fails on a reused connection is sent on a new one, as long as it is
certain that the server didn't take it.
"""

from __future__ import annotations

import threading
from collections import defaultdict

from fanwise.actions.core.email_message import Message
from fanwise.actions.core.smtp import Connection, Receipt
from fanwise.actions.core.smtp_errors import ConnectionLostError
from fanwise.actions.core.smtp_server import Server


class ConnectionPool:
    """Open connections by server and login. Implements `resources.Closable`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: defaultdict[Server, list[Connection]] = defaultdict(list)
        self._is_closed = False

    def send(self, server: Server, message: Message, ends_at: float) -> Receipt:
        """Send a message. Raises `ActionError`. `ends_at` is on the clock of `time.monotonic`."""
        connection = self._take(server)
        if connection is not None:
            try:
                return self._deliver(connection, message, ends_at)
            except ConnectionLostError:
                pass
        return self._deliver(Connection(server, ends_at), message, ends_at)

    def _deliver(self, connection: Connection, message: Message, ends_at: float) -> Receipt:
        try:
            return connection.deliver(message, ends_at)
        finally:
            self._give_back(connection)

    def _take(self, server: Server) -> Connection | None:
        with self._lock:
            idle = self._idle[server]
            return idle.pop() if idle else None

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            is_kept = connection.is_ready and not self._is_closed
            if is_kept:
                self._idle[connection.server].append(connection)
        if not is_kept:
            connection.close()

    def close(self) -> None:
        """Close the idle connections at once, and the others when they are given back."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, defaultdict(list)
        for connections in idle.values():
            for connection in connections:
                connection.close()
