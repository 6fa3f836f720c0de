"""Events: a stream that gives the present state of what it is about, and again what has changed.

Each event has the whole of its small object, so nothing is kept for a stream, and nothing is lost
when one begins again. A stream is asked again from time to time who looks at it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Final, NamedTuple

import msgspec
from aiohttp import web

from fanwise.errors import FanwiseError, RunNotFoundError, StoreError
from fanwise.model import Role
from fanwise.ports import Heads
from fanwise.reports.listing import RunFilters, find_runs
from fanwise.server.cookies import shown_by
from fanwise.server.finding import find_seen
from fanwise.server.problems import Refusal
from fanwise.server.routes import Call, Fields, Route
from fanwise.server.runs import listed_run, run_view

MOST_TOPICS: Final = 20
_LISTED: Final = 50
_BEAT_S: Final = 15.0
_LEAST_S: Final = 0.25
_TAKE_S: Final = 10.0
_ASK_S: Final = 60.0
_RETRY_S: Final = 2
_HEAVY: Final = ("output", "parameters", "timing")


class TopicsQuery(Fields, frozen=True, kw_only=True):
    """The topics of a stream: `runs` for the newest ones, `run:ID` for one of them."""

    topic: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=MOST_TOPICS)]


class _State(NamedTuple):
    """The state of a topic: its event, and the runs that it changes with."""

    kind: str
    data: bytes
    run_nos: Sequence[int]


async def stream_events(call: Call) -> web.StreamResponse:
    """Stream how runs stand: at first all of it, and then each time it has changed.

    Events are `hello`; `runs`, with the newest fifty; `run`, with one of them; `gone`, for one that
    was deleted; and `bye`, after which the stream ends. A comment is sent every 15 s.
    """
    topics = [_topic(call, name) for name in dict.fromkeys(call.query(TopicsQuery).topic)]
    with call.parts.streams.one_more(call.who.token_id):
        states = await asyncio.to_thread(_states, topics)  # before the status is sent
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        await response.prepare(call.request)
        with suppress(ConnectionError, TimeoutError):
            await _follow(call, response, topics, states)
        return response


async def _follow(
    call: Call,
    response: web.StreamResponse,
    topics: Sequence[Callable[[], _State]],
    states: Sequence[_State],
) -> None:
    """Send states as they change, until the client, the server or the token is gone."""
    watch, clock = call.parts.watch, call.parts.clock
    sent: dict[int, bytes] = {}
    await _send(response, "hello", {"beat_s": _BEAT_S})
    asked_at = clock.monotonic()
    while True:
        heads = await watch.heads({no for state in states for no in state.run_nos})
        for number, state in enumerate(states):
            digest = hashlib.blake2b(state.data, digest_size=16).digest()
            if sent.get(number) != digest:
                sent[number] = digest
                await _send(response, state.kind, msgspec.Raw(state.data))
        if await _await_change(call, heads):
            await asyncio.sleep(_LEAST_S)
        else:
            await _write(response, b": beat\n\n")
        if watch.is_closed:
            await _send(response, "bye", {"reason": "restart", "retry_s": _RETRY_S})
            return
        if clock.monotonic() - asked_at >= _ASK_S:
            asked_at = clock.monotonic()
            if not await asyncio.to_thread(_is_valid, call):
                await _send(response, "bye", {"reason": "signed-out", "retry_s": None})
                return
        with suppress(StoreError):  # a store that is away has no changes
            states = await asyncio.to_thread(_states, topics)


async def _await_change(call: Call, heads: Heads) -> bool:
    return await call.parts.watch.await_change(heads, _BEAT_S) != heads


async def _send(response: web.StreamResponse, kind: str, data: object) -> None:
    await _write(response, b"event: %s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode(data)))


async def _write(response: web.StreamResponse, data: bytes) -> None:
    """Send data. Raises `TimeoutError` for a client that takes nothing."""
    async with asyncio.timeout(_TAKE_S):
        await response.write(data)


def _states(topics: Sequence[Callable[[], _State]]) -> list[_State]:
    return [topic() for topic in topics]


def _topic(call: Call, name: str) -> Callable[[], _State]:
    kind, _, run_id = name.partition(":")
    if name == "runs":
        return lambda: _newest(call)
    if kind == "run" and run_id:
        return lambda: _one(call, run_id)
    raise Refusal(400, "bad-request", "A topic is `runs` or `run:ID`.")


def _newest(call: Call) -> _State:
    """The newest runs, which change with those of them that aren't over."""
    runs, store = call.parts.runs, call.parts.store
    page = find_runs(runs, RunFilters(), call.who.sees, limit=_LISTED)
    places = store.submissions([run.run_no for run, _ in page.runs])
    shown = [listed_run(runs, *each, places) for each in page.runs]
    is_open = [run.run_no for run, _ in page.runs if not run.status.is_final]
    return _State("runs", msgspec.json.encode({"runs": shown}), is_open)


def _one(call: Call, run_id: str) -> _State:
    """A run, without what may be large or changes with the time alone."""
    try:
        run = find_seen(call, run_id)
    except RunNotFoundError:
        return _State("gone", msgspec.json.encode({"run_id": run_id}), ())
    view: Mapping[str, object] = run_view(call, run)
    light = {name: each for name, each in view.items() if name not in _HEAVY}
    return _State("run", msgspec.json.encode(light), [run.run_no])


def _is_valid(call: Call) -> bool:
    """Say whether the one who asked may still do so."""
    try:
        return call.parts.identity.who(shown_by(call.request, call.parts.site)) is not None
    except (Refusal, FanwiseError):
        return False


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/events",
        handler=stream_events,
        role=Role.READ,
        query=TopicsQuery,
    ),
)
