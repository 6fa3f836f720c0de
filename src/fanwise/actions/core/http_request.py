"""What `core.http` sends: its input as a request, and a request as a redirect changes it.

Nothing here connects to anything.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from multidict import CIMultiDict
from yarl import URL

from fanwise.errors import ActionError
from fanwise.values import encode

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2
_LINE_BREAK = re.compile("[\r\n\0]")
_CREDENTIALS = ("Authorization", "Cookie", "Proxy-Authorization")
_OF_BODY = ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding")

Statuses = Sequence[range]


class Request(NamedTuple):
    """A request that is ready to be sent. `url` has no user and password."""

    method: str
    url: URL
    headers: CIMultiDict[str]
    body: bytes | None


def make_request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, Any] | None,
    query: Mapping[str, Any] | None,
    json: Any,
    body: str | None,
) -> Request:
    """The request that the input describes. Raises `ActionError` for what can't be sent."""
    if not _TOKEN.fullmatch(method):
        raise _bad_request("the method isn't an HTTP method")
    if json is not None and body is not None:
        raise _bad_request("json and body are both given; a request has one body")
    sent = _checked_headers(headers) if headers else CIMultiDict[str]()
    target = _parsed(url, "the URL")
    if query:
        target = target.with_query([*target.query.items(), *_pairs("query", query)])
    content = None
    if json is not None:
        content = encode(json)
        sent.setdefault("Content-Type", "application/json")
    elif body is not None:
        content = body.encode()
        sent.setdefault("Content-Type", "text/plain; charset=utf-8")
    return Request(method.upper(), _take_credentials(target, sent), sent, content)


def _checked_headers(headers: Mapping[str, Any]) -> CIMultiDict[str]:
    sent = CIMultiDict(_pairs("headers", headers))
    for name, value in sent.items():
        if not _TOKEN.fullmatch(name):
            raise _bad_request("a header's name has a character that HTTP doesn't allow")
        if _LINE_BREAK.search(value):
            raise _bad_request(f"header {name} holds a line break")
    return sent


def redirected(request: Request, status: int, location: str) -> Request:
    """The request that follows a redirect. Raises `ActionError` for a bad location."""
    method, url, headers, body = request
    target = _parsed(location, "the location that the server redirects to", base=url)
    headers = headers.copy()
    if target.origin() != url.origin():
        for name in (*_CREDENTIALS, "Host"):
            headers.popall(name, None)
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", None
        for name in _OF_BODY:
            headers.popall(name, None)
    return Request(method, _take_credentials(target, headers), headers, body)


def parse_expect(expect: object) -> Statuses:
    """The statuses that `expect` accepts: from 200, "2xx", "200-204" or a list of these."""
    if expect is None:
        return (range(100, 400),)
    parts = expect if isinstance(expect, list) else (expect,)
    return [_statuses(str(part)) for part in parts]


@lru_cache(maxsize=100)  # All items of a task expect the same.
def _statuses(text: str) -> range:
    if re.fullmatch("[1-5]xx", text):
        return range(int(text[0]) * 100, int(text[0]) * 100 + 100)
    if re.fullmatch("[1-5][0-9]{2}(-[1-5][0-9]{2})?", text):
        first, _, last = text.partition("-")
        return range(int(first), int(last or first) + 1)
    raise _bad_request('expect takes statuses such as 200, "2xx" and "200-204", or a list of these')


def _pairs(field: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values as text; a list gives its name several times, null never."""
    for name, value in values.items():
        for part in value if isinstance(value, list) else (value,):
            if isinstance(part, bool):
                yield name, "true" if part else "false"
            elif isinstance(part, str | int | float):
                yield name, str(part)
            elif part is not None:
                raise _bad_request(f"the values in {field} must be text, numbers or booleans")


def _parsed(text: str, what: str, *, base: URL | None = None) -> URL:
    try:
        url = URL(text) if base is None else base.join(URL(text))
        if url.scheme in ("http", "https") and url.raw_host:
            return url
    except ValueError:
        pass
    raise ActionError(
        f"core.http: {what} isn't an http or https URL with a host.", type="BadUrl", retry=False
    )


def _take_credentials(url: URL, headers: CIMultiDict[str]) -> URL:
    """The URL without user and password, which go to `headers` as basic authentication."""
    if url.raw_user is None and url.raw_password is None:
        return url
    if "Authorization" not in headers:
        pair = f"{url.user or ''}:{url.password or ''}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return url.with_user(None)


def _bad_request(what: str) -> ActionError:
    return ActionError(f"core.http: {what}.", type="BadRequest", retry=False)
