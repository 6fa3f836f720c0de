"""Who drives a run at this moment, and what that means for its status. Only reads."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from fanwise.control import driving_lease, is_interrupted
from fanwise.model import RunRecord, Status

if TYPE_CHECKING:
    from fanwise.ports import Ownership
    from fanwise.stores import Store

INTERRUPTED = "interrupted"
"""What a run is called that isn't over or paused, and that nobody drives any more."""

_OPEN = (Status.PENDING, Status.RUNNING)
_PAGE_RUNS = 100


def shown_status(ownership: Ownership, record: RunRecord) -> str:
    """The run's status as people see it: a `Status`, or `INTERRUPTED`."""
    return INTERRUPTED if is_interrupted(ownership, record) else record.status


def find_runs(
    store: Store, status: str | None, *, before: int | None, limit: int, **filters: Any
) -> list[tuple[RunRecord, str]]:
    """The newest runs that people see with this status, or with any, each with its own.

    Other filters are those of `Records.runs`.
    """
    recorded = _OPEN if status == INTERRUPTED else (None if status is None else Status(status),)
    pages = (_page_through(store, each, before, filters) for each in recorded)
    # Of those that are pending or running only some are driven, whatever is recorded of them.
    newest_first = heapq.merge(*pages, key=lambda run: -run.run_no)
    seen = ((run, shown_status(store, run)) for run in newest_first)
    return list(islice((each for each in seen if status in (None, each[1])), limit))


def _page_through(
    store: Store, status: Status | None, before: int | None, filters: Mapping[str, Any]
) -> Iterator[RunRecord]:
    while page := store.runs(status=status, before=before, limit=_PAGE_RUNS, **filters):
        yield from page
        before = page[-1].run_no


def driving_fact(store: Store, record: RunRecord, way_on: str) -> str | None:
    """Who drives the run, or how to go on with one that nobody drives, in one line."""
    if record.status not in _OPEN:
        return None
    lease = driving_lease(store, record)
    if lease is None or lease.owner is None:
        return f"Interrupted: no process drives it any more. Go on with: {way_on}"
    kinds = dict.fromkeys(request.kind.value for request in store.requests(record.run_no))
    asked = f", and asked to {' and '.join(kinds)}" if kinds else ""
    return f"Driven by: process {lease.owner.pid} on {lease.owner.host}{asked}"
