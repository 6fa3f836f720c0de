"""A relay between engines and their PostgreSQL server, which loses answers and delays them.

It listens on a socket of its own, in a folder that stands for the server's in a URL, and passes
bytes on in a thread. A connection that loses its answer is closed on both sides: so the server may
have committed what its client never hears of.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_SOCKET: Final = ".s.PGSQL.5432"
_PART_BYTES: Final = 2**16


class Relay:
    """The relay in front of the server in `behind`; clients find it in `folder`."""

    def __init__(self, folder: Path, behind: Path) -> None:
        self.folder = folder
        self._behind = behind / _SOCKET
        self._loses = 0  # of the connections that get an answer next
        self._delay_s = 0.0
        self._open = 0
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def lose_answers(self) -> None:
        """Have as many connections as are open lose the answer that comes next."""
        self._loses = self._open

    def delay(self, seconds: float) -> None:
        """Have all answers wait for so long, from now on; 0 ends it."""
        self._delay_s = seconds

    def url(self, store: str) -> str:
        """The URL of a store of the server, through this relay."""
        return store.replace(f"host={self._behind.parent}", f"host={self.folder}")

    def serve(self) -> None:
        """Pass bytes on until `close`."""
        asyncio.set_event_loop(self._loop)
        path = str(self.folder / _SOCKET)
        server = self._loop.run_until_complete(asyncio.start_unix_server(self._accept, path))
        try:
            self._loop.run_forever()
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
            self._loop.close()

    def close(self) -> None:
        """End the thread that serves."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _accept(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open += 1
        try:
            server, asks = await asyncio.open_unix_connection(self._behind)
            both = [self._pass_on(client, asks, is_answer=False)]
            both.append(self._pass_on(server, answers, is_answer=True))
            passing = [asyncio.ensure_future(each) for each in both]
            try:
                await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in passing:
                    each.cancel()
                asks.close()
        except (OSError, asyncio.CancelledError):
            pass  # the server is away, or the relay is closed: asyncio would report the latter
        finally:
            answers.close()
            self._open -= 1
            self._tasks.discard(task)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_PART_BYTES):
                if is_answer and self._loses:
                    self._loses -= 1
                    return
                if is_answer and self._delay_s:
                    await asyncio.sleep(self._delay_s)
                writer.write(data)
                await writer.drain()


@contextmanager
def relay_to(behind: Path) -> Iterator[Relay]:
    """A relay in front of the server whose socket is in a folder, for the length of a block."""
    with TemporaryDirectory(prefix="relay-") as folder:
        Path(folder).chmod(0o755)
        relay = Relay(Path(folder), behind)
        thread = threading.Thread(target=relay.serve, daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            relay.close()
            thread.join()
