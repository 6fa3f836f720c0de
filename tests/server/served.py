"""A server in this process, on a thread of its own, and requests to it as they are sent."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from fanwise.model import Role
from fanwise.ports import Clock
from fanwise.server.app import HttpServer
from fanwise.server.forwarding import read_networks
from fanwise.server.opening import parts_of
from fanwise.server.parts import QUERY_S
from fanwise.server.sites import listen, site_at
from fanwise.server.token_making import new_token_text
from fanwise.service.watcher import ServiceWatcher
from fanwise.stores import Store
from fanwise.telemetry.serving import ServerCounts
from fanwise.wiring import Settings, open_serving, read_settings
from fanwise.wiring.serving import Serving


class Reply(NamedTuple):
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem."""
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.json["request_id"] == self.headers["X-Request-Id"]
        assert self.json["status"] == self.status
        return str(self.json["code"])


class Served(NamedTuple):
    """A server that runs."""

    port: int
    folder: Path
    store: Store
    tokens: Mapping[str, str]
    """The tokens of roles."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    def status(self, run_id: str) -> str:
        """The status that is recorded of a run."""
        record = self.store.run(run_id)
        assert record is not None
        return record.status.value

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        token: str | None = "admin",
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] | None = None,
    ) -> Reply:
        """Send a request just as it is given, and take the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"Host": self.host, **(headers or {})}
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {self.tokens.get(token, token)}")
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            if isinstance(body, bytes):
                sent.setdefault("Content-Length", str(len(body)))
            elif body is not None:
                sent["Transfer-Encoding"] = "chunked"
            for name, value in sent.items():
                connection.putheader(name, value)
            is_chunked = body is not None and not isinstance(body, bytes)
            connection.endheaders(body, encode_chunked=is_chunked)
            response = connection.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def post(self, path: str, value: object, **options: Any) -> Reply:
        """Send a value as JSON."""
        headers = {"Content-Type": "application/json", **options.pop("headers", {})}
        text = json.dumps(value).encode()
        return self.ask(path, method="POST", headers=headers, body=text, **options)


@contextmanager
def serving(
    folder: Path,
    store_url: str | None = None,
    *,
    port: int = 0,
    public_url: str | None = None,
    proxies: tuple[str, ...] = (),
    access_log: Any = None,
    environment: Mapping[str, str] | None = None,
    query_s: float = QUERY_S,
    takes_definitions: bool = False,
    watcher: ServiceWatcher | None = None,
) -> Iterator[Served]:
    """A server of the project in a folder, at a free port if none is named."""
    url = store_url or str(folder / "runs.db")
    settings = read_settings(store=url, environment={"HOME": str(folder), **(environment or {})})
    with (
        open_serving(settings, folder, watcher or ServiceWatcher()) as opened,
        answering(
            opened,
            settings,
            folder,
            port=port,
            public_url=public_url,
            proxies=proxies,
            access_log=access_log,
            query_s=query_s,
            takes_definitions=takes_definitions,
        ) as served,
    ):
        yield served


@contextmanager
def answering(
    opened: Serving,
    settings: Settings,
    folder: Path,
    *,
    port: int = 0,
    public_url: str | None = None,
    proxies: tuple[str, ...] = (),
    access_log: Any = None,
    clock: Clock | None = None,
    query_s: float = QUERY_S,
    takes_definitions: bool = False,
) -> Iterator[Served]:
    """A server of a project that is open, which tells the time by a clock."""
    listener = listen("127.0.0.1", port)
    port = listener.getsockname()[1]
    site = site_at("127.0.0.1", port, public_url)._replace(proxies=read_networks(proxies))
    parts = parts_of(opened, settings, site, ServerCounts(), access_log)
    parts = parts._replace(
        clock=clock or parts.clock, query_s=query_s, takes_definitions=takes_definitions
    )
    tokens = {each.value: str(new_token_text(opened.store, each, each)) for each in Role}
    with _running(lambda: HttpServer(parts, listener)):
        yield Served(port, folder, opened.store, tokens)


@contextmanager
def _running(make: Callable[[], HttpServer]) -> Iterator[None]:
    """The block while which a server runs on another thread."""
    ready = threading.Event()
    stops: list[Callable[[], object]] = []

    async def run() -> None:
        server = make()
        loop = asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(server.stop))
        ready.set()
        await server.run()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        stops[0]()
        thread.join()


def decoded(reply: Reply, kind: type[msgspec.Struct]) -> Any:
    """An answer, which has just the form that the route's documentation tells."""
    assert reply.status in (200, 201, 202), reply.body
    msgspec.json.decode(reply.body, type=kind)
    return reply.json
