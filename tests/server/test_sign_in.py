"""Tokens, sessions and tickets, as a browser and a program use them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from fanwise.model import Role
from fanwise.server.credentials import TokenText, hashed, read_token
from fanwise.server.identity import Identity
from fanwise.server.sessions import Sessions
from fanwise.server.token_making import LINK_TOKEN, new_token_text, require_link_token
from fanwise.wiring import new_token, system_clock
from tests.server.served import Reply, Served, decoded, serving

ME = "/api/v1/me"


def sign_in(served: Served, role: Role = Role.RUN) -> Mapping[str, str]:
    """The headers of a session."""
    token = str(new_token_text(served.store, "browser", role))
    return session_of(served.post("/api/v1/session", {"token": token}, token=None))


def session_of(reply: Reply) -> Mapping[str, str]:
    assert reply.status == 200
    cookie, _, flags = reply.headers["Set-Cookie"].partition(";")
    assert {"HttpOnly", "SameSite=Strict"} <= set(flags.replace(" ", "").split(";"))
    return {"Cookie": cookie, "X-Fanwise-Key": reply.json["key"]}


def test_a_session_needs_its_cookie_and_its_key(served: Served) -> None:
    """Either alone is nothing, nor is the key of another session."""
    session, other = sign_in(served), sign_in(served)
    reply = served.ask(ME, token=None, headers=session)
    assert reply.json == {"name": "browser", "role": "run", "workflows": []}
    for wrong in (
        {"Cookie": session["Cookie"]},
        {"X-Fanwise-Key": session["X-Fanwise-Key"]},
        {"Cookie": session["Cookie"], "X-Fanwise-Key": other["X-Fanwise-Key"]},
        {"Cookie": session["Cookie"], "X-Fanwise-Key": ""},
    ):
        assert served.ask(ME, token=None, headers=wrong).status == 401


def test_a_session_ends_when_one_signs_out(served: Served) -> None:
    """And the cookie goes."""
    session = sign_in(served)
    reply = served.ask("/api/v1/session", method="DELETE", token=None, headers=session)
    assert reply.status == 204
    assert "Max-Age=0" in reply.headers["Set-Cookie"]
    assert served.ask(ME, token=None, headers=session).status == 401


def test_the_sessions_that_are_open_are_told(served: Served) -> None:
    """Without their secrets, to an administrator alone, and only while they last."""
    path = "/api/v1/sessions"
    before = len(served.ask(path).json["sessions"])
    session = sign_in(served, Role.ADMIN)
    reply = served.ask(path)
    listed = decoded(reply, Sessions)["sessions"]
    assert len(listed) == before + 1
    assert (listed[0]["name"], listed[0]["role"]) == ("browser", "admin")
    for secret in (session["X-Fanwise-Key"], session["Cookie"].partition("=")[2]):
        assert hashed(secret) not in reply.body.decode()
    served.ask("/api/v1/session", method="DELETE", token=None, headers=session)
    assert len(served.ask(path).json["sessions"]) == before


def test_a_session_is_ended_by_its_id(served: Served) -> None:
    """By an administrator alone, at once, and its token stays; the audit knows who did it."""
    mine, other = sign_in(served, Role.ADMIN), sign_in(served, Role.READ)
    path = "/api/v1/sessions"
    listed = served.ask(path, token=None, headers=mine).json["sessions"]
    (this,) = [each for each in listed if each["is_this"]]
    assert this["role"] == "admin"
    assert not any(each["is_this"] for each in served.ask(path).json["sessions"])
    (its,) = [each["id"] for each in listed if each["role"] == "read"]
    assert served.ask(f"{path}/{its}", method="DELETE", token="run").code == "forbidden"
    assert served.ask(ME, token=None, headers=other).status == 200
    assert served.ask(f"{path}/{its}", method="DELETE").status == 204
    assert served.ask(ME, token=None, headers=other).status == 401
    assert served.ask(ME, token=None, headers=mine).status == 200
    assert served.ask(f"{path}/{its}", method="DELETE").code == "not-found"
    entry = served.ask("/api/v1/audit?limit=2").json["entries"][1]
    assert (entry["action"], entry["name"], entry["status"]) == ("end-session", "admin", 204)
    assert entry["target"].endswith(its)


def test_a_revoked_token_ends_with_its_sessions(served: Served) -> None:
    """At once."""
    text = new_token_text(served.store, "gone", Role.READ)
    session = session_of(served.post("/api/v1/session", {"token": str(text)}, token=None))
    assert served.ask(ME, token=str(text)).status == 200
    assert served.ask(f"/api/v1/tokens/{text.token_id}", method="DELETE").status == 204
    assert served.ask(ME, token=str(text)).status == 401
    assert served.ask(ME, token=None, headers=session).status == 401
    assert served.ask(f"/api/v1/tokens/{text.token_id}", method="DELETE").status == 404


def test_a_link_signs_in_once(served: Served) -> None:
    """As an administrator, and then never again."""
    require_link_token(served.store)
    identity = Identity(served.store, system_clock(), new_token)
    ticket = identity.new_ticket(LINK_TOKEN, "", 60.0)
    session = session_of(served.post("/api/v1/session/ticket", {"ticket": ticket}, token=None))
    assert served.ask(ME, token=None, headers=session).json["role"] == "admin"
    again = served.post("/api/v1/session/ticket", {"ticket": ticket}, token=None)
    assert again.code == "unauthenticated"


def test_a_token_is_made_and_told_once(served: Served) -> None:
    """Lists have everything but its secret."""
    asked = {"name": "nightly", "role": "run", "workflows": ["report-*"], "expires_in": "90d"}
    made = served.post("/api/v1/tokens", asked)
    assert made.status == 201
    text = read_token(made.json["token"])
    assert text is not None
    assert served.ask(ME, token=str(text)).json["workflows"] == ["report-*"]
    listed = served.ask("/api/v1/tokens")
    assert text.secret.encode() not in listed.body
    (shown,) = [each for each in listed.json["tokens"] if each["id"] == made.json["id"]]
    assert (shown["name"], shown["role"], shown["revoked_at"]) == ("nightly", "run", None)
    assert shown["expires_at"] > shown["made_at"]


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "", "role": "read"},
        {"name": "x", "role": "king"},
        {"name": "x", "role": "read", "expires_in": "soon"},
        {"name": "x", "role": "read", "workflows": [""]},
        {"name": "x", "role": "read", "more": 1},
        {"role": "read"},
        [],
    ],
)
def test_a_token_that_makes_no_sense_is_refused(served: Served, asked: object) -> None:
    """And isn't made."""
    before = len(served.store.tokens())
    assert served.post("/api/v1/tokens", asked).status == 400
    assert len(served.store.tokens()) == before


def test_what_was_changed_is_in_the_audit(served: Served) -> None:
    """Also what was refused; with the names of fields, and never a value or a credential."""
    made = served.post("/api/v1/tokens", {"name": "audited", "role": "read"})
    refused = served.post("/api/v1/tokens", {"name": "audited", "role": "read"}, token="run")
    served.post("/api/v1/session", {"token": made.json["token"]}, token=None)
    reply = served.ask("/api/v1/audit?limit=3")
    entered, second, first = reply.json["entries"]
    assert (first["action"], first["status"], first["name"]) == ("make-token", 201, "admin")
    assert first["fields"] == ["name", "role"]
    assert first["request_id"] == made.headers["X-Request-Id"]
    assert (second["status"], second["name"]) == (403, "run")
    assert second["request_id"] == refused.headers["X-Request-Id"]
    assert (entered["action"], entered["name"], entered["address"]) == (
        "sign-in",
        "audited",
        "127.0.0.1",
    )
    assert made.json["token"].encode() not in reply.body
    assert reply.json["next"] == first["no"]
    older = served.ask(f"/api/v1/audit?before={first['no']}&limit=1").json["entries"]
    assert older[0]["no"] < first["no"]


def test_no_credential_is_in_the_store(tmp_path: Path) -> None:
    """Of tokens, sessions and tickets it has hashes."""
    with serving(tmp_path) as served:
        session = sign_in(served)
        identity = Identity(served.store, system_clock(), new_token)
        token = new_token_text(served.store, "kept", Role.READ).secret
        ticket = identity.new_ticket(LINK_TOKEN, "", 60.0)
        secrets = [session["Cookie"].partition("=")[2], session["X-Fanwise-Key"], token, ticket]
        path = served.folder / "runs.db"
    with sqlite3.connect(path) as connection:
        text = "\n".join(connection.iterdump())
    connection.close()
    assert "kept" in text
    for secret in secrets:
        assert secret not in text


def test_too_many_wrong_sign_ins_are_refused(tmp_path: Path) -> None:
    """By tokens, by links and in headers; those with a session go on."""
    with serving(tmp_path) as served:
        session = sign_in(served)
        wrong = str(TokenText("k3xq7m2p", "x" * 52))
        codes = [served.post("/api/v1/session", {"token": wrong}, token=None).status]
        codes += [served.ask(ME, token=wrong).status for _ in range(5)]
        codes += [
            served.post("/api/v1/session/ticket", {"ticket": "x"}, token=None).status
            for _ in range(4)
        ]
        assert codes == [401] * 10
        reply = served.ask(ME, token=wrong)
        assert (reply.status, reply.code) == (429, "too-many")
        assert int(reply.headers["Retry-After"]) > 0
        assert served.ask(ME, token=None, headers=session).status == 200


def test_a_token_has_a_checksum() -> None:
    """So that a scanner knows one, and a typing error isn't a sign-in."""
    text = TokenText("k3xq7m2p", "x" * 52)
    assert read_token(str(text)) == text
    for wrong in ("", "fanwise", "fanwise___", str(text)[:-1], str(text).replace("xx", "xy", 1)):
        assert read_token(wrong) is None
