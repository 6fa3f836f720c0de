"""The site of a server: the names under which it may be asked, and the socket that it listens on.

A request that names another host isn't for this server: a page elsewhere has pointed its own name
at this machine.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from fanwise.errors import UsageError
from fanwise.hosts import is_loopback

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Site(NamedTuple):
    """The URL of a server for people, without a slash at its end, and the hosts that it answers to.

    `origins` has the origin of its own pages for each value of `Host`. `public_url` is the one that
    was given, if any, under which others reach it. Headers of `proxies` say whose requests they
    pass on.
    """

    url: str
    port: int
    origins: Mapping[str, str]
    public_url: str | None = None
    proxies: tuple[Network, ...] = ()

    @property
    def is_https(self) -> bool:
        """Say whether people reach it by https."""
        return self.url.startswith("https://")

    @property
    def prefix(self) -> str:
        """The path in front of all paths of the server, as its clients see them; empty for none."""
        return urlsplit(self.url).path


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; the port 0 takes a free one. Raises `UsageError`."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except socket.gaierror:
        raise UsageError(f'"{host}" is no address of this machine.', hint=_ADDRESS) from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"the port {port} of {host} is taken.",
                hint="Choose another one with --port, or serve without HTTP: --no-http.",
            ) from None
        told = os.strerror(error.errno) if error.errno else str(error)
        raise UsageError(
            f"no server can listen on port {port} of {host}: {told}.", hint=_ADDRESS
        ) from None


_ADDRESS: Final = "Give an address of this machine with --host, such as 127.0.0.1."


def site_at(
    host: str, port: int, public_url: str | None = None, *, is_insecure: bool = False
) -> Site:
    """Return the site of a server at an address, which others reach under `public_url`.

    Raises `UsageError` for a URL that is none, and for an address beyond this machine without https
    unless `is_insecure`.
    """
    public = None if public_url is None else _public(public_url)
    if public is not None and not (public[0].startswith("https://") or is_insecure):
        _require_local(urlsplit(public[0]).hostname or "", "--public-url")
    if not is_loopback(host):
        if not is_insecure and public is None:
            _require_local(host, "--host")
        if public is None and ipaddress.ip_address(host).is_unspecified:
            raise UsageError(
                f"a server on {host} has to know its name.",
                hint="Give the URL under which it is reached with --public-url.",
            )
    own = _names(host, port)
    origins = {name: f"http://{name}" for name in own}
    url = f"http://{own[0]}"
    if public is not None:
        url, name = public
        parts = urlsplit(url)
        origins[name] = f"{parts.scheme}://{name}"
    return Site(url, port, origins, None if public is None else public[0])


def _names(host: str, port: int) -> list[str]:
    """The values of `Host` for an address."""
    shown = f"[{host}]" if ":" in host else host
    names = [shown]
    if is_loopback(host):
        names = list(dict.fromkeys([shown, *_LOOPBACK_NAMES]))
    return [name if port == _DEFAULT_PORTS["http"] else f"{name}:{port}" for name in names]


def _public(text: str) -> tuple[str, str]:
    """A public URL without a slash at its end, and the value of `Host` for it."""
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname
    except ValueError:
        parts, port, host = None, None, None
    is_plain = parts is not None and not (parts.query or parts.fragment or parts.username)
    if parts is None or parts.scheme not in _DEFAULT_PORTS or not host or not is_plain:
        raise UsageError(
            "--public-url takes the URL under which the server is reached.",
            hint="Such as https://fanwise.example.com or https://example.com/fanwise.",
        )
    shown = f"[{host}]" if ":" in host else host
    name = shown if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{shown}:{port}"
    return f"{parts.scheme}://{name}{parts.path.rstrip('/')}", name


def _require_local(host: str, option: str) -> None:
    if not is_loopback(host):
        raise UsageError(
            f"{option}: {host} is reached from other machines, and tokens would travel as text "
            "that anyone between can read.",
            hint="Put a proxy with https in front and name it with --public-url https://..., or "
            "say --insecure-http.",
        )
