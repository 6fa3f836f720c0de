"""The spans of a run: of itself, of its visits and of a sample of their items. Only reads.

No span has a value of the workflow, a label or a message: only names, places, counts, types of
errors and times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from fanwise.model import FailedAttempt, RunRecord, Status, VisitRecord, inner_path
from fanwise.ports import Records
from fanwise.reports.lookup import tree
from fanwise.reports.objects import read_attempts, read_error
from fanwise.telemetry.traces.sampling import sampled_items
from fanwise.trace_ids import parent_ids, span_id, trace_id, visit_key
from fanwise.values import decode

MOST_VISITS: Final = 1_000
"""Visits of a run that have spans."""

Attributes = Mapping[str, str | int]

_GOOD: Final = frozenset({Status.SUCCEEDED, Status.SKIPPED})


class Event(NamedTuple):
    """An event of a span, at a time in seconds since the epoch."""

    name: str
    at: float
    attributes: Attributes


class Span(NamedTuple):
    """A span; times are in seconds since the epoch.

    `links` has the trace and the span of what it continues.
    """

    name: str
    trace: int
    id: int
    parent: int | None
    started_at: float
    ended_at: float
    is_error: bool
    attributes: Attributes
    events: tuple[Event, ...] = ()
    links: tuple[tuple[int, int], ...] = ()


def run_spans(records: Records, run: RunRecord) -> Iterator[Span]:
    """Yield the spans of a run that is over, or of its last retry: those of what that has run."""
    *before, begun_at = _tries(records, run)
    trace, root = trace_id(run.id, len(before), parent=run.origin.traceparent), span_id(run.id)
    is_asked = bool(run.origin.traceparent) and not before
    visits = [
        visit
        for visit in tree(records, run.run_no, records.tasks(run.run_no), MOST_VISITS + 1)
        if visit.started_at is not None and (visit.ended_at or 0.0) >= begun_at
    ]
    is_cut = len(visits) > MOST_VISITS
    yield Span(
        name=run.workflow,
        trace=trace,
        id=root,
        parent=parent_ids(run.origin.traceparent)[1] if is_asked else None,
        started_at=begun_at,
        ended_at=run.ended_at or begun_at,
        is_error=run.status not in _GOOD,
        attributes={
            "fanwise.run": run.id,
            "fanwise.workflow": run.workflow,
            "fanwise.status": run.status.value,
            **({"error.type": run.error.type} if run.error else {}),
            **({"fanwise.visits.cut": MOST_VISITS} if is_cut else {}),
        },
        links=_links(run, len(before), root),
    )
    parents = {
        inner_path(visit.path, visit.visit): span_id(visit_key(run.id, visit.path, visit.visit))
        for visit in visits
    }
    for visit in visits[:MOST_VISITS]:
        parent = parents.get(visit.path.rpartition(".")[0], root)
        yield from _visit_spans(records, run, visit, trace, parent, begun_at)


def _links(run: RunRecord, retries: int, root: int) -> tuple[tuple[int, int], ...]:
    """The span of the try before a retry."""
    if not retries:
        return ()
    return ((trace_id(run.id, retries - 1, parent=run.origin.traceparent), root),)


def _tries(records: Records, run: RunRecord) -> list[float]:
    """The times at which the run was started, and at which each retry of it was."""
    begun = [
        decode(event.data).get("at")
        for event in records.driving_events(run.run_no)
        if event.kind == "RunStarted"
    ]
    first = run.started_at or run.created_at
    return [first, *(at or first for at in begun[1:])]


def _visit_spans(
    records: Records,
    run: RunRecord,
    visit: VisitRecord,
    trace: int,
    parent: int,
    begun_at: float,
) -> Iterator[Span]:
    started_at = max(visit.started_at or 0.0, begun_at)
    own = span_id(visit_key(run.id, visit.path, visit.visit))
    items = list(_item_spans(records, run, visit, trace, own)) if visit.has_items else []
    counts = visit.items
    attributes: dict[str, str | int] = {
        "fanwise.run": run.id,
        "fanwise.task": visit.path,
        "fanwise.visit": visit.visit,
        "fanwise.status": visit.status.value,
    }
    if visit.error is not None:
        attributes["error.type"] = visit.error.type
    if counts is not None:
        attributes["fanwise.items.total"] = counts.total
        attributes["fanwise.items.failed"] = counts.failed
        attributes["fanwise.items.left_out"] = counts.succeeded + counts.failed - len(items)
    yield Span(
        name=visit.path,
        trace=trace,
        id=own,
        parent=parent,
        started_at=started_at,
        ended_at=max(started_at, visit.ended_at or 0.0),
        is_error=visit.status not in _GOOD,
        attributes=attributes,
        events=_attempts(visit.earlier),
    )
    yield from items


def _item_spans(
    records: Records, run: RunRecord, visit: VisitRecord, trace: int, parent: int
) -> Iterator[Span]:
    for item in sampled_items(records, visit):
        earlier = read_attempts(item.earlier) if item.earlier else ()
        started_at = min([item.started_at, *(attempt.started_at for attempt in earlier)])
        error = {"error.type": read_error(item.error).type} if item.error else {}
        path = f"{visit.path}[{item.index}]"
        yield Span(
            name=path,
            trace=trace,
            id=span_id(visit_key(run.id, path, visit.visit)),
            parent=parent,
            started_at=started_at,
            ended_at=item.started_at + item.duration_s,
            is_error=item.status is not Status.SUCCEEDED,
            attributes={
                "fanwise.run": run.id,
                "fanwise.task": visit.path,
                "fanwise.item.index": item.index,
                "fanwise.item.attempts": item.attempts,
                "fanwise.status": item.status.value,
                **error,
            },
            events=_attempts(earlier),
        )


def _attempts(earlier: Iterable[FailedAttempt]) -> tuple[Event, ...]:
    """An event for each failed attempt, at its end."""
    return tuple(
        Event(
            "attempt failed",
            each.started_at + each.duration_s,
            {"fanwise.attempt": each.attempt, "error.type": each.type},
        )
        for each in earlier
    )
