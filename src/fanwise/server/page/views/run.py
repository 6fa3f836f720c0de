"""A run: how it stands, what failed and why, its tasks, its output, and the acts that it allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from fanwise.model import (
    INTERRUPTED,
    ErrorInfo,
    RunRecord,
    Status,
    Submission,
    VisitRecord,
    inner_path,
)
from fanwise.reports.causes import find_cause
from fanwise.reports.kinds import Digest, digest_items
from fanwise.reports.lookup import find_steps, last_visits, tree
from fanwise.reports.overview import Overview, driven_s
from fanwise.reports.ownership import visit_status
from fanwise.reports.progress import ItemProgress, item_progress
from fanwise.server.finding import overview_of
from fanwise.server.page.pages import Page, Shown
from fanwise.server.page.views.finding import driven_since, open_waits, visible_run
from fanwise.server.routes import Call, Fields
from fanwise.values import decode

_MOST_STEPS: Final = 200
_NO_OUTPUT: Final = b"null"  # of a workflow that names none
_MOST_WAITS: Final = 20
_MOST_FAILED: Final = 20


class Step(NamedTuple):
    """A line of the tasks: a task, or a step of a child workflow, set in by its depth."""

    path: str
    name: str
    depth: int
    status: str
    visit: VisitRecord | None
    items: ItemProgress | None
    duration_s: float | None

    @property
    def error(self) -> ErrorInfo | None:
        """The error with which its last visit ended."""
        return None if self.visit is None else self.visit.error


class Failure(NamedTuple):
    """A failure and where it began: its error, and kinds of errors if items have failed.

    `path` names a task or an item.
    """

    path: str
    error: ErrorInfo


class FailedItems(NamedTuple):
    """A task of which items failed, and the kinds of their errors, the most frequent first."""

    path: str
    items: ItemProgress
    digest: Digest


class WithinQuery(Fields, frozen=True):
    """The path of a task or item that ran a child workflow, whose steps are meant."""

    within: str = ""


def head_of(call: Call, run: RunRecord, tab: str) -> Mapping[str, object]:
    """Return what the head of each page of a run shows."""
    runs = call.parts.runs
    status = runs.status(run)
    driver = runs.driver(run) if runs.is_open(run) else None
    now = call.parts.clock.now()
    span_s = driven_s(runs, run, now)
    return {
        "run": run,
        "status": status,
        "tab": tab,
        "driver": driver,
        "duration_s": span_s,
        "since": driven_since(run.started_at, span_s, now),
        "place": runs.submission(run),
        "acts": acts_of(run, status, runs.submission(run)),
        "trigger": dict(run.origin.trigger),
    }


def acts_of(run: RunRecord, status: str, place: Submission | None) -> Sequence[str]:
    """Return the words of what can be done with a run as it stands, the likeliest first."""
    if status == INTERRUPTED:
        return ("resume", "cancel")
    if status in (Status.PAUSED, Status.WAITING):
        return ("resume", "cancel") if status == Status.PAUSED else ("cancel",)
    if status == Status.RUNNING:
        return ("pause", "cancel")
    if status == Status.PENDING:
        return ("cancel",) if place is not None and place.is_waiting else ("pause", "cancel")
    return ("retry",) if status in (Status.FAILED, Status.CANCELLED) else ()


def view(call: Call) -> Shown:
    """Show a run, or the steps of a child workflow of it."""
    run, within = visible_run(call, call.names["run_id"]), call.query(WithinQuery).within
    seen = overview_of(call, run)
    steps = list(_within(call, run, seen, within) if within else _steps(call, seen))
    shown = {step.path: step.visit for step in steps if step.visit is not None}
    values = {
        **head_of(call, run, "tasks"),
        "within": within,
        "steps": steps,
        "waits": [] if within else open_waits(call, run_no=run.run_no, limit=_MOST_WAITS),
        "failures": list(_failures(call, run, shown)),
        "failed_items": [] if within else list(_failed_items(call, seen)),
        "parameters": decode(run.parameters),
        "output": _output(run) if not within else None,
        "error": run.error,
    }
    return Shown.of_run(f"{run.workflow} {run.id}", run, values)


def _output(run: RunRecord) -> bytes | None:
    return run.output if run.status is Status.SUCCEEDED and run.output != _NO_OUTPUT else None


def _steps(call: Call, seen: Overview) -> Iterator[Step]:
    """The tasks of a run, each with the steps of its child workflow behind it."""
    records = call.parts.store
    left = _MOST_STEPS
    for name in seen.run.tasks:
        visit = seen.last.get(name)
        yield Step(
            *(name, name, 0, seen.task_status(name), visit, seen.progress.get(name)),
            seen.duration_s(name),
        )
        if visit is None or visit.has_items or left <= 0:
            continue
        inner = records.tasks(seen.record.run_no, within=inner_path(visit.path, visit.visit))
        found = tree(records, seen.record.run_no, inner, left)
        left -= len(found)
        yield from (_step(call, seen.status, each) for each in last_visits(found).values())


def _within(call: Call, run: RunRecord, seen: Overview, path: str) -> Iterator[Step]:
    found = find_steps(call.parts.store, run, path)
    for visit in last_visits(found).values():
        yield _step(call, seen.status, visit)._replace(name=visit.path.rpartition(".")[2], depth=0)


def _step(call: Call, run_status: str, visit: VisitRecord) -> Step:
    ended = visit.ended_at
    span = None if visit.started_at is None or ended is None else max(0.0, ended - visit.started_at)
    return Step(
        visit.path,
        visit.path.rpartition(".")[2],
        visit.path.count("."),
        visit_status(visit.status, run_status),
        visit,
        item_progress(call.parts.store, visit),
        span,
    )


def _failures(call: Call, run: RunRecord, visits: Mapping[str, VisitRecord]) -> Iterator[Failure]:
    """The failures of a run where each began; of tasks whose items failed the kinds tell more."""
    told: set[str] = set()
    failed = [visit for visit in visits.values() if visit.error is not None]
    for visit in failed[:_MOST_FAILED]:
        assert visit.error is not None
        if visit.has_items and visit.items is not None and visit.items.failed:
            continue
        cause = find_cause(call.parts.store, run.run_no, visit.path, visit.error)
        if cause.path not in told:
            told.add(cause.path)
            yield Failure(cause.path, cause.error)


def _failed_items(call: Call, seen: Overview) -> Iterator[FailedItems]:
    for name, items in seen.progress.items():
        if items.failed:
            visit = seen.last[name]
            digest = digest_items(call.parts.store, visit.run_no, visit.visit_no)
            yield FailedItems(name, items, digest)


PAGE: Final = Page(
    path="/runs/{run_id}", room="runs", template="run.html", view=view, query=WithinQuery
)
