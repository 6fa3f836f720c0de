"""Events: a stream that gives the present state of its topics, and again what has changed.

Each event has the whole of its small object, or says where it stands among others, so little is
kept for a stream, and nothing is lost when one begins again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Annotated, Final

import msgspec
from aiohttp import web

from fanwise.errors import StoreError
from fanwise.model import Role
from fanwise.server.event_streams import BEAT_S, Ending, EventStream, open_stream
from fanwise.server.looks import Look, Looked
from fanwise.server.routes import Call, Fields, Route
from fanwise.server.topics import News, Topic, topic_of
from fanwise.server.watch import known, oldest

MOST_TOPICS: Final = 20
_LEAST_S: Final = 0.25
_LOOK_S: Final = 2.0
"""The time between looks at topics that change with no run."""

_RETRY_S: Final = 2


class TopicsQuery(Fields, frozen=True, kw_only=True):
    """The topics of a stream.

    `runs` is for the newest ones, `run:ID` for one of them, `task:ID/TASK` for one of its tasks,
    `logs:ID` for its logs, `logs:ID/check[17]@CURSOR` for those of an item after a cursor, `waits`
    for open questions and signals, and `triggers` for those of the project.
    """

    topic: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=MOST_TOPICS)]


async def stream_events(call: Call) -> web.StreamResponse:
    """Stream how topics stand: at first all of it, and then each time it has changed.

    Events are `hello`; `runs`, with the newest fifty; `run`, with one of them; `task`, with the
    counts of a task, `tiles`, with those that have changed, each as its number and its items that
    have succeeded, failed and been cancelled, and `kinds`, with the ten most frequent ones; `log`,
    with its `cursor`; `waits`; `triggers`; `gone`, for a run that was deleted; and `bye`, after
    which the stream ends. A comment is sent every 15 s.
    """
    topics = [topic_of(call, name) for name in dict.fromkeys(call.query(TopicsQuery).topic)]
    with ExitStack() as stack:
        looks = [
            stack.enter_context(call.parts.looks.shared(each.key, each.read, _runs_of))
            for each in topics
        ]

        async def first() -> Sequence[Looked[News]]:
            return [await each.from_now() for each in looks]

        async def follow(stream: EventStream, first: Sequence[Looked[News]]) -> None:
            await _follow(call, stream, topics, looks, first)

        return await open_stream(call, first, follow)


async def _follow(
    call: Call,
    stream: EventStream,
    topics: Sequence[Topic],
    looks: Sequence[Look[News]],
    looked: Sequence[Looked[News]],
) -> None:
    """Send news as they come, until the server or the token is gone."""
    watch, sent, silent_s, is_away = call.parts.watch, _Sent(topics), 0.0, False
    await _send(stream, "hello", {"beat_s": BEAT_S})
    while True:
        news = [each.found for each in looked]
        heads = known(
            oldest([each.before for each in looked]),
            {no for each in news for no in each.run_nos or ()},
        )
        await sent.send(stream, news)
        has_more = any(each.has_more for each in news)
        if is_away or not has_more:
            has_others = has_more or any(each.run_nos is None for each in news)
            wait_s = min(_LOOK_S, BEAT_S) if has_others else BEAT_S
            if await watch.await_change(heads, wait_s) != heads:
                silent_s = 0.0
                await asyncio.sleep(_LEAST_S)
            elif (silent_s := silent_s + wait_s) >= BEAT_S:
                silent_s = 0.0
                await stream.beat()
        is_away = True
        with suppress(StoreError):  # a store that is away has no changes
            if (ending := await stream.ending()) is not None:
                retry_s = _RETRY_S if ending is Ending.RESTART else None
                await _send(stream, "bye", {"reason": ending, "retry_s": retry_s})
                return
            looked = await _look_again(looks, looked)
            is_away = False


async def _look_again(
    looks: Sequence[Look[News]], looked: Sequence[Looked[News]]
) -> Sequence[Looked[News]]:
    """Look at all topics again: at one that has more from now on, not by the look that told so."""
    return [
        await (look.from_now() if had.found.has_more else look.again())
        for look, had in zip(looks, looked, strict=True)
    ]


class _Sent:
    """The events that were sent, of each topic and kind the last."""

    def __init__(self, topics: Sequence[Topic]) -> None:
        self._topics = topics
        self._frames: dict[tuple[int, str], bytes] = {}

    async def send(self, stream: EventStream, news: Sequence[News]) -> None:
        """Send the events of all topics, but for those that have been sent."""
        for number, (topic, found) in enumerate(zip(self._topics, news, strict=True)):
            for event in topic.events(found):
                if event.is_whole:
                    if self._frames.get((number, event.kind)) == event.frame:
                        continue
                    self._frames[number, event.kind] = event.frame  # which streams share
                await stream.send_frame(event.frame)


def _runs_of(news: News) -> Sequence[int]:
    return news.run_nos or ()


async def _send(stream: EventStream, kind: str, value: object) -> None:
    await stream.send(kind, msgspec.json.encode(value))


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/events",
        handler=stream_events,
        role=Role.READ,
        query=TopicsQuery,
    ),
)
