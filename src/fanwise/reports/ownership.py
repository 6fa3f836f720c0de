"""Runs and the processes that drive them at this moment. Changes nothing but the mailbox."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import NamedTuple

from fanwise.errors import RunNotDrivenError
from fanwise.model import (
    INTERRUPTED,
    Lease,
    Owner,
    RequestKind,
    RunRecord,
    RunRequest,
    Status,
    Submission,
)
from fanwise.ports import Mailbox, Ownership, Processes, Queue, Records, is_driven
from fanwise.reports.lookup import require_open


def visit_status(visit: Status, run: str) -> str:
    """Return the status of a visit to show: none is running in a run that no process drives."""
    return INTERRUPTED if run == INTERRUPTED and visit is Status.RUNNING else visit


_OPEN = (Status.PENDING, Status.RUNNING)
_PAGE_RUNS = 100
_STANDING = {
    Status.PAUSED: "is paused already",
    Status.WAITING: "waits, and no process drives it, so there is nothing to pause",
}


class Driver(NamedTuple):
    """The process that drives a run, and the kinds of requests to it, the oldest first."""

    owner: Owner
    requests: tuple[RequestKind, ...]


class Driving(NamedTuple):
    """The seconds for which processes have driven a run, and whether one `is_on` it now.

    `total_s` is None if no time is known. Of a process that has died its last sign of life counts,
    so only the time of a single process that `is_on`, or has given the run back, `is_exact`.
    """

    total_s: float | None
    is_on: bool
    is_exact: bool = False


class Filters(NamedTuple):
    """Conditions on runs; see `Records.runs`."""

    workflow: str | None = None
    since: float | None = None
    tags: Collection[str] = ()


_ALL = Filters()


class Runs(NamedTuple):
    """The runs of a store; `processes` knows the state of the processes that drive them."""

    records: Records
    ownership: Ownership
    mailbox: Mailbox
    queue: Queue
    processes: Processes

    def owner(self, run: RunRecord) -> Owner | None:
        """Return the process that drives the run, or None."""
        lease = self.ownership.lease(run.run_no)
        return lease.owner if lease is not None and is_driven(lease, self.processes) else None

    def driver(self, run: RunRecord) -> Driver | None:
        """Return the process that drives the run, with the requests to it, or None."""
        if (owner := self.owner(run)) is None:
            return None
        kinds = (request.kind for request in self.mailbox.requests(run.run_no))
        return Driver(owner, tuple(dict.fromkeys(kinds)))

    def driving(self, run: RunRecord) -> Driving:
        """Return for how long processes have driven the run, and whether one drives it now."""
        return self.driving_by(self.ownership.lease(run.run_no))

    def driving_by(self, lease: Lease | None) -> Driving:
        """Return for how long processes have driven a run, by its lease if it has one."""
        if lease is None:
            return Driving(None, False)
        is_on = is_driven(lease, self.processes)
        held_s = lease.held_s if is_on else max(0.0, lease.held_s - lease.silent_s)
        total_s = lease.ran_s + held_s
        is_exact = lease.is_first and (is_on or lease.owner is None)
        return Driving(total_s or None, is_on, is_exact)

    def send(self, run: RunRecord, kind: RequestKind) -> None:
        """Send a request to the process that drives the run; lost if none does."""
        self.mailbox.send(run.run_no, RunRequest.of(kind, self.processes.this().name))

    def pause(self, run: RunRecord) -> None:
        """Ask the process that drives a run to pause it.

        Raises `RunOverError`, and `RunNotDrivenError` if none does.
        """
        require_open(run)
        if self.owner(run) is None:
            self.require_taken(run, f"fanwise cancel {run.id}")
            was = _STANDING.get(run.status, "was interrupted")
            raise RunNotDrivenError(
                f"run {run.id} {was}.",
                run_id=run.id,
                hint=f"Resume with: fanwise resume {run.id}",
            )
        self.send(run, RequestKind.PAUSE)

    def is_open(self, run: RunRecord) -> bool:
        """Say whether the run is pending or running by its record."""
        return run.status in _OPEN

    def submission(self, run: RunRecord) -> Submission | None:
        """Return the run's place in a queue, or None if it wasn't submitted."""
        return self.queue.submissions([run.run_no]).get(run.run_no)

    def require_taken(self, run: RunRecord, hint: str) -> None:
        """Raise `RunNotDrivenError` if the run waits in a queue."""
        place = self.submission(run)
        if place is not None and place.is_waiting:
            raise RunNotDrivenError(
                f'run {run.id} is pending: it waits in the queue "{place.queue}", and no engine '
                "has taken it.",
                run_id=run.id,
                hint=f"There is nothing to pause; to end it: {hint}",
            )

    def status(self, run: RunRecord) -> str:
        """Return the status to show: a `Status`, or `INTERRUPTED`."""
        return self.status_at(run, self.submission(run) if self.is_open(run) else None)

    def status_at(self, run: RunRecord, place: Submission | None) -> str:
        """Return the status to show of a run with this place in a queue, if it is open."""
        if not self.is_open(run) or (place is not None and place.is_waiting):
            return run.status
        return INTERRUPTED if self.owner(run) is None else run.status

    def newest(
        self,
        status: str | None = None,
        filters: Filters = _ALL,
        *,
        before: int | None = None,
        limit: int,
        sees: Callable[[str], bool] | None = None,
    ) -> list[tuple[RunRecord, str]]:
        """Return at most `limit` runs with the statuses to show, the newest first.

        `status` is the one to show; `before` bounds their `run_no`, and `sees` tells the workflows
        that they may be of.
        """
        recorded = _OPEN if status == INTERRUPTED else (None if status is None else Status(status),)
        pages = (self.page_through(each, filters, before) for each in recorded)
        # Of the pending and running runs only some are driven, whatever their records say.
        newest_first = heapq.merge(*pages, key=lambda each: -each[0].run_no)
        seen = (
            (run, self.status_at(run, place))
            for run, place in newest_first
            if sees is None or sees(run.workflow)
        )
        return list(islice((each for each in seen if status in (None, each[1])), limit))

    def page_through(
        self, status: Status | None, filters: Filters, before: int | None
    ) -> Iterator[tuple[RunRecord, Submission | None]]:
        """Yield runs with this recorded status, the newest first, and the places of open ones."""
        workflow, since, tags = filters
        while page := self.records.runs(
            status=status,
            workflow=workflow,
            since=since,
            tags=tags,
            before=before,
            limit=_PAGE_RUNS,
        ):
            places = self.queue.submissions([run.run_no for run in page if self.is_open(run)])
            yield from ((run, places.get(run.run_no)) for run in page)
            before = page[-1].run_no
