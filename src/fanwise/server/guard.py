"""The guard: every request passes it before its handler, in this order, and is refused by default.

The host is ours; a route has this path and method; the request doesn't come from another site's
page; the route's role is covered; it isn't asked too often; query and body are of the right form
and size. Exempt from roles are routes that say why, never patterns of paths. Each answer has
the headers that keep a browser from doing more with it than showing it.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from http import HTTPStatus
from typing import Final, TypeAlias, TypeVar

import msgspec
from aiohttp import web
from multidict import MultiDict, MultiMapping

from fanwise.errors import FanwiseError, StoreError
from fanwise.model import AuditEntry, Who
from fanwise.server import tags
from fanwise.server.buckets import Buckets
from fanwise.server.cookies import TICKET, shown_by
from fanwise.server.forms import field_names, read_body, read_query
from fanwise.server.forwarding import address_of, hosts_of, origin_of
from fanwise.server.page.shell import get_shell
from fanwise.server.parts import Parts
from fanwise.server.problems import PROBLEM_TYPE, Problem, Refusal, problem_of
from fanwise.server.routes import Answer, Call, Given, Route

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types fanwise"
)
"""The policy of every answer: a page's own scripts and styles, and one way to make HTML."""

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "fanwise",
}

_HSTS: Final = "max-age=31536000"
_OWN_SITES: Final = ("same-origin", "none")

REQUEST_ID: Final = web.RequestKey("id", str)
"""The id of a request, by which the server's own output and the audit name it."""

_AUDITED: Final = web.RequestKey("audited", AuditEntry)
_Taken = TypeVar("_Taken")
_Given = TypeVar("_Given")
_Handle: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)


class Guard:
    """Lets requests through to the handlers of a table of routes."""

    def __init__(self, parts: Parts, threads: Executor, new_id: Callable[[], str]) -> None:
        self._parts = parts
        self._threads = threads
        self._new_id = new_id
        self._buckets = Buckets()
        self._probes: set[object] = set()

    def adopt(self, app: web.Application, table: tuple[Route, ...]) -> None:
        """Give an application its routes, with the guard in front of them."""
        for route in table:
            handler = self._handler(route)
            app.router.add_route(route.method, route.path, handler)
            if route.is_probe:
                self._probes.add(handler)

        @web.middleware
        async def admit(request: web.Request, handler: _Handle) -> web.StreamResponse:
            return await self._admit(request, handler)

        app.middlewares.append(admit)
        app.on_response_prepare.append(self._prepare)

    async def _admit(self, request: web.Request, handler: _Handle) -> web.StreamResponse:
        """Answer a request, and note it in the audit if its route says so."""
        request[REQUEST_ID] = self._new_id()
        response = await self._answer(request, handler)
        if (entry := request.get(_AUDITED)) is not None:
            entry = msgspec.structs.replace(entry, status=response.status)
            await self._in_thread(self._note, entry)
        return response

    async def _answer(self, request: web.Request, handler: _Handle) -> web.StreamResponse:
        """Check what doesn't depend on the route, and make each failure an answer."""
        try:
            if request.match_info.handler not in self._probes:
                self._require_own_host(request)
            with self._parts.store.within(self._parts.query_s):
                return await handler(request)
        except Refusal as refusal:
            return self._problem(request, refusal.problem, refusal.headers)
        except FanwiseError as error:
            return self._problem(request, problem_of(error))
        except web.HTTPNotFound:
            return self._unknown(request)
        except web.HTTPMethodNotAllowed as error:
            allowed = ", ".join(sorted(error.allowed_methods))
            other = Refusal(405, "bad-method", f"This path takes {allowed}.")
            return self._problem(request, other.problem, {"Allow": allowed})
        except ConnectionError:  # the client has gone
            raise
        except Exception:
            _log.exception("%s %s (request %s)", request.method, request.path, request[REQUEST_ID])
            fault = Refusal(500, "internal", "This is a fault of fanwise.", hint=_FAULT)
            return self._problem(request, fault.problem)

    def _handler(self, route: Route) -> _Handle:
        async def handle(request: web.Request) -> web.StreamResponse:
            if not route.is_probe:
                self._require_own_page(request, route)
            who = await self._require_role(request, route)
            self._require_rate(request, route, who)
            query = read_query(route.query, _own_query(request, route))
            body = await read_body(route.body, request, route.most_bytes)
            if who is not None and route.audit:
                request[_AUDITED] = self._entry(request, route, who, field_names(body))
            call = Call(request, self._parts, who, request[REQUEST_ID], query, body)
            given = await self._run(route, call)
            return given if isinstance(given, web.StreamResponse) else _response(given)

        return handle

    async def _run(self, route: Route, call: Call) -> Given:
        """Have a route's handler answer, unless the client has the answer already."""
        if route.tag is None:
            return await self._made(route, call)
        tag = await self._in_thread(route.tag, call)
        if tag and tags.is_known(call, tag):
            return _not_modified(tag)
        made = await self._made(route, call)
        assert isinstance(made, Answer)
        if not tag and tags.is_known(call, tag := tags.of_answer(made)):
            return _not_modified(tag)
        return made._replace(headers={**made.headers, "ETag": tag})

    async def _made(self, route: Route, call: Call) -> Given:
        if inspect.iscoroutinefunction(route.handler):
            given: Given = await route.handler(call)
            return given
        made = await self._in_thread(route.handler, call)
        assert not isinstance(made, Awaitable)
        return made

    async def _in_thread(self, work: Callable[[_Taken], _Given], taken: _Taken) -> _Given:
        run = contextvars.copy_context().run  # with the time that queries may take
        return await asyncio.get_running_loop().run_in_executor(self._threads, run, work, taken)

    # Checks

    def _require_own_host(self, request: web.Request) -> None:
        hosts = hosts_of(request, self._parts.site)
        if len(hosts) != 1 or hosts[0] not in self._parts.site.origins:
            raise Refusal(
                421,
                "wrong-host",
                "This server isn't known under the name that the request gives.",
                hint=f"Ask {self._parts.site.url}, or name another URL with --public-url.",
            )

    def _require_own_page(self, request: web.Request, route: Route) -> None:
        """Refuse a request that a page of another site, or of another port, has made.

        A link there may lead to what is open to all.
        """
        is_link = request.headers.get("Sec-Fetch-Mode") == "navigate" and request.method == "GET"
        if route.is_open and is_link:
            return
        own = origin_of(request, self._parts.site)
        origins = request.headers.getall("Origin", [own])
        sites = request.headers.getall("Sec-Fetch-Site", ["none"])
        if origins != [own] or any(site not in _OWN_SITES for site in sites):
            raise Refusal(403, "foreign-page", "A page of another site has made this request.")

    async def _require_role(self, request: web.Request, route: Route) -> Who | None:
        if route.is_open:
            return None
        shown = shown_by(request, self._parts.site, takes_ticket=route.takes_ticket)
        who = await self._in_thread(self._parts.identity.who, shown)
        if who is None:
            raise Refusal(
                401,
                "unauthenticated",
                "This needs a token.",
                hint="Send it as `Authorization: Bearer TOKEN`; make one with: fanwise token add",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if route.role is None or not who.role.covers(route.role):
            if route.audit:
                request[_AUDITED] = self._entry(request, route, who, ())
            raise Refusal(
                403,
                "forbidden",
                f'This needs the role "{route.role}", and the token has "{who.role}".',
                hint="Ask with another token.",
            )
        if route.sees_all and who.workflows:
            raise Refusal(403, "forbidden", "This tells of all workflows; the token sees some.")
        return who

    def _require_rate(self, request: web.Request, route: Route, who: Who | None) -> None:
        key = f"address {self._address(request)}" if who is None else who.token_id
        wait_s = self._buckets.take(route.rate, key, self._parts.clock.monotonic())
        if wait_s:
            raise Refusal(
                429,
                "too-many",
                f"There are too many requests: {route.rate.name}.",
                hint=f"Ask again in {wait_s:.0f} s.",
                headers={"Retry-After": str(int(wait_s) + 1)},
            )

    def _address(self, request: web.Request) -> str:
        return address_of(request, self._parts.site)

    # Audit

    def _entry(
        self, request: web.Request, route: Route, who: Who, fields: tuple[str, ...]
    ) -> AuditEntry:
        return AuditEntry(
            action=route.audit,
            token_id=who.token_id,
            name=who.name,
            address=self._address(request),
            target=request.path,
            status=0,
            fields=fields,
            request_id=request[REQUEST_ID],
        )

    def _note(self, entry: AuditEntry) -> None:
        """Add an entry to the audit; the request has had its effect by then."""
        try:
            self._parts.store.note_audit(entry)
        except StoreError as error:
            _log.error("request %s isn't in the audit: %s", entry.request_id, error)

    # Answers

    def _unknown(self, request: web.Request) -> web.Response:
        """The answer for a path that isn't there: for a browser's tab the shell, which says so."""
        if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            shell = get_shell(Call(request, self._parts, None, request[REQUEST_ID]))
            return _response(shell._replace(status=404))
        unknown = Refusal(404, "not-found", "There is no such path.")
        return self._problem(request, unknown.problem)

    def _problem(
        self, request: web.Request, problem: Problem, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        told = msgspec.structs.replace(problem, request_id=request[REQUEST_ID])
        body = msgspec.json.encode(told)
        return web.Response(
            body=body, status=told.status, content_type=PROBLEM_TYPE, headers=headers
        )

    async def _prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        for name, text in HEADERS.items():
            response.headers.setdefault(name, text)
        response.headers.setdefault("Cache-Control", "no-store")
        if self._parts.site.is_https:
            response.headers["Strict-Transport-Security"] = _HSTS
        if (request_id := request.get(REQUEST_ID)) is not None:
            response.headers["X-Request-Id"] = request_id


_FAULT: Final = "The server's own output says more under the id of the request."


def _own_query(request: web.Request, route: Route) -> MultiMapping[str]:
    """The query of a request without its ticket."""
    if not route.takes_ticket or TICKET not in request.query:
        return request.query
    return MultiDict((name, text) for name, text in request.query.items() if name != TICKET)


def _not_modified(tag: str) -> Answer:
    return Answer(b"", status=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})


def _response(answer: Answer) -> web.Response:
    headers = {"Content-Type": answer.type, **answer.headers}
    return web.Response(body=answer.body, status=answer.status, headers=headers)
