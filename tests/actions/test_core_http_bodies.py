"""Bodies that core.http sends from files, saves to files, and decompresses."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import fanwise
from fanwise.actions.core.http import send_request
from fanwise.actions.resources import close_resources
from fanwise.errors import ActionError
from fanwise.values import freeze

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BINARY = bytes(range(256)) * 4_000


def ask(handler: Handler, path: str = "/", **given: Any) -> dict[str, Any]:
    """Return the result of core.http from a server with this handler."""

    async def main() -> dict[str, Any]:
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{rest:.*}", handler)
        async with TestServer(app) as server:
            try:
                url = f"http://127.0.0.1:{server.port}{path}"
                return await send_request(url, **freeze(given))
            finally:
                await close_resources()

    return asyncio.run(main())


def failure(handler: Handler, path: str = "/", **given: Any) -> ActionError:
    with pytest.raises(ActionError) as caught:
        ask(handler, path, **given)
    assert "\n" not in str(caught.value)
    return caught.value


def answering(body: bytes, **headers: str) -> Handler:
    """A handler that gives this body."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={n.replace("_", "-"): v for n, v in headers.items()})

    return answer


async def tell_target(request: web.Request) -> web.Response:
    return web.Response(text=request.raw_path)


async def tell_form(request: web.Request) -> web.Response:
    fields: list[list[Any]] = []
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            content = value.file.read()
            fields.append([name, value.filename, value.content_type, len(content)])
        else:
            fields.append([name, value])
    return web.json_response({"type": request.content_type, "fields": fields})


async def tell_body(request: web.Request) -> web.Response:
    body = await request.read()
    digest = hashlib.sha256(body).hexdigest()
    return web.json_response({"type": request.content_type, "sha256": digest})


class TestUrls:
    @pytest.mark.parametrize(
        "path",
        [
            "/foo%27bar.txt?Signature=qZ0A%2BPP2g%3D",
            "/x?type=application%2Fgzip",
            "/p%28test%29/a%3Ab%40c%2Ed",
            "/q?a=b+c&d=e%20f&g=h,i;j",
            "/a//b/../c",
            "/x?empty=&flag",
            "/t%7Etilde/%C3%A9?q=%e4%bd%a0",
            "/100%",
        ],
    )
    def test_a_url_is_sent_byte_for_byte(self, path: str) -> None:
        """Also after a redirect: a signature in it would break by any other encoding."""
        assert ask(tell_target, path)["body"] == path

        async def redirect(request: web.Request) -> web.Response:
            if request.raw_path == "/":
                return web.Response(status=302, headers={"Location": path})
            return await tell_target(request)

        assert ask(redirect)["body"] == path

    def test_characters_that_no_url_holds_are_encoded(self) -> None:
        """As a browser does it."""
        assert ask(tell_target, '/ä "x"?q=日<>')["body"] == ("/%C3%A4%20%22x%22?q=%E6%97%A5%3C%3E")

    def test_a_query_is_added_to_that_of_the_url(self) -> None:
        """The one that is there stays as it is."""
        path = ask(tell_target, "/x?sig=a%2Fb%3D#part", query={"q": "a b/c"})["body"]
        assert path == "/x?sig=a%2Fb%3D&q=a+b%2Fc"


class TestForms:
    def test_a_form_is_sent_as_forms_are(self) -> None:
        """Lists give a field several times; text is encoded."""
        result = ask(tell_form, method="POST", form={"name": "Ada & Co", "note": ["ä=1", 2]})
        assert result["json"] == {
            "type": "application/x-www-form-urlencoded",
            "fields": [["name", "Ada & Co"], ["note", "ä=1"], ["note", "2"]],
        }

    def test_files_are_uploaded_with_the_fields(self, tmp_path: Path) -> None:
        """Under their names, with the types that these have."""
        (tmp_path / "logo.png").write_bytes(BINARY)
        (tmp_path / "notes.txt").write_text("x")
        paths = {
            "logo": str(tmp_path / "logo.png"),
            "more": [str(tmp_path / "notes.txt"), str(tmp_path / "logo.png")],
        }
        result = ask(tell_form, method="POST", form={"title": "é"}, files=paths)["json"]
        assert result["type"] == "multipart/form-data"
        assert result["fields"] == [
            ["title", "é"],
            ["logo", "logo.png", "image/png", len(BINARY)],
            ["more", "notes.txt", "text/plain", 1],
            ["more", "logo.png", "image/png", len(BINARY)],
        ]

    def test_names_of_fields_and_files_are_any_text(self, tmp_path: Path) -> None:
        """In UTF-8, as browsers send them; a line break can't end the header that holds one."""
        (tmp_path / "ü.txt").write_text("x")
        form, files = {"é": "v", 'a "b"\n': "w"}, {"日": str(tmp_path / "ü.txt")}
        result = ask(tell_form, method="POST", form=form, files=files)["json"]
        assert result["fields"] == [
            ["é", "v"],
            ['a "b"%0A', "w"],
            ["日", "ü.txt", "text/plain", 1],
        ]

    def test_a_file_is_sent_as_the_body(self, tmp_path: Path) -> None:
        """Also again where a redirect repeats the request."""
        (tmp_path / "data").write_bytes(BINARY)

        async def redirect(request: web.Request) -> web.Response:
            if request.raw_path == "/":
                return web.Response(status=307, headers={"Location": "/there"})
            return await tell_body(request)

        result = ask(redirect, method="PUT", body_file=str(tmp_path / "data"))
        assert result["json"] == {
            "type": "application/octet-stream",
            "sha256": hashlib.sha256(BINARY).hexdigest(),
        }

    def test_a_file_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        """Of its own type, with the path in its data."""
        path = str(tmp_path / "gone")
        for given in ({"body_file": path}, {"files": {"f": path}}):
            error = failure(tell_body, method="POST", **given)
            assert (error.type, error.data) == ("NotFound", {"path": path})


class TestSaving:
    def test_any_bytes_are_saved_whole(self, tmp_path: Path) -> None:
        """The result has path, size and digest, and no body."""
        path = tmp_path / "logo.png"
        result = ask(answering(BINARY, Content_Type="image/png"), save_to=str(path))
        assert path.read_bytes() == BINARY
        assert (result["path"], result["bytes"]) == (str(path), len(BINARY))
        assert result["sha256"] == hashlib.sha256(BINARY).hexdigest()
        assert (result["body"], result["json"]) == (None, None)

    def test_a_body_that_breaks_off_leaves_the_old_file(self, tmp_path: Path) -> None:
        """And nothing beside it."""
        path = tmp_path / "data"
        path.write_text("old")

        async def cut(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b"x" * 100)
            assert request.transport is not None
            request.transport.close()
            return response

        assert failure(cut, save_to=str(path)).type == "ConnectionFailed"
        assert [each.name for each in tmp_path.iterdir()] == ["data"]
        assert path.read_text() == "old"

    def test_the_answer_of_a_failure_is_not_saved(self, tmp_path: Path) -> None:
        """Its beginning is in the error, as always."""

        async def refuse(_: web.Request) -> web.Response:
            return web.Response(status=404, text="no such thing")

        error = failure(refuse, save_to=str(tmp_path / "data"))
        assert error.data == {"status": 404, "body": "no such thing"}
        assert list(tmp_path.iterdir()) == []

    def test_a_bound_can_be_given(self, tmp_path: Path) -> None:
        """Without max_bytes the disk is the bound, and not limits.result_bytes."""
        error = failure(answering(BINARY), save_to=str(tmp_path / "data"), max_bytes=1_000)
        assert error.type == "BodyTooLarge"
        assert list(tmp_path.iterdir()) == []

    def test_missing_folders_are_made(self, tmp_path: Path) -> None:
        """As core.write_file does."""
        path = tmp_path / "new" / "deep" / "x"
        ask(answering(BINARY), save_to=str(path))
        assert path.read_bytes() == BINARY

    def test_a_file_that_cant_be_written_is_an_error(self, tmp_path: Path) -> None:
        """That of the file, and not one of the connection; nothing waits for a pipe's reader."""
        assert failure(answering(b""), save_to=str(tmp_path)).type == "IsDirectory"
        os.mkfifo(tmp_path / "pipe")
        error = failure(answering(b""), save_to=str(tmp_path / "pipe"))
        assert (error.type, "pipe" in error.message) == ("FileError", True)

    def test_a_device_is_written_to_and_not_replaced(self, tmp_path: Path) -> None:
        """Also by one who may replace it."""
        device = tmp_path / "null"
        device.symlink_to("/dev/null")
        ask(answering(BINARY), save_to=str(device))
        assert not Path("/dev/null").is_file()


def raw_deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-15)
    return squeeze.compress(data) + squeeze.flush()


class TestCompression:
    @pytest.mark.parametrize(
        ("name", "body"),
        [
            ("gzip", gzip.compress(b"some text" * 99_999, mtime=0)),
            ("gzip", gzip.compress(b"some text" * 33_333, mtime=0) * 3),
            ("deflate", zlib.compress(b"some text" * 99_999)),
            ("deflate", raw_deflate(b"some text" * 99_999)),
            ("identity", b"some text" * 99_999),
        ],
        ids=["gzip", "members", "deflate", "raw-deflate", "identity"],
    )
    def test_compression_is_undone(self, name: str, body: bytes, tmp_path: Path) -> None:
        """In the body as in a file."""
        handler = answering(body, Content_Encoding=name, Content_Type="text/plain")
        assert ask(handler)["body"] == "some text" * 99_999
        ask(handler, save_to=str(tmp_path / "x"))
        assert (tmp_path / "x").read_bytes() == b"some text" * 99_999

    @pytest.mark.parametrize(
        ("name", "body"),
        [
            ("gzip", b"no gzip"),
            ("gzip", gzip.compress(BINARY, mtime=0)[:-20]),
            ("deflate", b"\xff\xff"),
            ("br", b"x"),
        ],
        ids=["other", "cut", "bad-deflate", "unknown"],
    )
    def test_a_body_that_is_not_compressed_as_it_says_is_told_so(
        self, name: str, body: bytes
    ) -> None:
        """The connection is fine, and the message doesn't say otherwise."""
        error = failure(answering(body, Content_Encoding=name))
        assert error.type == "BadBody"
        assert "Content-Encoding" in str(error)

    def test_a_small_body_does_not_become_a_huge_one(self) -> None:
        """Expansion ends at the bound."""
        bomb = gzip.compress(bytes(100_000_000), 9, mtime=0)
        assert failure(answering(bomb, Content_Encoding="gzip")).type == "BodyTooLarge"

    def test_a_failure_is_told_whatever_its_body_is_like(self) -> None:
        """The status counts."""

        async def refuse(_: web.Request) -> web.Response:
            return web.Response(status=500, body=b"no gzip", headers={"Content-Encoding": "gzip"})

        assert failure(refuse).data == {"status": 500, "body": ""}


class TestAnswers:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [("7", 7.0), ("Thu, 01 Jan 2015 00:00:00 GMT", 0.0), ("soon", None), ("-1", None)],
    )
    def test_an_error_says_how_long_the_server_asks_to_wait(
        self, value: str, seconds: float | None
    ) -> None:
        """In its data, and to the engine, which retries no earlier."""

        async def refuse(_: web.Request) -> web.Response:
            return web.Response(status=429, headers={"Retry-After": value})

        error = failure(refuse)
        assert error.retry_after_s == seconds
        assert error.data.get("retry_after_s") == seconds

    def test_a_redirect_to_nowhere_is_no_success(self) -> None:
        """Unless redirects aren't followed."""

        async def redirect(_: web.Request) -> web.Response:
            return web.Response(status=302)

        assert failure(redirect).type == "BadRedirect"
        assert ask(redirect, max_redirects=0)["status"] == 302

    def test_large_headers_are_read(self) -> None:
        """Up to 64 KiB; beyond it the error says what is too large."""
        assert len(ask(answering(b"", X_Large="x" * 20_000))["headers"]["x-large"]) == 20_000
        error = failure(answering(b"", X_Large="x" * 100_000))
        assert str(error) == "core.http: a header of the answer has more than 64 KiB."


def test_paths_of_uploads_start_at_the_workflows_folder(tmp_path: Path) -> None:
    """In a list as well, whatever the current folder is."""
    (tmp_path / "a.txt").write_text("x")
    upload = {"logo": "a.txt", "more": ["a.txt"]}
    (tmp_path / "flow.yaml").write_text(
        json.dumps(
            {
                "parameters": {"url": {}},
                "tasks": [
                    {
                        "name": "send",
                        "action": "core.http",
                        "input": {
                            "url": "{{ parameters.url }}",
                            "method": "POST",
                            "files": upload,
                        },
                    }
                ],
                "output": "{{ task.send.output.json.fields }}",
            }
        )
    )

    async def main() -> fanwise.Run:
        app = web.Application()
        app.router.add_route("*", "/", tell_form)
        async with TestServer(app) as server:
            store, url = str(tmp_path / "runs.db"), f"http://127.0.0.1:{server.port}/"
            return await fanwise.arun(tmp_path / "flow.yaml", {"url": url}, store=store)

    run = asyncio.run(main())
    assert run.output == [
        ["logo", "a.txt", "text/plain", 1],
        ["more", "a.txt", "text/plain", 1],
    ]


def test_json_in_another_encoding_is_no_text() -> None:
    """Such as Latin-1, which JSON can't be in: it is told as any body that is none."""
    error = failure(answering(b'{"name": "\xe9"}', Content_Type="application/json"))
    assert error.type == "NotText"
