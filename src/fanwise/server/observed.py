"""Counts answers, and tells each to the access log: its route and path, never its query."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from aiohttp import web

from fanwise.server.guard import REQUEST_ID
from fanwise.server.parts import Parts

NO_ROUTE: Final = "none"
"""The route of a request for a path that no route has."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_Handle: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def observe(app: web.Application, parts: Parts) -> None:
    """Count what an application answers. To be called before the guard is put in front of it."""

    @web.middleware
    async def observed(request: web.Request, handler: _Handle) -> web.StreamResponse:
        begun = time.perf_counter()
        status = 499  # the client has gone
        is_stream = False
        try:
            response = await handler(request)
            status = response.status
            is_stream = not isinstance(response, web.Response)
            return response
        finally:
            _tell(parts, request, status, time.perf_counter() - begun, is_stream=is_stream)

    app.middlewares.append(observed)


def _tell(
    parts: Parts, request: web.Request, status: int, duration_s: float, *, is_stream: bool
) -> None:
    resource = request.match_info.route.resource
    route = NO_ROUTE if resource is None else resource.canonical
    method = request.method if request.method in _METHODS else "other"
    counts = parts.counts.counts
    counts.add("fanwise_http_requests", method, route, str(status))
    if not is_stream:
        counts.observe("fanwise_http_seconds", route, value=duration_s)
    if parts.access_log is not None:
        parts.access_log(
            "request",
            log="access",
            method=method,
            route=route,
            path=request.path,
            status=status,
            duration_s=round(duration_s, 6),
            request_id=request.get(REQUEST_ID),
        )
