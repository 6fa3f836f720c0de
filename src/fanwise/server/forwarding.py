"""Requests that proxies pass on: whose they are, and for which host, by headers of trusted ones.

Anyone can send these headers, so those of others change nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from aiohttp import web

from fanwise.errors import UsageError
from fanwise.server.sites import Network, Site

_FOR: Final = "X-Forwarded-For"
_HOST: Final = "X-Forwarded-Host"


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the addresses of proxies, such as `10.0.0.7` or `10.0.0.0/24`. Raises `UsageError`."""
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError:
        raise UsageError(
            "--trusted-proxy takes an address or a network.",
            hint="Such as 10.0.0.7 or 10.0.0.0/24.",
        ) from None


def address_of(request: web.Request, site: Site) -> str:
    """Return the address that a request comes from: behind trusted proxies that of their client."""
    address = request.remote or ""
    listed = ",".join(request.headers.getall(_FOR, []))
    for named in reversed([each.strip() for each in listed.split(",")]):
        if not _is_trusted(address, site) or not _is_address(named):
            break
        address = named
    return address


def hosts_of(request: web.Request, site: Site) -> list[str]:
    """Return the values of `Host` of a request, or that which a trusted proxy has been asked by."""
    named = request.headers.getall(_HOST, [])
    if named and _is_trusted(request.remote or "", site):
        return [each.strip().lower() for each in ",".join(named).split(",")[-1:]]
    return [each.lower() for each in request.headers.getall("Host", [])]


def origin_of(request: web.Request, site: Site) -> str:
    """Return the origin of the own pages for a request whose host is known."""
    return site.origins[hosts_of(request, site)[0]]


def _is_trusted(address: str, site: Site) -> bool:
    return (
        bool(site.proxies)
        and _is_address(address)
        and any(ipaddress.ip_address(address) in network for network in site.proxies)
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
