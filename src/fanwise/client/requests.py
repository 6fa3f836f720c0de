"""Requests to a server's API, each on a connection of its own, so that any thread may make them.

No redirect is followed, and nothing is sent again: who asks decides what a failure means.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final, NamedTuple, TypeAlias, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from fanwise.arguments import require_seconds, require_text
from fanwise.client.refusals import error_of
from fanwise.errors import ServerError, UsageError
from fanwise.hosts import is_loopback

Query: TypeAlias = Mapping[str, str | float | Sequence[str] | None]
T = TypeVar("T")
API: Final = "/api/v1"
_PATH: Final = ("path", "run_id", "path", "task")
_READ_BYTES: Final = 2**16
_FIRST_REFUSED: Final = 300


class Address(NamedTuple):
    """The address of a server: its scheme, host and port, and the prefix of its paths."""

    is_https: bool
    host: str
    port: int | None
    prefix: str

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_https else 'http'}://{host}{port}{self.prefix}"


def read_address(url: str, *, is_insecure: bool = False) -> Address:
    """Return the address that a URL names.

    Raises `UsageError` for a URL that is none, and for one of another machine without https unless
    `is_insecure`: its token could be read on the way.
    """
    require_text("url", url)
    try:
        found = urlsplit(url)
        host, port = found.hostname, found.port
    except ValueError:
        host = None
    has_more = found.query or found.fragment or "@" in found.netloc
    if not host or found.scheme not in ("http", "https") or has_more:
        raise UsageError(
            "the URL isn't the address of a server.",
            hint="Give one such as http://127.0.0.1:8420 or https://example.com/fanwise.",
        )
    if found.scheme == "http" and not (is_insecure or is_loopback(host)):
        raise UsageError(
            f"the token would travel to {host} without https, for others to read.",
            hint="Give a URL of https, or open a tunnel: ssh -L 8420:127.0.0.1:8420 HOST",
        )
    return Address(found.scheme == "https", host, port, found.path.rstrip("/"))


def is_header(text: str) -> bool:
    """Return True for a text that a header of a request can carry."""
    return text != "" and text.isascii() and text.isprintable()


class Requests:
    """Requests to one server, by one token."""

    def __init__(self, address: Address, token: str, timeout_s: float) -> None:
        require_text("token", token)
        require_seconds("timeout_s", timeout_s)
        self._address = address
        self._token = token.strip()
        self._timeout_s = timeout_s
        if not is_header(self._token):
            raise UsageError(
                "`token` is no token of a server.", hint="Make one with: fanwise token add"
            )
        self.place = str(address)
        """The address of the server, for people."""
        self._ssl = ssl.create_default_context() if address.is_https else None

    def get(self, kind: type[T], *path: str, query: Query | None = None) -> T:
        """Return what a path has, as an object of this kind."""
        with self._answer("GET", path, query) as answer:
            return self._read(kind, answer.read())

    def body(self, *path: str, query: Query | None = None) -> bytes:
        """Return what a path has, as it is."""
        with self._answer("GET", path, query) as answer:
            return answer.read()

    def post(
        self,
        kind: type[T],
        *path: str,
        body: object,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        root: str = API,
    ) -> T:
        """Send a value to a path, and return the answer as an object of this kind.

        `root` is what the path is under.
        """
        text = msgspec.json.encode(body)
        sent = {"Content-Type": "application/json", **(headers or {})}
        with self._answer("POST", path, query, body=text, headers=sent, root=root) as answer:
            return self._read(kind, answer.read())

    def delete(self, *path: str) -> None:
        """Delete what a path names."""
        with self._answer("DELETE", path):
            pass

    def lines(self, kind: type[T], *path: str, query: Query) -> Iterator[T]:
        """Give the lines of a long answer, each an object of this kind, as they arrive."""
        return (self._read(kind, line) for line in self.raw_lines(*path, query=query))

    def raw_lines(self, *path: str, query: Query | None = None) -> Iterator[bytes]:
        """Give the lines of a long answer, as they arrive."""
        parts: list[bytes] = []
        with self._answer("GET", path, query) as answer:
            while chunk := answer.read1(_READ_BYTES):
                first, *others = chunk.split(b"\n")
                parts.append(first)
                for other in others:
                    yield b"".join(parts)
                    parts = [other]

    @contextmanager
    def _answer(
        self,
        method: str,
        path: Sequence[str],
        query: Query | None = None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        root: str = API,
    ) -> Iterator[HTTPResponse]:
        """The answer to a request. Raises the error that the server tells, or `ServerError`."""
        target = self._target(root, path, query)
        sent = {"Authorization": f"Bearer {self._token}", **(headers or {})}
        connection = self._connection()
        try:
            connection.request(method, target, body, sent)
            answer = connection.getresponse()
            if answer.status >= _FIRST_REFUSED:
                raise error_of(answer.status, answer.read(), str(self._address))
            yield answer
        except ssl.SSLCertVerificationError as error:
            raise ServerError(
                f"{self._address} isn't trusted: {error.verify_message}.",
                reason="untrusted",
                hint="Name the certificate of who vouches for it in SSL_CERT_FILE.",
            ) from error
        except ssl.SSLError as error:
            raise ServerError(
                f"{self._address} doesn't answer in TLS: {error.reason or 'the connection broke'}.",
                reason="unreachable",
                hint="Check the port; a server without https is named by http://.",
            ) from error
        except (OSError, HTTPException) as error:
            raise ServerError(
                f"{self._address} doesn't answer: {str(error) or type(error).__name__}.",
                reason="unreachable",
                hint="Check the address, and whether fanwise serve runs there.",
            ) from error
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        _, host, port, _ = self._address
        if self._ssl is not None:
            return HTTPSConnection(host, port, timeout=self._timeout_s, context=self._ssl)
        return HTTPConnection(host, port, timeout=self._timeout_s)

    def _target(self, root: str, path: Sequence[str], query: Query | None) -> str:
        for name, each in zip(_PATH, path, strict=False):
            require_text(name, each)
        target = "/".join([self._address.prefix + root, *(quote(each, safe="") for each in path)])
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return f"{target}?{urlencode(given, doseq=True)}" if given else target

    def _read(self, kind: type[T], text: bytes) -> T:
        try:
            return msgspec.json.decode(text, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ServerError(
                f"{self._address} doesn't answer as this version's server does.",
                reason="foreign",
                hint="Check the address, and the versions of both sides.",
            ) from error
