"""Events that programs emit over HTTP: `POST /events/NAME`, with the event's data as its body."""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec

from fanwise.errors import ResultError
from fanwise.model import Role
from fanwise.plan.events import new_event
from fanwise.server.buckets import Rate
from fanwise.server.forms import read_bytes
from fanwise.server.problems import Refusal
from fanwise.server.routes import JSON, Answer, Call, Fields, Route, json_answer
from fanwise.values import Json, decode
from fanwise.wiring import new_token

EVENTS: Final = Rate("events", 100.0, 1_000)
_MOST_BODY_BYTES: Final = 2**26


class EventQuery(Fields, frozen=True, kw_only=True):
    """The event's id, which changes nothing a second time, and the key that a wait may ask for.

    `by` is the sender, if it isn't the one who has the token.
    """

    id: str | None = None
    key: str | None = None
    by: str | None = None


class EmittedView(msgspec.Struct, frozen=True, kw_only=True):
    """The id of an event, and whether it is new."""

    event: str
    is_new: bool


async def emit(call: Call) -> Answer:
    """Emit an event, which starts runs by event triggers and ends waits of tasks."""
    limits = call.parts.settings.limits
    body = await read_bytes(call.request, limits.event_bytes)
    return await call.in_thread(partial(_emit, data=_read(call, body)))


def _read(call: Call, body: bytes) -> Json:
    """The data of the event; a body of nothing is null. Raises `Refusal`."""
    if not body:
        return None
    if call.request.content_type != JSON:
        raise Refusal(415, "bad-type", "The data of an event is JSON.", hint=f"Send it as {JSON}.")
    try:
        value: Json = decode(body)
    except (ValueError, ResultError):
        raise Refusal(422, "bad-request", "The body isn't JSON.") from None
    return value


def _emit(call: Call, data: Json) -> Answer:
    query, store = call.query(EventQuery), call.parts.store
    event = new_event(
        call.names["name"],
        data,
        call.parts.settings.limits,
        id=new_token(20) if query.id is None else query.id,
        key=query.key,
        by=query.by or call.who.name,
    )
    (is_new,) = store.arrive([event])
    store.offer_arrivals()
    shown = EmittedView(event=event.id, is_new=is_new)
    return json_answer(shown, status=202 if is_new else 200)


ROUTES: Final = (
    Route(
        method="POST",
        path="/events/{name}",
        handler=emit,
        role=Role.RUN,
        query=EventQuery,
        answer=EmittedView,
        status=202,
        audit="emit",
        sees_all=True,
        rate=EVENTS,
        most_bytes=_MOST_BODY_BYTES,
    ),
)
