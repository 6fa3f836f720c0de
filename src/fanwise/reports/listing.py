"""Runs found by several conditions at once, a page at a time; a page reads a bounded number."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, tzinfo
from itertools import islice
from typing import Final, NamedTuple

from fanwise.definition import parse_duration
from fanwise.model import INTERRUPTED, RunRecord, Status, Submission
from fanwise.reports.ownership import Filters, Runs

_OPEN: Final = (Status.PENDING, Status.RUNNING)

MOST_READ: Final = 5_000
"""Runs that a page reads at most; a page that finds few ends there, and has a next one."""


class RunFilters(NamedTuple):
    """Conditions on runs. Of statuses and workflows one has to be true; none is any.

    Statuses are those to show. `text` is a part of the id, the workflow's name or the error.
    """

    statuses: Collection[str] = ()
    workflows: Collection[str] = ()
    since: float | None = None
    until: float | None = None
    tags: Collection[str] = ()
    text: str = ""

    def holds(self, run: RunRecord, status: str) -> bool:
        """Say whether the conditions hold that no index of the store knows."""
        if self.statuses and status not in self.statuses:
            return False
        if self.until is not None and run.created_at >= self.until:
            return False
        if not self.text:
            return True
        error = "" if run.error is None else f"{run.error.type} {run.error.message}"
        return self.text.lower() in f"{run.id} {run.workflow} {error}".lower()


class RunPage(NamedTuple):
    """Runs with the statuses to show, and the `before` of the next page; None for the last one."""

    runs: list[tuple[RunRecord, str]]
    before: int | None


def find_runs(
    runs: Runs,
    filters: RunFilters,
    sees: Callable[[str], bool],
    *,
    before: int | None = None,
    limit: int,
) -> RunPage:
    """Return the newest runs that fulfil the conditions, of workflows that the reader `sees`."""
    found: list[tuple[RunRecord, str]] = []
    for read, (run, place) in enumerate(_merged(runs, filters, before), 1):
        if sees(run.workflow) and filters.holds(run, status := runs.status_at(run, place)):
            found.append((run, status))
            if len(found) > limit:  # there are more
                return RunPage(found[:limit], found[limit - 1][0].run_no)
        if read == MOST_READ:
            return RunPage(found, run.run_no)
    return RunPage(found, None)


def count_newest(
    runs: Runs, filters: Filters, sees: Callable[[str], bool], *, most: int
) -> tuple[Counter[str], bool]:
    """Return the numbers of the newest runs by the status to show, and whether there may be more.

    Only those that are open are looked at, as just their records don't tell it.
    """
    workflow, since, tags = filters
    found = runs.records.status_counts(workflow=workflow, since=since, tags=tags, most=most)
    counts: Counter[str] = Counter()
    for each in found:
        if sees(each.workflow) and each.status not in _OPEN:
            counts[each.status] += each.runs
    for status in _OPEN:
        if any(each.status is status for each in found):
            pages = runs.page_through(status, filters, None)
            counts.update(
                runs.status_at(run, place)
                for run, place in islice(pages, most)
                if sees(run.workflow)
            )
    return counts, sum(each.runs for each in found) >= most


def _merged(
    runs: Runs, filters: RunFilters, before: int | None
) -> Iterator[tuple[RunRecord, Submission | None]]:
    """The runs of all statuses and workflows that are asked for, the newest first."""
    recorded = dict.fromkeys(status for each in filters.statuses for status in _recorded(each))
    pages = [
        runs.page_through(status, Filters(workflow, filters.since, filters.tags), before)
        for status in recorded or [None]
        for workflow in dict.fromkeys(filters.workflows) or [None]
    ]
    return heapq.merge(*pages, key=lambda each: -each[0].run_no)


def _recorded(status: str) -> Collection[Status]:
    """The statuses by their records of runs with a status to show."""
    return (Status.PENDING, Status.RUNNING) if status == INTERRUPTED else (Status(status),)


def read_moment(text: str, now_s: float, zone: tzinfo | None = None) -> float:
    """Return the time of a span before `now_s`, such as `2h`, or of a date or time as in ISO 8601.

    One that names no zone is of `zone`, or of this machine's. Raises `ValueError` and
    `OverflowError`.
    """
    try:
        return now_s - parse_duration(text)
    except ValueError:
        pass
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).timestamp()
