"""Credentials as requests show them: headers, the cookie of a session, and tickets in a query."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from fanwise.server.forwarding import address_of, origin_of
from fanwise.server.identity import SESSION_S, Shown
from fanwise.server.sites import Site

KEY_HEADER: Final = "X-Fanwise-Key"
TICKET: Final = "ticket"
_BEARER: Final = "Bearer "


def shown_by(request: web.Request, site: Site, *, takes_ticket: bool = False) -> Shown:
    """Return the credentials of a request; those of the header `Authorization` come first."""
    authorization = request.headers.get("Authorization")
    target, _, ticket = request.path_qs.rpartition(f"{TICKET}=")
    return Shown(
        address=address_of(request, site),
        target=target[:-1],
        bearer=None if authorization is None else authorization.removeprefix(_BEARER),
        cookie=request.cookies.get(_name(request, site)),
        key=request.headers.get(KEY_HEADER),
        ticket=ticket if takes_ticket and target else None,
    )


def session_cookie(request: web.Request, site: Site, secret: str) -> str:
    """Return the header that sets the cookie of a session."""
    return _cookie(request, site, secret, int(SESSION_S))


def expired_cookie(request: web.Request, site: Site) -> str:
    """Return the header that deletes the cookie of a session."""
    return _cookie(request, site, "", 0)


def _cookie(request: web.Request, site: Site, value: str, lasts_s: int) -> str:
    secure = "; Secure" if _is_https(request, site) else ""
    return (
        f"{_name(request, site)}={value}; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Strict"
        + secure
    )


def _name(request: web.Request, site: Site) -> str:
    """The name of the cookie: ports of a host share their cookies, so it names the port."""
    return "__Host-fanwise" if _is_https(request, site) else f"fanwise_{site.port}"


def _is_https(request: web.Request, site: Site) -> bool:
    return origin_of(request, site).startswith("https://")
