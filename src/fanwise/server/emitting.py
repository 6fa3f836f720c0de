"""Events that programs emit over HTTP: one with its data as the body, or many of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Final

import msgspec

from fanwise.errors import ResultError, UsageError
from fanwise.model import Arrival, Role
from fanwise.plan.events import new_event
from fanwise.server.buckets import Rate
from fanwise.server.forms import read_bytes
from fanwise.server.problems import Refusal
from fanwise.server.routes import JSON, Answer, Call, Fields, Route, json_answer
from fanwise.values import Json, decode
from fanwise.wiring import new_token

EVENTS: Final = Rate("events", 100.0, 1_000)
MANY_EVENTS: Final = Rate("requests of many events", 20.0, 100)
MOST_TOGETHER: Final = 1_000
_MOST_BODY_BYTES: Final = 2**26
_MOST_TOGETHER_BYTES: Final = 2**24


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


class EventBody(EventQuery, frozen=True, kw_only=True):
    """An event: its name, its data, and as in a query of one the id, the key and the sender."""

    name: str
    data: object = None


class EventsBody(Fields, frozen=True, kw_only=True):
    """Events to be emitted: all of them, or none if one can't be."""

    events: Annotated[tuple[EventBody, ...], msgspec.Meta(min_length=1, max_length=MOST_TOGETHER)]


class EmittedList(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of events in the order in which they were given, and whether each is new."""

    events: list[EmittedView]


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
    event = _event(call, call.names["name"], data, call.query(EventQuery))
    (shown,) = _arrived(call, [event])
    return json_answer(shown, status=202 if shown.is_new else 200)


def emit_many(call: Call) -> Answer:
    """Emit many events at once: they are recorded in one transaction, in their order."""
    events = []
    for number, each in enumerate(call.body(EventsBody).events):
        try:
            events.append(_event(call, each.name, each.data, each))
        except (UsageError, ResultError) as error:
            raise UsageError(f"events[{number}]: {error.message}", hint=error.hint) from None
    return json_answer(EmittedList(events=_arrived(call, events)), status=202)


def _event(call: Call, name: str, data: object, given: EventQuery) -> Arrival:
    """The event that is asked for. Raises `UsageError` and `ResultError`."""
    return new_event(
        name,
        data,
        call.parts.settings.limits,
        id=new_token(20) if given.id is None else given.id,
        key=given.key,
        by=given.by or call.who.name,
    )


def _arrived(call: Call, events: Sequence[Arrival]) -> list[EmittedView]:
    store = call.parts.store
    new = store.arrive(events)
    store.offer_arrivals()
    return [
        EmittedView(event=event.id, is_new=is_new)
        for event, is_new in zip(events, new, strict=True)
    ]


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
    Route(
        method="POST",
        path="/api/v1/events",
        handler=emit_many,
        role=Role.RUN,
        body=EventsBody,
        answer=EmittedList,
        status=202,
        errors=(UsageError,),
        audit="emit",
        sees_all=True,
        rate=MANY_EVENTS,
        most_bytes=_MOST_TOGETHER_BYTES,
    ),
)
