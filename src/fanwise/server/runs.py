"""Runs: listed by conditions, counted, and one of them with its tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import msgspec
from aiohttp import web

from fanwise.errors import RunNotFoundError
from fanwise.model import Role, RunRecord
from fanwise.reports.listing import RunFilters, find_runs
from fanwise.reports.objects import (
    error_object,
    iso_time,
    listed_object,
    place_object,
    run_object,
    timing_object,
    wait_object,
)
from fanwise.reports.overview import driven_times, timed_overview
from fanwise.reports.records import record_object
from fanwise.server import tags
from fanwise.server.cursors import read_cursor, write_cursor
from fanwise.server.finding import definition_of, moment, overview_of, run_of
from fanwise.server.problems import Refusal
from fanwise.server.routes import JSON, Answer, Call, Fields, Route, json_answer
from fanwise.server.streams import attachment, send_pages
from fanwise.server.views import Definition, RunCounts, RunList, RunStatus, RunView
from fanwise.values import JsonObject, decode

MOST_COUNTED: Final = 1_000
_MOST_WAITS: Final = 100
_EXPORT_BYTES: Final = 2**18


class RunConditions(Fields, frozen=True, kw_only=True):
    """Conditions on runs, all of which have to hold; of several statuses or workflows one.

    `since` and `until` are spans before now, or times; `text` is a part of id, workflow or error.
    """

    status: tuple[RunStatus, ...] = ()
    workflow: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    text: Annotated[str, msgspec.Meta(max_length=200)] = ""


class RunsQuery(RunConditions, frozen=True, kw_only=True):
    """Conditions on runs, and the page of them."""

    cursor: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class RunQuery(Fields, frozen=True, kw_only=True):
    """With `timing` the run tells where its time went; its longest items are looked for then."""

    timing: bool = False


def list_runs(call: Call) -> Answer:
    """List runs, the newest first."""
    query = call.query(RunsQuery)
    page = find_runs(
        call.parts.runs,
        filters_of(call, query),
        call.who.sees,
        before=read_cursor(query, query.cursor),
        limit=query.limit,
    )
    shown = listed_runs(call, page.runs)
    following = None if page.before is None else write_cursor(query, page.before)
    return json_answer({"runs": shown, "next": following})


def count_runs(call: Call) -> Answer:
    """Count runs by their status, of the newest thousand that the conditions hold for."""
    filters = filters_of(call, call.query(RunConditions))
    page = find_runs(call.parts.runs, filters, call.who.sees, limit=MOST_COUNTED)
    counts = Counter(status for _, status in page.runs)
    return json_answer({"counts": counts, "is_capped": page.before is not None})


def get_run(call: Call) -> Answer:
    """Tell how a run stands, with its tasks and without their outputs."""
    return json_answer(run_view(call, run_of(call), times=call.query(RunQuery).timing))


def run_view(call: Call, run: RunRecord, *, times: bool = False) -> JsonObject:
    """Return a run as it stands, with `times` where its time went; see `RunView`."""
    parts = call.parts
    if times:
        definition = definition_of(call, run)
        seen, timing = timed_overview(parts.runs, run, definition, parts.clock.now())
    else:
        seen, timing = overview_of(call, run), None
    waits = parts.store.waits_open(run_no=run.run_no, limit=_MOST_WAITS)
    driver = seen.driver
    return run_object(seen, has_outputs=False) | {
        "created_at": iso_time(run.created_at),
        "file": run.file,
        "parameters": decode(run.parameters),
        "tags": run.tags,
        "driver": None
        if driver is None
        else {"engine": driver.owner.name, "requests": driver.requests},
        "waits": [wait_object(each) for each in waits],
        "timing": None if timing is None else timing_object(timing),
        "trigger": dict(run.origin.trigger) or None,
        **place_object(parts.runs.submission(run)),
    }


def get_definition(call: Call) -> Answer:
    """Tell a run's workflow as it was when it started, with those that it calls."""
    run = run_of(call)
    files = [{"file": run.file, "text": run.definition}]
    files += [{"file": file, "text": text} for file, text in run.origin.workflows.items()]
    return json_answer({"workflow": run.workflow, "files": files})


def get_run_output(call: Call) -> Answer:
    """Give the output of a run, as JSON to be saved."""
    run = run_of(call)
    if run.output is None:
        raise Refusal(404, "not-found", "The run has no output.")
    return Answer(run.output, JSON, headers=attachment(f"{run.id}.json"))


async def export_run(call: Call) -> web.StreamResponse:
    """Send all that is recorded of a run, as `fanwise export` does."""
    run = await call.in_thread(run_of)
    return await send_pages(
        call, _export(call, run), type="application/x-ndjson", name=f"{run.id}.jsonl"
    )


def _export(call: Call, run: RunRecord) -> Iterator[bytes]:
    lines: list[bytes] = []
    size = 0
    for record in call.parts.store.export(run.id):
        line = msgspec.json.encode(record_object(record)) + b"\n"
        lines.append(line)
        size += len(line)
        if size >= _EXPORT_BYTES:
            yield b"".join(lines)
            lines, size = [], 0
    yield b"".join(lines)


def filters_of(call: Call, query: RunConditions) -> RunFilters:
    """Return conditions as runs are found by them. Raises `Refusal` for a time that is none."""
    return RunFilters(
        [each.value for each in query.status],
        query.workflow,
        moment(call, query.since, "since"),
        moment(call, query.until, "until"),
        query.tag,
        query.text,
    )


def listed_runs(call: Call, found: Sequence[tuple[RunRecord, str]]) -> list[JsonObject]:
    """Return runs, with the statuses to show, as lists show them; see `ListedRun`."""
    runs = [run for run, _ in found]
    places = call.parts.store.submissions([run.run_no for run in runs])
    spans = driven_times(call.parts.runs, runs, call.parts.clock.now())
    return [
        {
            **listed_object(run, status, spans.get(run.run_no), places.get(run.run_no)),
            "created_at": iso_time(run.created_at),
            "error": error_object(run.error),
        }
        for run, status in found
    ]


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/runs",
        handler=list_runs,
        role=Role.READ,
        query=RunsQuery,
        answer=RunList,
    ),
    Route(
        method="GET",
        path="/api/v1/runs/counts",
        handler=count_runs,
        role=Role.READ,
        query=RunConditions,
        answer=RunCounts,
    ),
    Route(
        method="GET",
        path="/api/v1/runs/{run_id}",
        handler=get_run,
        tag=tags.of_run,
        role=Role.READ,
        query=RunQuery,
        answer=RunView,
        errors=(RunNotFoundError,),
    ),
    Route(
        method="GET",
        path="/api/v1/runs/{run_id}/definition",
        handler=get_definition,
        role=Role.READ,
        answer=Definition,
        errors=(RunNotFoundError,),
    ),
    Route(
        method="GET",
        path="/api/v1/runs/{run_id}/output",
        handler=get_run_output,
        role=Role.READ,
        errors=(RunNotFoundError,),
        takes_ticket=True,
    ),
    Route(
        method="GET",
        path="/api/v1/runs/{run_id}/export",
        handler=export_run,
        role=Role.READ,
        errors=(RunNotFoundError,),
        takes_ticket=True,
    ),
)
