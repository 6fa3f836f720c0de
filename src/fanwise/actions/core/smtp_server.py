"""Which SMTP server `core.email` sends through, and how it gets in."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from fanwise.errors import ActionError

_PORTS = {"smtp": 25, "smtps": 465}


class Server(NamedTuple):
    """A server and a login. Connections to equal ones are as good as each other.

    `is_tls` means TLS from the first byte. `starttls` says whether another connection changes to
    TLS; None means if the server offers it, or if there is a login to protect.
    """

    host: str
    port: int
    is_tls: bool
    starttls: bool | None
    verify_tls: bool
    username: str | None
    password: str | None

    @property
    def needs_starttls(self) -> bool:
        """Whether nothing may be sent before the connection has changed to TLS."""
        return self.starttls or (self.starttls is None and self.username is not None)


def parse_server(
    url: str,
    *,
    username: str | None,
    password: str | None,
    starttls: bool | None,
    verify_tls: bool,
) -> Server:
    """The server that the input describes. Raises `ActionError`."""
    try:
        place = urlsplit(url)
        port = place.port
    except ValueError:
        raise _bad("BadUrl", "the server's URL has a bad host or port") from None
    if place.scheme not in _PORTS or not place.hostname:
        raise _bad("BadUrl", "the server isn't an smtp or smtps URL with a host")
    if place.username is not None or place.path.strip("/") or place.query or place.fragment:
        raise _bad(
            "BadUrl",
            "the server's URL has more than a host and a port. "
            "Give a login as username and password",
        )
    if (username is None) != (password is None):
        raise _bad("BadRequest", "username and password are only of use together")
    if username is not None and not f"{username}{password}".isascii():
        raise _bad("BadRequest", "username and password can hold ASCII only")
    return Server(
        place.hostname,
        port or _PORTS[place.scheme],
        place.scheme == "smtps",
        starttls,
        verify_tls,
        username,
        password,
    )


def _bad(type: str, what: str) -> ActionError:
    return ActionError(f"core.email: {what}.", type=type, retry=False)
