"""`core.http` on the wire: sending a request, following redirects, judging the answer.

Redirects are followed here and not by aiohttp, some of whose versions take cookies along to other
origins. Messages name no host, header or URL: values can be secrets.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import perf_counter
from typing import Any, Final, NamedTuple

import aiohttp

from fanwise.actions.core._shared import decoded, tls_reason
from fanwise.actions.core.http_body import (
    Saved,
    json_of,
    read_body,
    read_head,
    save_body,
    text_like,
    text_of,
)
from fanwise.actions.core.http_request import Request, Statuses, redirected
from fanwise.actions.resources import loop_resource
from fanwise.deadlines import Deadlines
from fanwise.errors import ActionError, Excerpt

_EXCERPT_CHARACTERS: Final = 500
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_LONGEST_HEADER_BYTES: Final = 64 * 2**10


async def exchange(
    request: Request,
    *,
    expected: Statuses,
    timeout_s: float,
    max_redirects: int,
    verify_tls: bool,
    max_bytes: int,
    encoding: str | None,
    save_to: str | None,
    saved_bytes: int | None,
) -> dict[str, Any]:
    """Send the request and return the result of `core.http`. Raises `ActionError`.

    A body that is saved has at most `saved_bytes`, any other one `max_bytes`.
    """
    started = perf_counter()
    redirects = 0
    saved: Saved | None = None
    body = b""
    try:
        client = loop_resource(_open_client, _close_client)
        with client.deadlines.within(timeout_s):
            while True:
                response = await client.session.request(
                    request.method,
                    request.url,
                    headers=request.headers or None,
                    data=None if request.content is None else request.content(),
                    allow_redirects=False,
                    ssl=verify_tls,
                )
                try:
                    status = response.status
                    is_redirect = max_redirects and status in _REDIRECTS
                    location = response.headers.get("Location") if is_redirect else None
                    if not location:
                        if status not in expected:
                            raise await _unexpected(response)
                        if is_redirect:
                            raise _failure("BadRedirect", "the server redirects to no location")
                        if save_to is None:
                            body = await read_body(response, max_bytes)
                        else:
                            saved = await save_body(response, save_to, saved_bytes)
                        break
                finally:
                    if not response.closed:  # as it is once the body has been received
                        response.release()
                request = redirected(request, status, location)
                redirects += 1
                if redirects > max_redirects:
                    raise _failure("TooManyRedirects", f"more than {max_redirects} redirects")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise _explain(error, timeout_s) from None
    result = _result(response, body, encoding)
    if saved is not None:
        result.update(saved._asdict(), body=None)
    result["seconds"] = perf_counter() - started
    result["url"] = request.text or str(request.url)
    return result


class _Client(NamedTuple):
    session: aiohttp.ClientSession
    deadlines: Deadlines


def _open_client() -> _Client:
    # The engine bounds how many requests run at once; a second bound would make them queue here.
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "fanwise", "Accept-Encoding": "gzip, deflate"},
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(),  # none, and so no timers
        max_line_size=_LONGEST_HEADER_BYTES,
        max_field_size=_LONGEST_HEADER_BYTES,
    )
    return _Client(session, Deadlines())


async def _close_client(client: _Client) -> None:
    await client.session.close()


async def _unexpected(response: aiohttp.ClientResponse) -> ActionError:
    head = text_like(response, await read_head(response))
    data = {"status": response.status, "body": Excerpt(head, _EXCERPT_CHARACTERS)}
    after_s = _retry_after(response.headers.get("Retry-After", ""))
    if after_s is not None:
        data["retry_after_s"] = after_s
    return ActionError(
        f"core.http: the server answered with status {response.status}.",
        type="UnexpectedStatus",
        data=data,
        retry_after_s=after_s,
    )


def _retry_after(value: str) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3), or None without one."""
    if value.isascii() and value.isdigit() and len(value) <= 9:
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _result(response: aiohttp.ClientResponse, body: bytes, encoding: str | None) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in response.headers.items()}
    if len(headers) < len(response.headers) or not "".join(headers.values()).isascii():
        headers = _merged(response.headers)
    parsed = json_of(response, body)
    return {
        "status": response.status,
        "headers": headers,
        "body": text_of(response, body, encoding) if parsed is None else None,
        "json": parsed,
    }


def _merged(given: Mapping[str, str]) -> dict[str, str]:
    """Return headers of which some have a name in common, or characters beyond ASCII."""
    headers: dict[str, str] = {}
    for name, value in given.items():
        name = name.lower()
        if not value.isascii():  # aiohttp decodes bytes that aren't UTF-8 to lone surrogates
            value = decoded(value.encode("utf-8", "surrogateescape"))
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


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
        case aiohttp.ClientResponseError() if "bytes when reading" in str(error.message):
            most = f"{_LONGEST_HEADER_BYTES // 2**10} KiB"
            return _failure("ConnectionFailed", f"a header of the answer has more than {most}")
        case aiohttp.ClientResponseError():
            return _failure("ConnectionFailed", "the answer isn't HTTP")
        case ValueError():
            return _failure("BadUrl", "the URL's host can't be looked up", retry=False)
        case _:
            return _failure("ConnectionFailed", "the connection failed")


def _failure(type: str, cause: str, *, retry: bool = True) -> ActionError:
    return ActionError(f"core.http: {cause}.", type=type, retry=retry)
