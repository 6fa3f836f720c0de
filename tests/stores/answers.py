"""A way to a PostgreSQL server on which the answer to one COMMIT is lost, or the COMMIT itself."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

NAME = ".s.PGSQL.5432"

Loss = Literal["answer", "request"]


class Way:
    """A socket in a folder that leads to the server's; one thread passes everything on."""

    def __init__(self, folder: Path, server: Path) -> None:
        self.folder = folder
        self.lost = 0
        self._server = server
        self._loss: Loss | None = None
        self._others: dict[socket.socket, tuple[socket.socket, Loss]] = {}
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / NAME))
        self._listener.listen()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._ending, self._ends = socket.socketpair()
        self._selector.register(self._ends, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def lose(self, loss: Loss) -> None:
        """Lose this once, and end the session in which it happens."""
        self._loss = loss

    def close(self) -> None:
        self._ending.close()
        self._thread.join()
        for each in [self._listener, self._ends, *self._others]:
            each.close()
        self._selector.close()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                source = key.fileobj
                assert isinstance(source, socket.socket)
                if source is self._ends:
                    return
                if source is self._listener:
                    self._open()
                elif source in self._others:
                    self._pass_on(source)

    def _open(self) -> None:
        client, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._server / NAME))
        self._others |= {client: (server, "request"), server: (client, "answer")}
        for each in (client, server):
            self._selector.register(each, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        other, kind = self._others[source]
        try:
            data = source.recv(65_536)
            if kind == self._loss and b"COMMIT\0" in data:
                self._loss = None
                self.lost += 1
                data = b""
            other.sendall(data)
        except OSError:
            data = b""
        if not data:
            for each in (source, other):
                self._selector.unregister(each)
                del self._others[each]
                each.close()


@contextmanager
def losing_way(folder: Path, server: Path) -> Iterator[Way]:
    """A way from a folder to the server in another one."""
    way = Way(folder, server)
    try:
        yield way
    finally:
        way.close()
