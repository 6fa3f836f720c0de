"""Opens a server on the parts of a project that is served."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from fanwise.server.app import HttpServer
from fanwise.server.bulk_changes import Bulks
from fanwise.server.forwarding import read_networks
from fanwise.server.identity import SIGN_IN_TICKET_S, Identity
from fanwise.server.looks import Looks
from fanwise.server.open_streams import OpenStreams
from fanwise.server.openapi import document
from fanwise.server.parts import Parts
from fanwise.server.readiness import Readiness
from fanwise.server.sites import Site, listen, site_at
from fanwise.server.sweeping import Sweeper
from fanwise.server.table import TABLE
from fanwise.server.token_making import LINK_TOKEN, require_link_token
from fanwise.server.watch import Watch
from fanwise.wiring import new_token, runs_of, system_clock

if TYPE_CHECKING:
    from fanwise.telemetry.log_lines import LogLines
    from fanwise.telemetry.serving import ServerCounts
    from fanwise.wiring import Serving, Settings

AUDIT_KEPT_S: Final = 400 * 86_400.0
"""The age up to which the audit is kept; a server forgets what is older at its start."""


def open_server(
    serving: Serving,
    settings: Settings,
    host: str,
    port: int,
    public_url: str | None,
    *,
    is_insecure: bool,
    proxies: Sequence[str] = (),
    takes_definitions: bool = False,
    counts: ServerCounts,
    access_log: LogLines | None = None,
) -> HttpServer:
    """Return a server that listens at an address already.

    `proxies` are the addresses of those that are trusted; for `takes_definitions` see `Parts`.
    Raises `UsageError` for a port that is taken, and for an address that isn't safe.
    """
    networks = read_networks(proxies)
    site_at(host, port, public_url, is_insecure=is_insecure)
    listener = listen(host, port)
    bound = listener.getsockname()[1]
    site = site_at(host, bound, public_url, is_insecure=is_insecure)._replace(proxies=networks)
    serving.store.forget_audit(AUDIT_KEPT_S)
    parts = parts_of(serving, settings, site, counts, access_log)
    return HttpServer(parts._replace(takes_definitions=takes_definitions), listener)


def sign_in_link(server: HttpServer) -> str:
    """Return a link by which one signs in, once and within five minutes, as an administrator."""
    parts = server.parts
    require_link_token(parts.store)
    ticket = parts.identity.new_ticket(LINK_TOKEN, "", SIGN_IN_TICKET_S)
    return f"{parts.site.url}/#ticket={ticket}"


def parts_of(
    serving: Serving,
    settings: Settings,
    site: Site,
    counts: ServerCounts,
    access_log: LogLines | None = None,
) -> Parts:
    """Return the parts of a project that is served, for handlers."""
    clock = system_clock()
    return Parts(
        store=serving.store,
        runs=runs_of(serving.store),
        project=serving.project,
        make_runs=serving.runs,
        settings=settings,
        site=site,
        identity=Identity(serving.store, clock, new_token),
        sweeper=Sweeper(serving.store),
        watch=Watch(serving.store),
        looks=Looks(serving.store, clock),
        api=cache(partial(document, TABLE, version("fanwise"))),
        clock=clock,
        counts=counts,
        readiness=Readiness(),
        open_streams=OpenStreams(),
        bulks=Bulks(),
        triggers_clock=serving.clock,
        validating=asyncio.Lock(),
        access_log=access_log,
    )
