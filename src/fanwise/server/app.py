"""The HTTP server: the table of routes behind the guard, on a socket that listens already."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp import web

from fanwise.server.connections import Connections, faults_of_connections
from fanwise.server.guard import Guard
from fanwise.server.observed import observe
from fanwise.server.parts import Parts
from fanwise.server.table import TABLE
from fanwise.wiring import new_token

_THREADS: Final = 8
"""Handlers that may block at once."""

_SHUTDOWN_S: Final = 2.0
"""The time that requests in progress have when the server is stopped."""

_KEPT_S: Final = 75.0
"""The time for which a connection is kept that asks nothing."""

_BACKLOG: Final = 128
_LINE_BYTES: Final = 8_190


class HttpServer:
    """Answers requests until it is stopped."""

    def __init__(self, parts: Parts, listener: socket.socket) -> None:
        self.parts = parts
        self._listener = listener
        self._stop = asyncio.Event()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="fanwise-http")
        self._app = web.Application()
        self._connections = Connections(self._app)
        observe(self._app, parts)
        Guard(parts, self._threads, new_token).adopt(self._app, TABLE)

    def stop(self) -> None:
        """Take no more requests; called on the event loop's thread."""
        self._stop.set()

    async def run(self) -> None:
        """Answer until `stop`."""
        runner = web.AppRunner(
            self._app,
            access_log=None,
            logger=faults_of_connections(),
            handle_signals=False,
            shutdown_timeout=_SHUTDOWN_S,
            keepalive_timeout=_KEPT_S,
            lingering_time=_SHUTDOWN_S,
            auto_decompress=False,
            max_line_size=_LINE_BYTES,
            max_field_size=_LINE_BYTES,
        )
        await runner.setup()
        watching = asyncio.create_task(self.parts.counts.watch_loop())
        assert runner.server is not None
        accept = self._connections.accepting(runner.server)
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(accept, sock=self._listener, backlog=_BACKLOG)
        try:
            await self._stop.wait()
        finally:
            listening.close()
            self.parts.watch.close()
            watching.cancel()
            await runner.cleanup()
            self._threads.shutdown(wait=False, cancel_futures=True)
