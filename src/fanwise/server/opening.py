"""Opens a server on the parts of a project that is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanwise.server.app import HttpServer
from fanwise.server.parts import Parts
from fanwise.server.sites import Site, listen, site_at
from fanwise.wiring import runs_of, system_clock

if TYPE_CHECKING:
    from aiohttp import web

    from fanwise.model import Who
    from fanwise.wiring import Serving, Settings


def open_server(
    serving: Serving,
    settings: Settings,
    host: str,
    port: int,
    public_url: str | None,
    *,
    is_insecure: bool,
) -> HttpServer:
    """Return a server that listens at an address already.

    Raises `UsageError` for a port that is taken, and for an address that isn't safe.
    """
    site_at(host, port, public_url, is_insecure=is_insecure)
    listener = listen(host, port)
    bound = listener.getsockname()[1]
    site = site_at(host, bound, public_url, is_insecure=is_insecure)
    return HttpServer(parts_of(serving, settings, site), listener, _nobody)


def parts_of(serving: Serving, settings: Settings, site: Site) -> Parts:
    """Return the parts of a project that is served, for handlers."""
    return Parts(
        store=serving.store,
        runs=runs_of(serving.store),
        project=serving.project,
        settings=settings,
        site=site,
        clock=system_clock(),
    )


async def _nobody(request: web.Request) -> Who | None:
    return None
