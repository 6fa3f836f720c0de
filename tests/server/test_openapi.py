"""The document of the API says what the table says, and holds for what is answered."""

from __future__ import annotations

import html
import json
import re
import runpy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from fanwise.server.openapi import document, in_api, summary_of
from fanwise.server.routes import Route
from fanwise.server.table import TABLE
from tests.docs.pages import ROOT
from tests.server.served import Served

NASTY = ["", "'; DROP TABLE runs; --", "../../etc/passwd", "a" * 2_000, "-1", "%00", "\u202e<b>"]


def test_the_page_of_the_api_is_made_from_the_table() -> None:
    """`python tools/api_reference.py` renews it."""
    tool = runpy.run_path(str(ROOT / "tools" / "api_reference.py"))
    assert (ROOT / "docs" / "api.md").read_text() == tool["page"]()


def test_every_code_of_a_refusal_is_told() -> None:
    """The page has each code that the server's own modules raise."""
    text = (ROOT / "docs" / "api.md").read_text()
    told = set(re.findall(r"^\| `([a-z-]+)` \| \d", text, flags=re.MULTILINE))
    files = (ROOT / "src" / "fanwise" / "server").glob("*.py")
    raised = re.compile(r'(?:Refusal\(|_refuse\()\s*(?:\d{3}|HTTPStatus\.\w+),\s*"([a-z-]+)"')
    found = {code for file in files for code in raised.findall(file.read_text())}
    assert found
    assert found <= told


def test_the_document_holds_together(served: Served) -> None:
    """It is given by the server, and each reference in it leads somewhere."""
    given = served.ask("/api/v1/openapi.json", token="read").json
    assert given["openapi"] == "3.1.0"
    text = json.dumps(given)
    schemas = given["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) <= set(schemas)
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    operations = [each for path in given["paths"].values() for each in path.values()]
    assert len(operations) == len(in_api(TABLE))
    ids = [each["operationId"] for each in operations]
    assert len(set(ids)) == len(ids)


def test_the_server_shows_its_api(served: Served) -> None:
    """Every route with an example of it, and every object, without a script, a token or a host."""
    reply = served.ask("/api", token=None)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    text = html.unescape(reply.body.decode())
    for route in in_api(TABLE):
        assert f"{route.method} {re.sub(r':[^}]*}', '}', route.path)}</code>" in text
        assert summary_of(route).replace("`", "") in re.sub("</?code>", "", text)
    given = served.ask("/api/v1/openapi.json", token="read").json
    shown = set(re.findall(r'id="([^"]+)"', text))
    assert set(given["components"]["schemas"]) <= shown
    assert set(re.findall(r'href="#([^"]+)"', text)) <= shown
    assert "<script" not in text
    assert f"""-d '{{"workflow": "…"}}' {served.origin}/api/v1/runs</pre>""" in text
    hosts = set(re.findall(r"https?://[^/ ]+", text))
    assert hosts == {served.origin}


@pytest.mark.parametrize("route", in_api(TABLE), ids=lambda route: f"{route.method}{route.path}")
def test_nothing_that_is_asked_breaks_a_route(served: Served, route: Route) -> None:
    """Each answer has a status that its document names, and each refusal the form of a problem."""
    if route.path.endswith("/events") and route.answer is None:
        pytest.skip("It is a stream, which has tests of its own.")
    operations = document([route], "")["paths"]
    assert isinstance(operations, dict)
    ((path, methods),) = operations.items()
    operation = methods[route.method.lower()]
    named = {int(status) for status in operation["responses"]}
    queries = [each["name"] for each in operation["parameters"] if each["in"] == "query"]
    for nasty in NASTY:
        asked = re.sub(r"\{\w+\}", _quoted(nasty) or "x", path)
        for query in ["", *(f"?{name}={_quoted(nasty)}" for name in queries)]:
            reply = _ask(served, route, asked + query, nasty)
            assert reply.status in named | {400, 404}, (asked + query, reply)
            if reply.status >= 400 and "X-Request-Id" in reply.headers:
                assert reply.code


def _ask(served: Served, route: Route, path: str, nasty: str) -> Any:
    if route.method == "GET":
        return served.ask(path)
    if route.body is None:
        return served.ask(path, method=route.method)
    bodies: list[object] = [nasty, [], {}, {"more": nasty}]
    for name in route.body.__struct_fields__:
        bodies += [{name: nasty}, {name: {nasty: nasty}}, {name: 10**400}]
    for body in bodies:
        reply = served.post(path, body)
        assert reply.status < 500, (path, body, reply)
    return reply


def _quoted(text: str) -> str:
    return "".join(
        each if each.isascii() and each.isalnum() else "".join(f"%{b:02x}" for b in each.encode())
        for each in text
    )
