"""The guard: what gets no further than it, and what its answers forbid a browser to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanwise.errors import UsageError
from fanwise.server.forwarding import read_networks
from fanwise.server.guard import CSP
from fanwise.stores import statements
from tests.server.served import Served, serving

VERSION = "/api/v1/version"


def test_a_request_without_a_token_is_refused(served: Served) -> None:
    """With the remedy, and nothing of what was asked for."""
    reply = served.ask(VERSION, token=None)
    assert (reply.status, reply.code) == (401, "unauthenticated")
    assert "fanwise token add" in reply.json["hint"]
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert served.ask(VERSION, token="read").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/version/",
        "//api/v1/version",
        "/api/v1//version",
        "/api/v1/x-healthz",
        "/healthz/",
        "/api/v1/version/healthz",
        "/api/v1/%2e%2e/version",
        "/api/v1/../v1/version",
        "/api/v1/version%00",
        "/%",
    ],
)
def test_names_that_look_like_open_paths_stay_closed(served: Served, path: str) -> None:
    """Routes are found by their exact paths, also by someone who may see everything."""
    assert served.ask(path).status in (400, 404)
    assert served.ask(path, token=None).status in (400, 401, 404)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1", "localhost:1", "localhost.", "", "[::1]"],
)
def test_a_host_that_is_not_ours_is_refused(served: Served, host: str) -> None:
    """So a page elsewhere whose name leads to this machine reads nothing."""
    reply = served.ask(VERSION, headers={"Host": host})
    assert (reply.status, reply.code) == (421, "wrong-host")


def test_own_names_of_the_host_are_taken(served: Served) -> None:
    """In any case of letters."""
    for host in (served.host, f"LOCALHOST:{served.port}", f"[::1]:{served.port}"):
        assert served.ask(VERSION, headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_requests_of_other_sites_pages_are_refused(served: Served, headers: dict[str, str]) -> None:
    """Also with a token that is valid, and from another port of this machine."""
    reply = served.ask(VERSION, headers=headers)
    assert (reply.status, reply.code) == (403, "foreign-page")


def test_requests_of_own_pages_are_taken(served: Served) -> None:
    """A browser names their origin."""
    own = {"Origin": served.origin, "Sec-Fetch-Site": "same-origin"}
    assert served.ask(VERSION, headers=own).status == 200


def test_every_answer_forbids_a_browser_the_rest(served: Served) -> None:
    """Whatever has become of the request; no answer lets another site's page read it."""
    for path in (VERSION, "/nowhere"):
        for token in (None, "read"):
            headers = served.ask(path, token=token).headers
            assert headers["Content-Security-Policy"] == CSP
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == "no-store"
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert not [name for name in headers if name.lower().startswith("access-control-")]


def test_a_path_says_which_methods_it_takes(served: Served) -> None:
    """Others are refused."""
    reply = served.ask(VERSION, method="POST")
    assert (reply.status, reply.code) == (405, "bad-method")
    assert reply.headers["Allow"] == "GET"


def test_an_unknown_field_of_a_query_is_refused(served: Served) -> None:
    """Rather than overlooked."""
    reply = served.ask(f"{VERSION}?verbose=1")
    assert (reply.status, reply.code) == (400, "bad-request")


def test_names_of_proxies_change_nothing(served: Served) -> None:
    """They are headers that anyone can send."""
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "10.0.0.1"}
    assert served.ask(VERSION, headers=forged).status == 200
    reply = served.ask(VERSION, headers={"Host": "evil.example", "X-Forwarded-Host": served.host})
    assert reply.code == "wrong-host"


def test_a_trusted_proxy_names_the_client_and_its_host(tmp_path: Path) -> None:
    """The last address that no trusted proxy has; others may have been sent by the client."""
    url = "https://fanwise.example.com"
    proxied = {"X-Forwarded-Host": "fanwise.example.com"}
    with serving(tmp_path, public_url=url, proxies=("127.0.0.0/8", "10.0.0.7")) as served:
        for given, address in (
            ("192.0.2.1", "192.0.2.1"),
            ("198.51.100.9, 192.0.2.1, 10.0.0.7", "192.0.2.1"),
            ("192.0.2.1, unknown", "127.0.0.1"),
            ("", "127.0.0.1"),
        ):
            headers = {**proxied, "X-Forwarded-For": given, "Origin": url}
            ended = served.ask("/api/v1/tokens/none", method="DELETE", headers=headers)
            assert ended.code == "not-found"
            assert served.ask("/api/v1/audit?limit=1").json["entries"][0]["address"] == address
        assert served.ask("/api/v1/me", headers={"X-Forwarded-Host": "evil.example"}).status == 421
        begun = served.post("/api/v1/session", {"token": served.tokens["read"]}, headers=proxied)
        assert "Secure" in begun.headers["Set-Cookie"]
        for _ in range(12):
            headers = {**proxied, "X-Forwarded-For": "192.0.2.66"}
            last = served.ask("/api/v1/me", token="wrong", headers=headers)
        assert last.code == "too-many"
        other = {**proxied, "X-Forwarded-For": "192.0.2.67"}
        assert served.ask("/api/v1/me", token="wrong", headers=other).code == "unauthenticated"


@pytest.mark.parametrize("text", ["", "proxy", "10.0.0.1/8", "10.0.0.0/99"])
def test_a_proxy_that_is_none_is_refused(text: str) -> None:
    """With an example."""
    with pytest.raises(UsageError, match="takes an address or a network"):
        read_networks([text])


def test_a_query_that_takes_too_long_is_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer says so in one line, and the server answers what is quick, as before."""
    with serving(tmp_path, query_s=0.0) as served, monkeypatch.context() as patched:
        patched.setattr(
            statements,
            "RUN",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
            " SELECT * FROM n WHERE i < 0 AND :run_id = :run_id",
        )
        reply = served.ask("/api/v1/runs/a")
        assert (reply.status, reply.code) == (503, "bad-store")
        assert "a query took longer than it may" in reply.json["detail"]
        assert "Ask for less" in reply.json["hint"]
        assert served.ask("/api/v1/runs/a/export").status == 503
        assert served.ask("/runs/a/fragment").status in (404, 503)
        assert served.ask("/api/v1/runs").status == 200
