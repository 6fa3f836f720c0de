"""Logs and events of a run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Final

import msgspec
from aiohttp import web

from fanwise.errors import RunNotFoundError
from fanwise.model import LogEntry, Role, RunRecord
from fanwise.reports.log_pages import LogFilter, logs_after, logs_before
from fanwise.reports.objects import log_object
from fanwise.reports.plain import clean_lines
from fanwise.server.cursors import read_cursor, write_cursor
from fanwise.server.finding import run_of
from fanwise.server.routes import Answer, Call, Fields, Route, json_answer
from fanwise.server.streams import send_pages
from fanwise.server.views import EventList, LogList

_PAGE: Final = 500
_Limit = Annotated[int, msgspec.Meta(ge=1, le=200)]


class LogsQuery(Fields, frozen=True, kw_only=True):
    """Logs of the task or item `under`, `check[17]`, and of what runs in it; and the page.

    They contain the text `contains`, in upper or lower case. With `tail` and without a cursor they
    are the last ones, so many at most.
    """

    under: str = ""
    contains: Annotated[str, msgspec.Meta(max_length=200)] = ""
    tail: _Limit | None = None
    cursor: str | None = None
    limit: _Limit = 100


class UnderQuery(Fields, frozen=True, kw_only=True):
    """The task or item whose logs are wanted, with what runs in it; without, those of the run."""

    under: str | None = None


class EventsQuery(Fields, frozen=True, kw_only=True):
    """A page of events."""

    cursor: str | None = None
    limit: _Limit = 100


def list_logs(call: Call) -> Answer:
    """List logs in the order in which they came; to follow them, ask again with `next`."""
    query, run = call.query(LogsQuery), run_of(call)
    records, wanted = call.parts.store, LogFilter(query.under, query.contains)
    place = read_cursor(query, query.cursor)
    if place is None and query.tail is not None:
        newest = records.newest_logs(run.run_no, limit=1)
        end = newest[0].log_no if newest else 0
        found = logs_before(records, run.run_no, wanted, end + 1, query.tail).logs
    else:
        page = logs_after(records, run.run_no, wanted, place or 0, query.limit)
        found, end = page.logs, page.read_to or place or 0
    shown = [log_object(each) for each in found]
    return json_answer({"logs": shown, "next": write_cursor(query, end)})


async def save_logs(call: Call) -> web.StreamResponse:
    """Send logs as text, in the order of tasks, indexes and attempts."""
    run = await call.in_thread(run_of)
    under = call.query(UnderQuery).under
    return await send_pages(
        call, _texts(call, run, under), type="text/plain; charset=utf-8", name=f"{run.id}.log"
    )


def list_events(call: Call) -> Answer:
    """List the events of a run, from which its decisions follow."""
    query, run = call.query(EventsQuery), run_of(call)
    after = read_cursor(query, query.cursor) or 0
    found = list(islice(call.parts.store.events(run.run_no, after=after), query.limit))
    shown = [{"seq": each.seq, "kind": each.kind, "data": msgspec.Raw(each.data)} for each in found]
    following = write_cursor(query, found[-1].seq) if len(found) == query.limit else None
    return json_answer({"events": shown, "next": following})


def _texts(call: Call, run: RunRecord, under: str | None) -> Iterator[bytes]:
    last: LogEntry | None = None
    while page := call.parts.store.logs(run.run_no, under=under, after=last, limit=_PAGE):
        yield b"".join(map(_text, page))
        last = page[-1]


def _text(entry: LogEntry) -> bytes:
    lines = clean_lines(entry.text).splitlines()
    return "".join(f"{entry.path} #{entry.attempt}  {line}\n" for line in lines).encode()


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/runs/{run_id}/logs",
        handler=list_logs,
        role=Role.READ,
        query=LogsQuery,
        answer=LogList,
        errors=(RunNotFoundError,),
    ),
    Route(
        method="GET",
        path="/api/v1/runs/{run_id}/logs.txt",
        handler=save_logs,
        role=Role.READ,
        query=UnderQuery,
        errors=(RunNotFoundError,),
        takes_ticket=True,
    ),
    Route(
        method="GET",
        path="/api/v1/runs/{run_id}/events",
        handler=list_events,
        role=Role.READ,
        query=EventsQuery,
        answer=EventList,
        errors=(RunNotFoundError,),
    ),
)
