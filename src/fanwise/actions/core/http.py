"""`core.http`: one HTTP request. The exchange itself is in `http_exchange`, which loads aiohttp."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from fanwise.actions.core._shared import MAX_BYTES, require_bound, require_time, result_bytes
from fanwise.actions.decorator import DURATION, PATH, Written, action
from fanwise.model import Limits

if TYPE_CHECKING:
    from fanwise.actions.core.http_request import Request, Statuses

_NAME = "core.http"
_TIME = Written(partial(require_time, _NAME))


# The exchange's modules are slow to import, so they are loaded where they are needed.


class _Wire(NamedTuple):
    make_request: Callable[..., Request]
    parse_expect: Callable[[object], Statuses]
    exchange: Callable[..., Awaitable[dict[str, object]]]


@cache
def _wire() -> _Wire:
    from fanwise.actions.core.http_exchange import exchange
    from fanwise.actions.core.http_request import make_request, parse_expect

    return _Wire(make_request, parse_expect, exchange)


def _require_url(url: str) -> None:
    from fanwise.actions.core.http_request import checked_url

    checked_url(url)


def _require_method(method: str) -> None:
    from fanwise.actions.core.http_request import checked_method

    checked_method(method)


def _require_headers(headers: Mapping[str, object]) -> None:
    from fanwise.actions.core.http_request import checked_headers

    checked_headers(headers)


def _require_expect(expect: object) -> None:
    from fanwise.actions.core.http_request import parse_expect

    parse_expect(expect)


@action(_NAME, at_most_one_of=("json", "body", ("form", "files"), "body_file"))
async def send_request(
    url: Annotated[str, Written(_require_url)],
    method: Annotated[str, Written(_require_method)] = "GET",
    headers: Annotated[dict[str, Any] | None, Written(_require_headers)] = None,
    query: dict[str, Any] | None = None,
    json: Any = None,
    body: str | None = None,
    form: dict[str, Any] | None = None,
    files: Annotated[dict[str, Any] | None, PATH] = None,
    body_file: Annotated[str | None, PATH] = None,
    save_to: Annotated[str | None, PATH] = None,
    encoding: str | None = None,
    timeout: Annotated[float, DURATION, _TIME] = 30.0,  # noqa: ASYNC109 - the name that workflows use
    expect: Annotated[int | str | list[Any] | None, Written(_require_expect)] = None,
    max_redirects: Annotated[int, Written(partial(require_bound, "max_redirects"))] = 10,
    verify_tls: bool = True,
    max_bytes: Annotated[int | None, MAX_BYTES] = None,
    limits: Limits | None = None,
) -> dict[str, Any]:
    """Send an HTTP request and read the answer.

    Connections are pooled. No cookies are kept. On a redirect to another scheme, host or port the
    headers Authorization, Cookie and Proxy-Authorization and the URL's user and password are left
    behind.

    Input:
      url            http or https; a user and password in it are sent as basic authentication
      method         default GET
      headers        a map; numbers and booleans become text, null leaves one out
      query          a map that is added to the URL's query; lists give a name several times
      json           any value but null, sent as the body
      body           text, sent as the body
      form           a map of fields, sent as a form is; lists give a field several times
      files          a map of fields to paths, or to lists of them, uploaded together with `form`
                     (multipart/form-data)
      body_file      the path of a file whose content is sent as the body
      save_to        a path; the answer's body goes there, whole or not at all, and isn't read as
                     text. Missing folders are made
      encoding       of the answer's text; default the charset that the server names, else UTF-8
      timeout        a duration for everything from connecting to the body's last byte; default 30s
      expect         the statuses that count as success: 200, "2xx", "200-204", or a list of these;
                     default all below 400
      max_redirects  default 10; 0 gives a redirect as the answer
      verify_tls     whether the server's certificate is checked; default true
      max_bytes      larger bodies are refused; default limits.result_bytes, and with save_to none
    Result: {status, headers, body, json, seconds, url}; with save_to also {path, bytes, sha256}
      headers        a map with names in lower case
      body           the text; null if `json` holds it, or the file
      json           the parsed body if its content type says JSON and it is, else null
      seconds        how long it took
      url            the URL that answered, after redirects, without a user and password
      path           save_to, as an absolute path
      sha256         the digest of the saved body, in hexadecimal digits
    Errors:
      InputError            more than one body
      BadUrl, BadRequest    the input can't be sent; never retried
      ConnectionFailed      no connection, or it broke, or the answer isn't HTTP
      TlsFailed             TLS failed, or the certificate is refused
      Timeout               it took longer than `timeout`
      TooManyRedirects      more than `max_redirects`
      BadRedirect           a redirect without a location
      UnexpectedStatus      data: {status, body}, the body's first 500 characters, and
                            {retry_after_s} if the server says; a retry waits at least so long
      BodyTooLarge          data: {max_bytes}; never retried
      BadBody               the body isn't compressed as it says
      NotText               the body isn't text in its encoding: save it; never retried
      NotFound, PermissionDenied, IsDirectory, FileError    of a file that is sent or saved
    """
    require_bound("max_redirects", max_redirects)
    require_time(_NAME, timeout)
    make_request, parse_expect, exchange = _wire()
    request = make_request(
        method,
        url,
        headers=headers,
        query=query,
        json=json,
        body=body,
        form=form,
        files=files,
        body_file=body_file,
    )
    return await exchange(
        request,
        expected=parse_expect(expect),
        timeout_s=timeout,
        max_redirects=max_redirects,
        verify_tls=verify_tls,
        max_bytes=result_bytes(max_bytes, limits),
        encoding=encoding,
        save_to=save_to,
        saved_bytes=max_bytes,
    )
