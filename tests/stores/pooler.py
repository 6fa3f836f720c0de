"""A pooler in transaction mode: sessions of clients share those of the server, a transaction each.

It knows as much of the protocol as that needs: where a message of the server ends, and which of
them says that no transaction is open.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = ".s.PGSQL.5432"
_READY = b"Z"
_IDLE = b"I"
_BYE = b"X"


class Pooler:
    """A socket in a folder; `clients` and `servers` count the sessions that there have been."""

    def __init__(self, folder: Path, server: Path) -> None:
        self.folder = folder
        self.clients = 0
        self.servers = 0
        self._server = server
        self._greeting = b""  # of the server to each new client: its settings, and that it is ready
        self._idle: list[_Server] = []
        self._bound: dict[socket.socket, _Server] = {}
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / NAME))
        self._listener.listen()
        self._ending, self._ends = socket.socketpair()
        for each in (self._listener, self._ends):
            self._selector.register(each, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._ending.close()
        self._thread.join()
        for key in [*self._selector.get_map().values()]:
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                source = key.fileobj
                assert isinstance(source, socket.socket)
                if source is self._ends:
                    return
                if source is self._listener:
                    self._greet()
                elif isinstance(key.data, _Server):
                    self._answer(key.data)
                else:
                    self._ask(source)

    def _greet(self) -> None:
        """A new client gets the greeting that the server gave the first one."""
        client, _ = self._listener.accept()
        start = client.recv(65_536)
        self.clients += 1
        if not self._greeting:
            self._start = start
            self._idle.append(self._connect())
        client.sendall(self._greeting)
        self._selector.register(client, selectors.EVENT_READ)

    def _connect(self) -> _Server:
        server = _Server(self._server)
        self.servers += 1
        server.socket.sendall(self._start)
        self._greeting = server.read()
        while not server.is_idle:
            self._greeting += server.read()
        self._selector.register(server.socket, selectors.EVENT_READ, server)
        return server

    def _ask(self, client: socket.socket) -> None:
        data = client.recv(65_536)
        if not data or data.startswith(_BYE):
            self._selector.unregister(client)
            client.close()
            return
        if client not in self._bound:
            # The one that was idle the longest: so a session meets another server each time.
            server = self._idle.pop(0) if self._idle else self._connect()
            server.client, self._bound[client] = client, server
        self._bound[client].socket.sendall(data)

    def _answer(self, server: _Server) -> None:
        data = server.read()
        client = server.client
        assert client is not None
        if server.is_idle:
            del self._bound[client]
            server.client = None
            self._idle.append(server)
        client.sendall(data)


class _Server:
    """A session with the server."""

    def __init__(self, folder: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(folder / NAME))
        self.client: socket.socket | None = None
        self.is_idle = False
        self._part = b""

    def read(self) -> bytes:
        """Read what there is, and note whether the last message says that all is done."""
        data = self.socket.recv(65_536)
        assert data, "the server has ended a session"
        rest = self._part + data
        self.is_idle = False
        while len(rest) >= 5:
            (size,) = struct.unpack(">I", rest[1:5])
            if len(rest) < size + 1:
                break
            self.is_idle = rest[:1] == _READY and rest[5:6] == _IDLE and len(rest) == size + 1
            rest = rest[size + 1 :]
        self._part = rest
        return data


@contextmanager
def pooled(folder: Path, server: Path) -> Iterator[Pooler]:
    """A pooler before the server in another folder."""
    pooler = Pooler(folder, server)
    try:
        yield pooler
    finally:
        pooler.close()
