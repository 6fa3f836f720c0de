"""core.http against real servers on the loopback interface."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from fanwise.actions.core.http import send_request
from fanwise.actions.resources import close_resources
from fanwise.errors import ActionError
from fanwise.model import Limits
from fanwise.values import freeze


async def echo(request: web.Request) -> web.Response:
    """Tell what arrived."""
    return web.json_response(
        {
            "method": request.method,
            "query": [[name, value] for name, value in request.query.items()],
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": await request.text(),
        }
    )


async def answer(request: web.Request) -> web.Response:
    """Give what the query asks for."""
    query = request.query
    return web.Response(
        status=int(query.get("status", 200)),
        body=bytes.fromhex(query.get("body", "")),
        headers={"Content-Type": query.get("type", "text/plain"), "Set-Cookie": "a=b"},
    )


async def redirect(request: web.Request) -> web.Response:
    return web.Response(
        status=int(request.query.get("status", 302)), headers={"Location": request.query["to"]}
    )


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x" * 10_000)


async def large(request: web.Request) -> web.Response:
    """A megabyte of text, compressed if asked for."""
    text = ("é" * 500_000).encode()
    answer = web.Response(body=text, headers={"Content-Type": request.query["type"]})
    if "zipped" in request.query:
        answer.enable_compression(web.ContentCoding(request.query["zipped"]))
    return answer


async def silent(request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


def application() -> web.Application:
    app = web.Application()
    for path, handler in (
        ("/echo", echo),
        ("/answer", answer),
        ("/redirect", redirect),
        ("/endless", endless),
        ("/large", large),
        ("/silent", silent),
    ):
        app.router.add_route("*", path, handler)
    return app


def with_server(use: Callable[[TestServer], Awaitable[Any]]) -> Any:
    """Run `use` beside a server, and close everything."""

    async def main() -> Any:
        async with TestServer(application()) as server:
            try:
                return await use(server)
            finally:
                await close_resources()

    return asyncio.run(main())


def request(path: str, limits: Limits | None = None, **given: Any) -> dict[str, Any]:
    """What core.http gives for a path of the server."""

    async def use(server: TestServer) -> dict[str, Any]:
        url = str(server.make_url(path))
        return await send_request(url, limits=limits, **freeze(given))

    result: dict[str, Any] = with_server(use)
    return result


def failure(path: str, **given: Any) -> ActionError:
    with pytest.raises(ActionError) as caught:
        request(path, **given)
    assert "\n" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    return caught.value


class TestRequest:
    def test_everything_arrives(self) -> None:
        """Method, query, headers and body are sent as given."""
        sent = request(
            "/echo?a=0",
            method="put",
            query={"a": 1, "b": ["x y", True], "c": None},
            headers={"X-Number": 5, "X-None": None},
            body="é",
        )["json"]
        assert sent["method"] == "PUT"
        assert sent["query"] == [["a", "0"], ["a", "1"], ["b", "x y"], ["b", "true"]]
        assert sent["headers"]["x-number"] == "5"
        assert "x-none" not in sent["headers"]
        assert sent["body"] == "é"

    def test_json_is_sent_with_its_type(self) -> None:
        """The json field is encoded, and the content type says so."""
        sent = request("/echo", method="POST", json={"a": [1]})["json"]
        assert sent["body"] == '{"a":[1]}'
        assert sent["headers"]["content-type"] == "application/json"

    def test_a_user_in_the_url_is_sent_and_not_told(self) -> None:
        """User and password become basic authentication, and the result's URL has neither."""

        async def use(server: TestServer) -> dict[str, Any]:
            url = server.make_url("/echo").with_user("me").with_password("p w")
            return await send_request(str(url))

        result = with_server(use)
        expected = "Basic " + base64.b64encode(b"me:p w").decode()
        assert result["json"]["headers"]["authorization"] == expected
        assert "me" not in result["url"]

    @pytest.mark.parametrize(
        "given",
        [
            {"headers": {"X-A": "a\r\nX-B: b"}},
            {"headers": {"X-A": "a\nb"}},
            {"headers": {"X A": "a"}},
            {"headers": {"X-A": {"no": "map"}}},
            {"method": "GET /"},
            {"expect": "abc"},
            {"expect": ["200", "2x"]},
            {"query": {"a": {"b": 1}}},
        ],
    )
    def test_what_cannot_be_sent_is_refused(self, given: dict[str, Any]) -> None:
        """Input that makes no request is an error of its own, which no retry helps."""
        error = failure("/echo", **given)
        assert error.type == "BadRequest"
        assert not error.retryable

    @pytest.mark.parametrize(
        "url", ["", "secret", "ftp://secret/", "http://", "http:///x", "http://[secret", "//secret"]
    )
    def test_what_is_no_url_is_refused(self, url: str) -> None:
        """Only http and https URLs with a host are sent, and the message doesn't repeat others."""
        with pytest.raises(ActionError) as caught:
            asyncio.run(send_request(url))
        assert caught.value.type == "BadUrl"
        assert not caught.value.retryable
        assert "secret" not in str(caught.value)


class TestAnswer:
    def test_its_parts(self) -> None:
        """Status, headers in lower case, text, time and URL."""
        result = request("/answer?body=c3a9&type=text/plain")
        assert (result["status"], result["body"], result["json"]) == (200, "é", None)
        assert result["headers"]["set-cookie"] == "a=b"
        assert result["seconds"] > 0
        assert result["url"].endswith("/answer?body=c3a9&type=text/plain")

    @pytest.mark.parametrize(
        "kind", ["application/json", "application/problem%2Bjson", "Application/JSON;charset=utf-8"]
    )
    def test_json_is_parsed(self, kind: str) -> None:
        """A JSON content type gives the value instead of the text."""
        result = request(f"/answer?body=5b315d&type={kind}")
        assert (result["json"], result["body"]) == ([1], None)

    def test_the_url_is_told_as_it_was_given(self) -> None:
        """A workflow can compare it with its input, unless a redirect led elsewhere."""

        async def use(server: TestServer) -> None:
            origin = str(server.make_url("/")).removesuffix("/")
            for url in (f"{origin}/echo?a=%7e&b=c%2Fd", f"{origin}/echo#part"):
                assert (await send_request(url))["url"] == url
            moved = await send_request(f"{origin}/redirect?to=/echo?x=1")
            assert moved["url"] == f"{origin}/echo?x=1"

        with_server(use)

    def test_what_only_says_that_it_is_json_stays_text(self) -> None:
        """A body that isn't the JSON that it should be can still be looked at."""
        result = request("/answer?body=5b&type=application/json")
        assert (result["json"], result["body"]) == (None, "[")

    @pytest.mark.parametrize(
        ("kind", "body", "given", "text"),
        [
            ("text/plain", "c3a9", {}, "é"),
            ("text/plain;charset=latin-1", "e961", {}, "éa"),
            ("text/plain;charset=klingon", "c3a9", {}, "é"),
            ("text/plain", "e961", {"encoding": "latin-1"}, "éa"),
            ("text/plain;charset=utf-8", "e961", {"encoding": "Windows-1252"}, "éa"),
            ("text/plain", "efbbbf61", {}, "a"),
            ("text/html", "610062", {}, "a\ufffdb"),
            ("application/octet-stream", "61", {}, "a"),
        ],
    )
    def test_text_is_read_in_its_encoding(
        self, kind: str, body: str, given: dict[str, Any], text: str
    ) -> None:
        """The given one, else the charset of the answer, else UTF-8, with or without its mark."""
        result = request(f"/answer?body={body}&type={kind}", **given)
        assert result["body"] == text
        freeze(result)

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("image/png", "89504e470d0a1a0a"),
            ("application/octet-stream", "610062"),
            ("text/plain", "e961"),
            ("text/plain;charset=shift_jis", "fdfd"),
        ],
    )
    def test_a_body_that_is_no_text_is_an_error(self, kind: str, body: str) -> None:
        """Nothing is lost in silence; the message says what to do, and no retry helps."""
        error = failure(f"/answer?body={body}&type={kind}")
        assert error.type == "NotText"
        assert not error.retryable
        assert "save_to" in str(error)

    @pytest.mark.parametrize("charset", ["punycode", "idna", "undefined", "unicode_escape", "hex"])
    def test_an_answer_chooses_no_codec_that_is_no_charset(self, charset: str) -> None:
        """It is read as UTF-8, in no time however long it is."""
        body = request(f"/large?type=text/plain;charset={charset}")["body"]
        assert body == "é" * 500_000

    def test_json_may_begin_with_a_byte_order_mark(self) -> None:
        """Some servers of Windows send one."""
        assert request("/answer?body=efbbbf5b315d&type=application/json")["json"] == [1]

    @pytest.mark.parametrize(
        ("status", "expect"),
        [
            (204, None),
            (399, None),
            (404, 404),
            (404, "4xx"),
            (503, ["2xx", 503]),
            (418, "410-420"),
            (200, "200"),
        ],
    )
    def test_expected_statuses(self, status: int, expect: Any) -> None:
        """The statuses that `expect` names are no errors; without it those below 400 aren't."""
        assert request(f"/answer?status={status}", expect=expect)["status"] == status

    @pytest.mark.parametrize(("status", "expect"), [(400, None), (200, 404), (301, "2xx")])
    def test_other_statuses(self, status: int, expect: Any) -> None:
        """Any other status is an error with the status and the body's beginning."""
        error = failure(f"/answer?status={status}&body={'61' * 600}", expect=expect)
        assert error.type == "UnexpectedStatus"
        assert error.data == {"status": status, "body": "a" * 500}
        assert error.retryable

    def test_a_body_up_to_the_bound_is_read(self) -> None:
        """max_bytes itself is allowed, one byte more is not."""
        assert request("/answer?body=61616161", max_bytes=4)["body"] == "aaaa"
        error = failure("/answer?body=6161616161", max_bytes=4)
        assert (error.type, error.data) == ("BodyTooLarge", {"max_bytes": 4})
        assert "limits.result_bytes" in str(error)

    def test_a_body_that_never_ends_is_given_up(self) -> None:
        """An endless body is read no further than the bound."""
        assert failure("/endless", max_bytes=100_000).type == "BodyTooLarge"

    def test_the_bound_is_that_of_results(self) -> None:
        """Without max_bytes, a body may be as large as the run lets a result be."""
        limits = Limits(result_bytes=100_000)
        assert failure("/endless", limits=limits).data == {"max_bytes": 100_000}


class TestSessions:
    def test_no_cookies_are_kept(self) -> None:
        """What one call is sent, the next one doesn't send."""

        async def use(server: TestServer) -> dict[str, Any]:
            await send_request(str(server.make_url("/answer")))
            return await send_request(str(server.make_url("/echo")))

        assert "cookie" not in with_server(use)["json"]["headers"]

    def test_connections_are_pooled(self) -> None:
        """Calls in a row use one connection."""
        ports = set()

        async def main() -> None:
            async def handler(request: web.Request) -> web.Response:
                assert request.transport is not None
                ports.add(request.transport.get_extra_info("peername"))
                return web.Response()

            app = web.Application()
            app.router.add_get("/", handler)
            async with TestServer(app) as server:
                for _ in range(5):
                    await send_request(str(server.make_url("/")))
                await close_resources()

        asyncio.run(main())
        assert len(ports) == 1

    def test_as_many_run_at_once_as_are_called(self) -> None:
        """Nothing queues behind a pool's bound: 300 requests meet in the server."""
        count = 300

        async def main() -> None:
            met = asyncio.Barrier(count)

            async def handler(request: web.Request) -> web.Response:
                await met.wait()
                return web.Response()

            app = web.Application()
            app.router.add_get("/", handler)
            async with TestServer(app) as server:
                url = str(server.make_url("/"))
                await asyncio.gather(*(send_request(url) for _ in range(count)))
                await close_resources()

        asyncio.run(main())


CREDENTIALS = {"Authorization": "Bearer s", "Cookie": "a=b", "proxy-authorization": "c", "X-Y": "d"}


class TestRedirects:
    def test_they_are_followed(self) -> None:
        """The answer is that of the last URL; relative locations count from the one before."""
        result = request("/redirect?to=/redirect%3Fto=echo%253Fx=1")
        assert result["json"]["query"] == [["x", "1"]]
        assert result["url"].endswith("/echo?x=1")

    @pytest.mark.parametrize(
        ("status", "method", "after"),
        [
            (301, "POST", "GET"),
            (302, "POST", "GET"),
            (302, "PUT", "PUT"),
            (303, "PUT", "GET"),
            (307, "POST", "POST"),
            (308, "POST", "POST"),
        ],
    )
    def test_the_method_after_a_redirect(self, status: int, method: str, after: str) -> None:
        """301 and 302 turn POST into GET, 303 everything; 307 and 308 repeat the body."""
        path = f"/redirect?to=/echo&status={status}"
        sent = request(path, method=method, body="text")["json"]
        assert sent["method"] == after
        assert sent["body"] == ("" if after == "GET" else "text")
        assert ("content-type" in sent["headers"]) == (after != "GET")

    def test_credentials_stay_within_the_origin(self) -> None:
        """A redirect within one scheme, host and port keeps all headers."""
        sent = request("/redirect?to=/echo", headers=CREDENTIALS)["json"]["headers"]
        assert all(sent[name.lower()] == value for name, value in CREDENTIALS.items())

    @pytest.mark.parametrize("user", ["", "me:pw@"])
    def test_credentials_are_left_behind_at_another_origin(self, user: str) -> None:
        """Another port is another origin: Authorization, Cookie and the URL's user don't go there.

        Not even if it redirects back.
        """

        async def use(server: TestServer) -> list[dict[str, Any]]:
            async with TestServer(application()) as other:
                there = str(other.make_url("/echo"))
                back = str(other.make_url("/redirect").with_query(to=str(server.make_url("/echo"))))
                start = str(server.make_url("/redirect")).replace("http://", f"http://{user}")
                headers = {**CREDENTIALS, "Host": "inner"}
                if user:
                    del headers["Authorization"]
                return [
                    (await send_request(start, query={"to": to}, headers=headers))["json"]
                    for to in (there, back)
                ]

        for sent in with_server(use):
            assert sent["headers"]["x-y"] == "d"
            assert sent["headers"]["host"] != "inner"
            assert not {"authorization", "cookie", "proxy-authorization"} & set(sent["headers"])

    def test_they_end(self) -> None:
        """More than max_redirects are an error; 0 gives the redirect itself."""
        path = "/redirect?to=/redirect%3Fto=/echo"
        assert request(path, max_redirects=2)["status"] == 200
        assert failure(path, max_redirects=1).type == "TooManyRedirects"
        assert request(path, max_redirects=0)["status"] == 302

    @pytest.mark.parametrize("to", ["file:///etc/passwd", "http://[", "mailto:a@b"])
    def test_only_http_is_followed(self, to: str) -> None:
        """A location that isn't http or https is an error."""
        assert failure(f"/redirect?to={to}").type == "BadUrl"


class TestFailures:
    def test_nobody_listens(self) -> None:
        """A refused connection is told as one, without the address."""
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            error = failure_of(f"http://127.0.0.1:{bound.getsockname()[1]}/")
        assert error.type == "ConnectionFailed"
        assert error.retryable
        assert str(error) == "core.http: connection refused."

    def test_time_runs_out(self) -> None:
        """A server that doesn't answer in time is a Timeout, which timed_out() tests for."""
        error = failure("/silent", timeout=0.05)
        assert error.type == "Timeout"
        assert "0.05 seconds" in str(error)

    def test_a_server_without_tls(self) -> None:
        """Https to a server that speaks http is a failure of TLS."""

        async def use(server: TestServer) -> None:
            await send_request(str(server.make_url("/echo").with_scheme("https")))

        with pytest.raises(ActionError) as caught:
            with_server(use)
        assert caught.value.type == "TlsFailed"

    @pytest.mark.parametrize(
        "reply",
        [b"", b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"],
        ids=["nothing", "nonsense", "half"],
    )
    def test_an_answer_that_breaks_off(self, reply: bytes) -> None:
        """A connection that is closed too early, or that isn't HTTP, has failed."""
        with pytest.raises(ActionError) as caught:
            replied(reply)
        assert caught.value.type == "ConnectionFailed"

    @pytest.mark.parametrize(
        ("lines", "headers"),
        [
            (b"X-A: 1\r\nY: 2\r\nx-a: 3\r\n", {"x-a": "1, 3", "y": "2"}),
            (b"X: caf\xc3\xa9 \xff\r\n", {"x": "café \ufffd"}),
            (b"X: \xff\r\nY: 1\r\nX: \xc3\xa9\r\n", {"x": "\ufffd, é", "y": "1"}),
        ],
        ids=["twice", "not text", "both"],
    )
    def test_headers_are_one_text_for_a_name(self, lines: bytes, headers: dict[str, str]) -> None:
        """Values of one name are joined as HTTP joins them, and bytes become text."""
        result = replied(b"HTTP/1.1 204 No\r\n" + lines + b"\r\n")
        assert result["headers"] == headers
        freeze(result)

    def test_a_host_that_cannot_exist(self) -> None:
        """A name that no host can have is an error of the URL or of the connection."""
        assert failure_of(f"http://{'a' * 70}.invalid/").type in ("BadUrl", "ConnectionFailed")


def replied(reply: bytes) -> dict[str, Any]:
    """The result of a request to a server that replies with these bytes, whatever they are."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        writer.close()

    async def main() -> dict[str, Any]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            try:
                return await send_request(f"http://127.0.0.1:{port}", method="POST")
            finally:
                await close_resources()

    return asyncio.run(main())


def failure_of(url: str) -> ActionError:
    async def main() -> None:
        try:
            await send_request(url)
        finally:
            await close_resources()

    with pytest.raises(ActionError) as caught:
        asyncio.run(main())
    return caught.value


@pytest.mark.parametrize("port", ["99999", "x", "-1"])
def test_a_port_that_cannot_be_is_the_fault(port: str) -> None:
    """The host is right, so it isn't blamed."""
    error = failure_of(f"http://ada:k@127.0.0.1:{port}/")
    assert (error.type, error.retryable) == ("BadUrl", False)
    assert str(error) == "core.http: the URL has a port that isn't a number from 0 to 65535."
