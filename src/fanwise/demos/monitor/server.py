"""The servers of the demo as one real HTTP server, in a process of its own.

    python -m fanwise.demos.monitor.server --port 0 --servers 1000 --seed 7 --access-log access.log

It prints its URL on one line when it listens, on this machine alone. It ends when its standard
input closes, so it never outlives its parent, or on SIGTERM or Ctrl-C.

`/servers/NAME/health` answers as the fleet says. `/stats` tells what was asked and answered, so a
client can be checked against the truth. A client may repeat a request by itself when a connection
that it kept open is closed; the server counts both.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.log import server_logger
from aiohttp.typedefs import Handler
from aiohttp.web import BaseRequest, StreamResponse

from fanwise.demos.monitor.fleet import Behaviour, Fault, Server, make_fleet
from fanwise.demos.process import (
    announce,
    parse_amount,
    parse_port,
    serve_to_the_end,
    stop_signal,
)

NO_ANSWER = 444
"""The status that stands for a connection closed without an answer."""

_ESCAPES = [chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in range(256)]
_ESCAPES[ord('"')] = '\\"'
_ESCAPES[ord("\\")] = "\\\\"


def combined_line(
    *,
    host: str,
    received: datetime,
    request: str,
    status: int,
    size_bytes: int,
    referer: str | None,
    user_agent: str | None,
    seconds: float,
) -> str:
    """One line, without its end. `received` knows its time zone; `request` is the request line."""
    return (
        f"{host} - - [{received:%d/%b/%Y:%H:%M:%S %z}] {_quoted(request)} {status} "
        f"{size_bytes or '-'} {_quoted(referer or '-')} {_quoted(user_agent or '-')} {seconds:.3f}"
    )


def _quoted(text: str) -> str:
    escaped = "".join([_ESCAPES[byte] for byte in text.encode("utf-8", "surrogateescape")])
    return f'"{escaped}"'


class CombinedLogger(AbstractAccessLogger):
    """Writes a line for each request that aiohttp has answered."""

    def log(self, request: BaseRequest, response: StreamResponse, time: float) -> None:
        """Write the line; `time` is how long the answer took, in seconds."""
        version = request.version
        answered = response.status != NO_ANSWER
        self.logger.info(
            combined_line(
                host=request.remote or "-",
                received=datetime.now().astimezone() - timedelta(seconds=time),
                request=f"{request.method} {request.raw_path} HTTP/{version.major}.{version.minor}",
                status=response.status,
                size_bytes=(response.content_length or 0) if answered else 0,
                referer=request.headers.get("Referer"),
                user_agent=request.headers.get("User-Agent"),
                seconds=time,
            )
        )


def open_log(path: Path) -> logging.Logger:
    """A logger of its own that adds whole lines to the file at `path`."""
    logger = logging.Logger("access")
    logger.addHandler(logging.FileHandler(path, encoding="ascii"))
    return logger


_STATUSES = {
    None: 200,
    Fault.ERROR: 500,
    Fault.UNAVAILABLE: 503,
    Fault.MISSING: 404,
    Fault.DEGRADED: 200,
    Fault.CLOSED: NO_ANSWER,
}


class Stats(msgspec.Struct, frozen=True):
    """The answer of `/stats`, as JSON.

    `servers` counts the fleet by behaviour. `requests` are health checks, `by_server` how often
    each server was asked, and `most_at_once` how many were being answered at one moment.
    `recovered` counts the recovering servers that have answered 200. `by_status` is how all
    requests before this one were answered (444: not at all), also those for what there isn't.
    """

    servers: dict[Behaviour, int]
    requests: int
    by_status: dict[int, int]
    by_server: dict[str, int]
    most_at_once: int
    recovered: int


class FleetServer:
    """Answers for a fleet, and counts. Lives on one event loop."""

    def __init__(self, fleet: Sequence[Server]) -> None:
        self._fleet = {server.name: server for server in fleet}
        self._calls: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._running = 0
        self._most_at_once = 0

    def application(self) -> web.Application:
        """The web application that serves the fleet."""
        application = web.Application(middlewares=[self._count])
        application.router.add_get("/servers/{name}/health", self.health)
        application.router.add_get("/stats", self.stats)
        return application

    async def health(self, request: web.Request) -> web.Response:
        """Answer for one server, after its delay."""
        server = self._fleet.get(request.match_info["name"])
        if server is None:
            raise web.HTTPNotFound
        self._calls[server.name] += 1
        status = 503 if self._calls[server.name] <= server.busy_calls else _STATUSES[server.fault]
        self._running += 1
        self._most_at_once = max(self._most_at_once, self._running)
        try:
            if server.delay_s:
                await asyncio.sleep(server.delay_s)
        finally:
            self._running -= 1
        if status == NO_ANSWER and request.transport is not None:
            # aiohttp finds the connection closed when it writes the answer, and drops the answer.
            request.transport.close()
        return _json_response(_report(server, status), status)

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count how a request is answered."""
        try:
            response = await handler(request)
        except web.HTTPException as error:
            self._statuses[error.status] += 1
            raise
        self._statuses[response.status] += 1
        return response

    async def stats(self, request: web.Request) -> web.Response:
        """Answer with the counts."""
        return _json_response(self.counts(), 200)

    def counts(self) -> Stats:
        """The counts so far."""
        return Stats(
            servers=dict(Counter(server.behaviour for server in self._fleet.values())),
            requests=self._calls.total(),
            by_status=dict(self._statuses),
            by_server=dict(self._calls),
            most_at_once=self._most_at_once,
            recovered=sum(
                0 < server.busy_calls < self._calls[name] for name, server in self._fleet.items()
            ),
        )


def _report(server: Server, status: int) -> dict[str, str]:
    well = "degraded" if server.fault is Fault.DEGRADED else "ok"
    return {"status": well if status == 200 else "error", "server": server.name}


def _json_response(value: object, status: int) -> web.Response:
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, content_type="application/json")


async def serve(fleet: Sequence[Server], port: int, access_log: Path | None) -> None:
    """Serve until SIGTERM or SIGINT. Raises `OSError` if the port or the log can't be opened."""
    stopped = stop_signal()
    runner = web.AppRunner(
        FleetServer(fleet).application(),
        access_log=open_log(access_log) if access_log else None,
        access_log_class=CombinedLogger,
        shutdown_timeout=0.5,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        host, bound_port, *_ = runner.addresses[0]
        announce(f"http://{host}:{bound_port}")
        await stopped.wait()
        server_logger.disabled = True  # What is cut off by the end is no error.
    finally:
        await runner.cleanup()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="The servers of the monitoring demo.")
    parser.add_argument("--port", type=parse_port, default=0, help="0 takes any that is free")
    parser.add_argument("--servers", type=parse_amount, default=1000, help="how many there are")
    parser.add_argument("--seed", type=int, default=7, help="decides which of them do what")
    parser.add_argument("--all-healthy", action="store_true", help="each answers 200 at once")
    parser.add_argument("--access-log", type=Path, help="add a line for each request to this file")
    options = parser.parse_args()
    fleet = make_fleet(options.servers, options.seed, all_healthy=options.all_healthy)
    serve_to_the_end(serve(fleet, options.port, options.access_log))


if __name__ == "__main__":
    main()
