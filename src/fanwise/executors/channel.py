"""A stream socket between an engine and one of its processes, on an event loop of either.

It waits for no one: what the other side doesn't read yet is kept. A channel outlives the loop that
it is attached to, and is attached to the next one then.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from fanwise.executors.frames import Unframer, framed

_READ_BYTES: Final = 2**18


class Channel:
    """One end of the connection. `heard` gets each message, and `lost` is called at the end."""

    def __init__(
        self, end: socket.socket, heard: Callable[[bytes], None], lost: Callable[[], None]
    ) -> None:
        end.setblocking(False)
        self._socket = end
        self._heard = heard
        self._lost = lost
        self._unframer = Unframer()
        self._unsent = bytearray()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.is_open = True

    @property
    def unsent_bytes(self) -> int:
        """The bytes that the other side hasn't taken yet."""
        return len(self._unsent)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read on this loop from now on."""
        if self._loop is not loop and self.is_open:
            self.detach()
            self._loop = loop
            loop.add_reader(self._socket, self._read)
            if self._unsent:
                loop.add_writer(self._socket, self._write_more)

    def detach(self) -> None:
        """Read no more, until it is attached again."""
        loop, self._loop = self._loop, None
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)

    def send(self, message: bytes) -> None:
        """Send a message, at once or as soon as the other side reads. On the loop's thread."""
        if not self.is_open:
            return
        is_waiting = bool(self._unsent)
        self._unsent += framed(message)
        if not is_waiting:
            self._write()
            if self._unsent and self._loop is not None:
                self._loop.add_writer(self._socket, self._write_more)

    def flush(self) -> None:
        """Send all that is left, however long it takes."""
        self._socket.setblocking(True)
        self._socket.sendall(self._unsent)
        self._unsent.clear()

    def close(self) -> None:
        """Close this end. The other side reads the end of the stream."""
        if self.is_open:
            self.detach()
            self.is_open = False
            self._socket.close()

    def _read(self) -> None:
        try:
            data = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # the other side has ended with something unread
            data = b""
        if not data:
            self.close()
            self._lost()
            return
        for message in self._unframer.feed(data):
            self._heard(message)

    def _write_more(self) -> None:
        self._write()
        if not self._unsent and self._loop is not None:
            self._loop.remove_writer(self._socket)

    def _write(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:  # the other side has ended, which the reader finds
            self._unsent.clear()
