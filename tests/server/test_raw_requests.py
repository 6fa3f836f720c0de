"""Requests that no library would send, as raw bytes: refused, and told of nowhere."""

from __future__ import annotations

import logging
import socket

import pytest

from fanwise.server import connections, forms
from tests.server.served import Served, serving

START = b"POST /api/v1/session HTTP/1.1\r\n"
JSON = b"Content-Type: application/json\r\n"


def send(served: Served, request: bytes) -> bytes:
    """The beginning of what a server says to bytes; empty for nothing.

    In these HOST is its own, and TOKEN that of an administrator.
    """
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        token = f"Authorization: Bearer {served.tokens['admin']}\r\n"
        given = request.replace(b"TOKEN", token.encode())
        connection.sendall(given.replace(b"HOST", f"Host: {served.host}\r\n".encode()))
        return connection.recv(65_536)


MANY = b"&".join(b"%x" % number for number in range(100_000))
MANY_OF_JSON = b"{" + b",".join(b'"%x":1' % number for number in range(100_000)) + b"}"
WRONG = {
    "two-lengths": (START + b"HOSTContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", 400),
    "length-and-chunks": (
        START + b"HOSTContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "wrong-chunk": (START + b"HOST" + JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "folded-header": (b"GET /api/v1/me HTTP/1.1\r\nHOSTX: a\r\n folded\r\n\r\n", 400),
    "nul": (b"GET /api/v1/\x00me HTTP/1.1\r\nHOST\r\n", 400),
    "two-hosts": (b"GET /api/v1/me HTTP/1.1\r\nHOSTHost: evil.example\r\n\r\n", 400),
    "no-host": (b"GET /api/v1/me HTTP/1.1\r\n\r\n", 400),
    "old-without-host": (b"GET /api/v1/me HTTP/1.0\r\n\r\n", 421),
    "long-header": (
        b"GET /api/v1/me HTTP/1.1\r\nHOSTAuthorization: Bearer " + b"canary" * 2_000,
        400,
    ),
    "long-query": (b"GET /api/v1/me?" + b"a=canary&" * 2_000 + b" HTTP/1.1\r\nHOST\r\n", 400),
    "many-short-fields": (
        b"GET /api/v1/runs?" + MANY[:7_500] + b" HTTP/1.1\r\nHOSTTOKEN\r\n",
        400,
    ),
    "many-fields-of-a-body": (
        START + b"HOST" + JSON + b"Content-Length: %d\r\n\r\n" % len(MANY_OF_JSON) + MANY_OF_JSON,
        400,
    ),
    "many-fields-of-a-form": (
        b"POST /ask/none HTTP/1.1\r\nHOSTContent-Type: application/x-www-form-urlencoded\r\n"
        + b"Content-Length: 65000\r\n\r\n"
        + MANY[:65_000],
        400,
    ),
    "deep": (
        START
        + b"HOST"
        + JSON
        + b"Content-Length: 20000\r\nConnection: close\r\n\r\n"
        + b"[" * 20_000,
        400,
    ),
    "compressed": (
        START
        + b"HOST"
        + JSON
        + b"Content-Encoding: gzip\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        415,
    ),
    "too-large": (START + b"HOST" + JSON + b"Content-Length: 1048577\r\n\r\n", 413),
    "too-large-in-chunks": (
        START
        + b"HOST"
        + JSON
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + (b"80000\r\n" + b" " * 0x80000 + b"\r\n") * 3,
        413,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_request_that_is_wrong_is_refused(
    served: Served, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Nothing of the request is in the server's own output."""
    request, status = WRONG[name]
    with caplog.at_level(logging.DEBUG):
        said = send(served, request)
    assert said.startswith((b"HTTP/1.1 %d " % status, b"HTTP/1.0 %d " % status)), said[:200]
    assert "canary" not in caplog.text
    assert "Traceback" not in caplog.text


def test_what_arrives_too_slowly_is_broken_off(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers and bodies alike; a connection on which a request has arrived is kept."""
    monkeypatch.setattr(connections.Connections.__init__, "__defaults__", (0.3,))
    monkeypatch.setattr(forms, "BODY_S", 0.3)
    with serving(tmp_path) as served:
        assert send(served, b"GET /api/v1/me HTTP/1.1\r\nHo") == b""
        with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
            request = f"GET /api/v1/me HTTP/1.1\r\nHost: {served.host}\r\n\r\n".encode()
            for _ in range(2):
                connection.sendall(request)
                assert b" 401 " in connection.recv(65_536)
                send(served, b"x")  # which takes longer than the headers of another one may
        body = START + b"HOST" + JSON + b"Content-Length: 10\r\n\r\n{"
        with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
            connection.sendall(body.replace(b"HOST", f"Host: {served.host}\r\n".encode()))
            assert b" 408 " in connection.recv(65_536)
