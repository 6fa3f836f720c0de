"""The SMTP server that `core.email` sends through, with its login."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from fanwise.errors import ActionError

_PORTS = {"smtp": 25, "smtps": 465}


class Server(NamedTuple):
    """A server and a login, the key of a pool's connections.

    `is_tls` means TLS from the first byte. `starttls` says whether a plain connection changes to
    TLS: True insists, False never does, None does so if the server offers it or a login needs it.
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
        """True if nothing may be sent before the connection has changed to TLS."""
        return self.starttls or (self.starttls is None and self.username is not None)


def parse_server(
    url: str,
    *,
    username: str | None,
    password: str | None,
    starttls: bool | None,
    verify_tls: bool,
) -> Server:
    """Parse the input that names the server. Raises `ActionError`."""
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
