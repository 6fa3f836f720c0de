"""Streams, of the API and of the page alike: how many may be open, and when they end."""

from __future__ import annotations

import asyncio
import http.client
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import Any, NoReturn

import pytest
from aiohttp import web

from fanwise.errors import StoreError
from fanwise.model import Role
from fanwise.server import event_streams, events, open_streams
from fanwise.server.identity import Identity
from fanwise.server.open_streams import OpenStreams
from fanwise.server.page import streams
from fanwise.server.problems import Refusal
from fanwise.server.token_making import new_token_text
from tests.server.served import Served

EVENTS, PAGE = "/api/v1/events?topic=runs", "/page/runs"
BEAT = b": beat\n"
SIGNED_OUT = b'data: {"reason":"signed-out","retry_s":null}\n'
MOST_BEATS = 40
"""A stream that has beaten so often doesn't end."""

both = pytest.mark.parametrize("path", [EVENTS, PAGE], ids=["events", "page"])


def asked(
    stack: ExitStack, served: Served, path: str, headers: Mapping[str, str]
) -> http.client.HTTPResponse:
    """What is answered, on a connection that is open until the end of the block."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    stack.enter_context(closing(connection))
    connection.request("GET", path, headers={"Accept": "text/event-stream", **headers})
    return stack.enter_context(connection.getresponse())


def streaming(
    stack: ExitStack, served: Served, path: str, headers: Mapping[str, str]
) -> http.client.HTTPResponse:
    """A stream that is open until the end of the block."""
    response = asked(stack, served, path, headers)
    assert response.status == 200, response.read()
    return response


def bearer(text: object) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {text}"}


def session(served: Served, token: object) -> Mapping[str, str]:
    begun = served.post("/api/v1/session", {"token": str(token)}, token=None)
    return {
        "Cookie": begun.headers["Set-Cookie"].partition(";")[0],
        "X-Fanwise-Key": begun.json["key"],
    }


def told(stream: http.client.HTTPResponse, beats: int = MOST_BEATS) -> list[bytes]:
    """The lines of a stream up to its end, or until it has beaten so often."""
    lines = []
    for line in stream:
        lines.append(line)
        if lines.count(BEAT) == beats:
            break
    return lines


def beat_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have streams beat, and ask for their readers, at each turn."""
    monkeypatch.setattr(events, "BEAT_S", 0.1)
    monkeypatch.setattr(streams, "BEAT_S", 0.1)
    monkeypatch.setattr(streams, "_AGE_S", 0.1)
    monkeypatch.setattr(event_streams, "_ASK_S", 0.0)


@both
def test_a_revoked_token_ends_its_streams(
    served: Served, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of its sessions; the streams of others go on."""
    beat_at_once(monkeypatch)
    token = new_token_text(served.store, "gone", Role.READ)
    with ExitStack() as stack:
        kept = streaming(stack, served, path, bearer(served.tokens["read"]))
        ended = [
            streaming(stack, served, path, shown)
            for shown in (bearer(token), session(served, token))
        ]
        served.store.revoke_token(token.token_id)
        for each in ended:
            lines = told(each)
            assert lines.count(BEAT) < MOST_BEATS
            assert (SIGNED_OUT in lines) == (path == EVENTS)
        assert told(kept, 3).count(BEAT) == 3


@both
def test_signing_out_ends_the_streams_of_the_session(
    served: Served, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream ends by itself, wherever it is open."""
    beat_at_once(monkeypatch)
    shown = session(served, served.tokens["read"])
    with ExitStack() as stack:
        stream = streaming(stack, served, path, shown)
        reply = served.ask("/api/v1/session", method="DELETE", token=None, headers=shown)
        assert reply.status == 204
        assert told(stream).count(BEAT) < MOST_BEATS


@both
def test_a_store_that_is_away_signs_nobody_out(
    served: Served, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events wait for it; a page's stream ends without a word, and its client asks again."""
    beat_at_once(monkeypatch)

    def away(*_: object) -> NoReturn:
        raise StoreError("the store doesn't answer")

    with ExitStack() as stack:
        stream = streaming(stack, served, path, bearer(served.tokens["read"]))
        monkeypatch.setattr(Identity, "who", away)
        if path == EVENTS:
            assert told(stream, 3).count(BEAT) == 3
        else:
            assert told(stream)[-1] in (BEAT, b"\n"), "no second answer stands in it"


@both
def test_a_client_that_takes_nothing_is_cut_off(
    served: Served, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stream would stand still, and nobody would ask for its reader."""

    async def stuck(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(event_streams, "_TAKE_S", 0.0)
    monkeypatch.setattr(web.StreamResponse, "write", stuck)
    with ExitStack() as stack, pytest.raises((OSError, http.client.HTTPException)):
        streaming(stack, served, path, bearer(served.tokens["read"])).read()


def test_a_session_has_ten_streams_and_no_more(served: Served) -> None:
    """Those of events and of pages count together; another session of the token is apart."""
    one, other = (session(served, served.tokens["read"]) for _ in range(2))
    with ExitStack() as stack:
        for path in [EVENTS, PAGE] * 5:
            streaming(stack, served, path, one)
        for path in (EVENTS, PAGE):
            shown = {"Accept": "text/event-stream", **one}
            reply = served.ask(path, token=None, headers=shown)
            assert (reply.status, reply.code) == (429, "too-many")
        streaming(stack, served, PAGE, other)
        assert served.ask(PAGE, token=None, headers=one).status == 200


def test_a_client_that_has_gone_makes_room(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing is to be sent that would show that it has gone."""
    monkeypatch.setattr(open_streams, "_LOOK_S", 0.01)
    one = session(served, served.tokens["read"])
    with ExitStack() as stack:
        for _ in range(10):
            streaming(stack, served, EVENTS, one)
    shown = {"Accept": "text/event-stream", **one}
    with ExitStack() as stack:
        for _ in range(10):
            until = time.monotonic() + 60
            while (status := asked(stack, served, EVENTS, shown).status) == 429:
                assert time.monotonic() < until
            assert status == 200


def test_a_token_has_fifty_streams_and_all_have_five_hundred() -> None:
    """One that has ended makes room."""
    opened = OpenStreams()
    with ExitStack() as stack:
        for number in range(500):
            token, one = number // 50, number // 10
            stack.enter_context(opened.one_of(f"token {token}", f"session {one}"))
            if number == 49:
                assert is_refused(opened, "token 0", "another")
                assert not is_refused(opened, "token 1", "another")
        assert is_refused(opened, "another", "another")
    assert not is_refused(opened, "token 0", "session 0")


def is_refused(opened: OpenStreams, token: str, one: str) -> bool:
    try:
        with opened.one_of(token, one):
            return False
    except Refusal as refusal:
        return refusal.problem.status == 429
