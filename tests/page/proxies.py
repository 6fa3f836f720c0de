"""A proxy in front of a server, as they are met: below a path, and no friend of streams."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import ClientSession, ClientTimeout, web

from fanwise.server.sites import listen

PREFIX: Final = "/tools/fanwise"
_HOP: Final = {"transfer-encoding", "content-length", "content-encoding", "connection"}


class Proxy:
    """A proxy that takes away `PREFIX`. A stream comes whole after `cut_s`, bit by bit never."""

    def __init__(self, cut_s: float) -> None:
        self.listener = listen("127.0.0.1", 0)
        self.port: int = self.listener.getsockname()[1]
        self.target = ""
        self._cut_s = cut_s

    @property
    def url(self) -> str:
        """The URL under which the server is reached."""
        return f"http://127.0.0.1:{self.port}{PREFIX}"

    async def _pass_on(self, request: web.Request) -> web.Response:
        path = request.path_qs.removeprefix(PREFIX)
        async with (
            ClientSession(auto_decompress=False) as client,
            client.request(
                request.method,
                f"{self.target}{path}",
                headers=request.headers,
                data=await request.read(),
                timeout=ClientTimeout(None),
            ) as answer,
        ):
            body = bytearray()
            with contextlib.suppress(TimeoutError):  # what has come so far is passed on, no more
                async with asyncio.timeout(self._cut_s):
                    async for part in answer.content.iter_any():
                        body += part
            kept = [(k, v) for k, v in answer.headers.items() if k.lower() not in _HOP]
            if "Content-Encoding" in answer.headers:
                kept.append(("Content-Encoding", answer.headers["Content-Encoding"]))
            return web.Response(body=bytes(body), status=answer.status, headers=dict(kept))

    async def run(self, stop: asyncio.Event) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, self.listener).start()
        await stop.wait()
        await runner.cleanup()


@contextmanager
def proxied(proxy: Proxy) -> Iterator[None]:
    """The block while which a proxy runs on another thread."""
    ready = threading.Event()
    stops: list[Callable[[], object]] = []

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(stop.set))
        ready.set()
        await proxy.run(stop)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        stops[0]()
        thread.join()
