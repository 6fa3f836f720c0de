"""Events: a stream that gives the present state of what it is about, and again what has changed.

Each event has the whole of its small object, so nothing is kept for a stream, and nothing is lost
when one begins again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Final, NamedTuple

import msgspec
from aiohttp import web

from fanwise.errors import RunNotFoundError, StoreError
from fanwise.model import Role
from fanwise.ports import Heads
from fanwise.reports.listing import RunFilters, find_runs
from fanwise.server.event_streams import BEAT_S, Ending, EventStream, open_stream
from fanwise.server.finding import find_seen
from fanwise.server.problems import Refusal
from fanwise.server.routes import Call, Fields, Route
from fanwise.server.runs import listed_run, run_view
from fanwise.server.watch import known

MOST_TOPICS: Final = 20
_LISTED: Final = 50
_LEAST_S: Final = 0.25
_RETRY_S: Final = 2
_HEAVY: Final = ("output", "parameters")


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

    async def follow(stream: EventStream, states: Sequence[_State]) -> None:
        await _follow(call, stream, topics, states)

    return await open_stream(call, lambda: _states(topics), follow)


async def _follow(
    call: Call,
    stream: EventStream,
    topics: Sequence[Callable[[], _State]],
    states: Sequence[_State],
) -> None:
    """Send states as they change, until the server or the token is gone."""
    watch = call.parts.watch
    sent: dict[int, bytes] = {}
    before = Heads()
    await _send(stream, "hello", {"beat_s": BEAT_S})
    while True:
        heads = known(before, {no for state in states for no in state.run_nos})
        for number, state in enumerate(states):
            digest = hashlib.blake2b(state.data, digest_size=16).digest()
            if sent.get(number) != digest:
                sent[number] = digest
                await stream.send(state.kind, state.data)
        if await watch.await_change(heads, BEAT_S) != heads:
            await asyncio.sleep(_LEAST_S)
        else:
            await stream.beat()
        with suppress(StoreError):  # a store that is away has no changes
            if (ending := await stream.ending()) is not None:
                retry_s = _RETRY_S if ending is Ending.RESTART else None
                await _send(stream, "bye", {"reason": ending, "retry_s": retry_s})
                return
            before = await watch.heads(heads.runs)
            states = await asyncio.to_thread(_states, topics)


async def _send(stream: EventStream, kind: str, value: object) -> None:
    await stream.send(kind, msgspec.json.encode(value))


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


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/events",
        handler=stream_events,
        role=Role.READ,
        query=TopicsQuery,
    ),
)
