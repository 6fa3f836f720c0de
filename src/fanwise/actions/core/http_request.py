"""Requests of `core.http`: from its input, and as a redirect changes them.

URLs are sent as they are given, byte for byte: a signature in one would break by any re-encoding.
Only characters that no URL may hold are percent-encoded. Nothing here connects to anything.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Container, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote, urlencode

from multidict import CIMultiDict
from yarl import URL

from fanwise.actions.core.http_content import Content, file_content, form_content
from fanwise.errors import ActionError
from fanwise.values import encode

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2
_LINE_BREAK = re.compile("[\r\n\0]")
_CREDENTIALS = ("Authorization", "Cookie", "Proxy-Authorization")
_OF_BODY = ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding")

_IN_URL = "-._~:/?#[]@!$&'()*+,;=%"  # RFC 3986: what may be in a URL beside letters and digits
_is_url = re.compile(rf"[A-Za-z0-9{re.escape(_IN_URL)}]*").fullmatch
_parts_of_url = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)(.*)", re.DOTALL).fullmatch
_port_of = re.compile(r":([^:@\]]+)$").search
_MOST_PORT = 65_535

Statuses: TypeAlias = Container[int]

_BELOW_400: Final = range(100, 400)


class Request(NamedTuple):
    """A request that is ready to be sent; `url` has no user and password.

    `content` makes the body, once for each sending. `text` is the URL's, if it is known already.
    """

    method: str
    url: URL
    headers: CIMultiDict[str]
    content: Callable[[], Content] | None
    text: str | None = None


def make_request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, object] | None,
    query: Mapping[str, object] | None,
    json: object,
    body: str | None,
    form: Mapping[str, object] | None = None,
    files: Mapping[str, object] | None = None,
    body_file: str | None = None,
) -> Request:
    """Return the request that the input describes. Raises `ActionError` if it can't be sent."""
    method = checked_method(method)
    sent = checked_headers(headers) if headers else CIMultiDict[str]()
    target = checked_url(url)
    if query:
        added = urlencode(list(_pairs("query", query)))
        before = target.raw_query_string
        target = target.with_query(None).with_fragment(None)
        target = URL(f"{target}?{before}{'&' if before else ''}{added}", encoded=True)
    content: Callable[[], Content] | None = None
    if json is not None:
        content = _bytes(encode(json))
        sent.setdefault("Content-Type", "application/json")
    elif body is not None:
        content = _bytes(body.encode())
        sent.setdefault("Content-Type", "text/plain; charset=utf-8")
    elif body_file is not None:
        content = file_content(body_file)
        sent.setdefault("Content-Type", "application/octet-stream")
    elif files is not None:
        content = form_content(list(_pairs("form", form or {})), list(_pairs("files", files)))
    elif form is not None:
        content = _bytes(urlencode(list(_pairs("form", form))).encode())
        sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
    text = None if query or "@" in url or not _is_url(url) else url
    return Request(method, _take_credentials(target, sent), sent, content, text)


def _bytes(content: bytes) -> Callable[[], Content]:
    return lambda: content


@lru_cache(maxsize=100)  # All items of a task have the same.
def checked_method(method: str) -> str:
    """Return an HTTP method in capitals. Raises `ActionError` for a text that can't be one."""
    if not _TOKEN.fullmatch(method):
        raise _bad_request("the method isn't an HTTP method")
    return method.upper()


def checked_headers(headers: Mapping[str, object]) -> CIMultiDict[str]:
    """Return headers as they are sent. Raises `ActionError` for one that can't be."""
    sent = CIMultiDict(_pairs("headers", headers))
    for name, value in sent.items():
        if not _TOKEN.fullmatch(name):
            raise _bad_request("a header's name has a character that HTTP doesn't allow")
        if _LINE_BREAK.search(value):
            raise _bad_request(f"header {name} holds a line break")
    return sent


def redirected(request: Request, status: int, location: str) -> Request:
    """Return the request that follows a redirect. Raises `ActionError` for a bad location."""
    method, url, headers, content, _ = request
    target = checked_url(location, "the location that the server redirects to", base=url)
    headers = headers.copy()
    if target.origin() != url.origin():
        for name in (*_CREDENTIALS, "Host"):
            headers.popall(name, None)
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, content = "GET", None
        for name in _OF_BODY:
            headers.popall(name, None)
    return Request(method, _take_credentials(target, headers), headers, content)


def parse_expect(expect: object) -> Statuses:
    """Return the statuses that `expect` accepts: 200, "2xx", "200-204" or a list of these."""
    if expect is None:
        return _BELOW_400
    if isinstance(expect, list):
        return frozenset(chain.from_iterable([_statuses(str(part)) for part in expect]))
    return _statuses(str(expect))


@lru_cache(maxsize=100)  # All items of a task expect the same.
def _statuses(text: str) -> range:
    if re.fullmatch("[1-5]xx", text):
        return range(int(text[0]) * 100, int(text[0]) * 100 + 100)
    if re.fullmatch("[1-5][0-9]{2}(-[1-5][0-9]{2})?", text):
        first, _, last = text.partition("-")
        return range(int(first), int(last or first) + 1)
    raise _bad_request('expect takes statuses such as 200, "2xx" and "200-204", or a list of these')


def _pairs(field: str, values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield names and values as text; a list gives its name several times, null never."""
    for name, value in values.items():
        for part in value if isinstance(value, list) else (value,):
            if isinstance(part, bool):
                yield name, "true" if part else "false"
            elif isinstance(part, str | int | float):
                yield name, str(part)
            elif part is not None:
                raise _bad_request(f"the values in {field} must be text, numbers or booleans")


def checked_url(text: str, name: str = "the URL", *, base: URL | None = None) -> URL:
    """Return a URL byte for byte as it was given. Raises `ActionError` for none of HTTP.

    One without a host is relative to `base`; an error calls it by `name`.
    """
    try:
        if base is None or "://" in text:
            url = URL(text, encoded=True) if _is_url(text) else _quoted(text)
        elif text.startswith("/") and not text.startswith("//"):
            url = _quoted(f"{base.origin()}{text}")  # which joining would shorten
        else:
            url = base.join(_quoted(text))
        if url.scheme in ("http", "https") and url.raw_host and url.port is not None:
            return url
    except ValueError:
        if not _has_port(text):
            raise _bad_url(f"{name} has a port that isn't a number from 0 to 65535") from None
    raise _bad_url(f"{name} isn't an http or https URL with a host")


def _has_port(text: str) -> bool:
    """Say whether the port of a URL can be one, if it names one."""
    parts = _parts_of_url(text)
    named = _port_of(parts[1]) if parts else None
    return named is None or (named[1].isdigit() and int(named[1][:6]) <= _MOST_PORT)


def _quoted(text: str) -> URL:
    """Return the URL with each character that it may hold as it is. Raises `ValueError`."""
    origin, rest = "", text
    if parts := _parts_of_url(text):
        origin, rest = parts.groups()
        origin = str(URL(origin)).removesuffix("/")  # a name in other letters has an ASCII form
    return URL(origin + quote(rest, safe=_IN_URL), encoded=True)


def _take_credentials(url: URL, headers: CIMultiDict[str]) -> URL:
    """Move user and password of the URL into `headers`, as basic authentication."""
    if url.raw_user is None and url.raw_password is None:
        return url
    if "Authorization" not in headers:
        pair = f"{url.user or ''}:{url.password or ''}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return url.with_user(None)


def _bad_url(cause: str) -> ActionError:
    return ActionError(f"core.http: {cause}.", type="BadUrl", retry=False)


def _bad_request(cause: str) -> ActionError:
    return ActionError(f"core.http: {cause}.", type="BadRequest", retry=False)
