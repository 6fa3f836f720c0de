"""`core.http` on the wire: sending a request, following redirects, reading the answer.

Redirects are followed here and not by aiohttp, some of whose versions take cookies along to other
origins. Bodies are read piece by piece, so that one that is too large is never held. Messages name
no host, header or URL: values can be secrets.
"""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from time import perf_counter
from typing import Any

import aiohttp
import msgspec

from fanwise.actions.core.http_request import Request, Statuses, redirected
from fanwise.actions.core.text import decoded
from fanwise.actions.core.tls import tls_reason
from fanwise.actions.resources import resource
from fanwise.errors import ActionError

_EXCERPT_CHARACTERS = 500
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


async def exchange(
    request: Request,
    *,
    expected: Statuses,
    timeout_s: float,
    max_redirects: int,
    verify_tls: bool,
    max_bytes: int,
) -> dict[str, Any]:
    """Send the request and give what `core.http` results in. Raises `ActionError`."""
    started = perf_counter()
    left_s = timeout_s
    redirects = 0
    try:
        async with resource(_open_session, _close_session) as session:
            while True:
                if left_s <= 0:  # which aiohttp takes for no bound at all
                    raise TimeoutError
                async with session.request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    data=request.body,
                    allow_redirects=False,
                    ssl=verify_tls,
                    timeout=_timeout(left_s),
                ) as response:
                    location = response.headers.get("Location")
                    if not (max_redirects and location and response.status in _REDIRECTS):
                        body = await _read(response, max_bytes)
                        break
                    status = response.status
                request = redirected(request, status, location)
                redirects += 1
                if redirects > max_redirects:
                    raise _failure("TooManyRedirects", f"more than {max_redirects} redirects")
                left_s = timeout_s - (perf_counter() - started)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise _explain(error, timeout_s) from None
    _judge(response, body, expected)
    return _result(response, body, str(request.url), perf_counter() - started)


def _open_session() -> aiohttp.ClientSession:
    # The engine bounds how many requests run at once; a second bound would make them queue here.
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "fanwise"},
    )


async def _close_session(session: aiohttp.ClientSession) -> None:
    await session.close()


@lru_cache(maxsize=100)  # All items of a task have the same.
def _timeout(total_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total_s)


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    pieces = []
    size = 0
    while piece := await response.content.readany():
        size += len(piece)
        if size > max_bytes:
            raise ActionError(
                f"core.http: the body has more than {max_bytes} bytes. Ask for less, or raise "
                "max_bytes and limits.result_bytes.",
                type="BodyTooLarge",
                data={"max_bytes": max_bytes},
                retry=False,
            )
        pieces.append(piece)
    return b"".join(pieces)


def _judge(response: aiohttp.ClientResponse, body: bytes, expected: Statuses) -> None:
    """Raise `ActionError` unless the status is one of those expected."""
    status = response.status
    for statuses in expected:  # A generator for any() would cost as much as all of the rest.
        if status in statuses:
            return
    excerpt = _text(response, body[: 4 * _EXCERPT_CHARACTERS])[:_EXCERPT_CHARACTERS]
    raise ActionError(
        f"core.http: the server answered with status {status}.",
        type="UnexpectedStatus",
        data={"status": status, "body": excerpt},
    )


def _result(
    response: aiohttp.ClientResponse, body: bytes, url: str, seconds: float
) -> dict[str, Any]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        name = name.lower()
        if not value.isascii():  # aiohttp decodes bytes that aren't UTF-8 to lone surrogates
            value = decoded(value.encode("utf-8", "surrogateescape"))
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    parsed = _json(body) if _is_json(response.content_type) else None
    return {
        "status": response.status,
        "headers": headers,
        "body": _text(response, body) if parsed is None else None,
        "json": parsed,
        "seconds": seconds,
        "url": url,
    }


def _is_json(content_type: str) -> bool:
    return content_type == "application/json" or content_type.endswith("+json")


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


def _text(response: aiohttp.ClientResponse, body: bytes) -> str:
    return decoded(body, response.charset or "utf-8")


def _explain(error: Exception, timeout_s: float) -> ActionError:
    match error:
        case TimeoutError():
            return _failure("Timeout", f"it took longer than {timeout_s:g} seconds")
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return _failure("TlsFailed", tls_reason(getattr(error, "certificate_error", None)))
        case aiohttp.ClientConnectorDNSError():
            return _failure("ConnectionFailed", "the host's name can't be resolved")
        case OSError(errno=int(number)):
            return _failure("ConnectionFailed", os.strerror(number).lower())
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError():
            return _failure("ConnectionFailed", "the server closed the connection too early")
        case aiohttp.ClientResponseError():
            return _failure("ConnectionFailed", "the answer isn't HTTP")
        case ValueError():
            return _failure("BadUrl", "the URL's host can't be looked up", retry=False)
        case _:
            return _failure("ConnectionFailed", "the connection failed")


def _failure(type: str, what: str, *, retry: bool = True) -> ActionError:
    return ActionError(f"core.http: {what}.", type=type, retry=retry)
