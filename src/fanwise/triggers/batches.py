"""Batches of arrivals: how many become one run, and what becomes of batches that are closed.

An arrival that isn't gathered with others is a batch of its own. State goes in and comes out;
nothing is kept here, and no clock is read. Times are seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from fanwise.model import FireStatus
from fanwise.triggers.overlap import REPLACED, OpenRun, Overlap

MOST_IN_BATCH: Final = 100_000
MOST_OPEN: Final = 1_000
"""Batches that are open at once, one for each key; the oldest makes room for another one."""


class BatchRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules by which arrivals become one run.

    A batch closes with its `size`th arrival, `within_s` after its first, or `debounce_s` after its
    last one, whichever comes first; None never closes it. With `MOST_IN_BATCH` it closes anyway.
    """

    size: int | None = None
    within_s: float | None = None
    debounce_s: float | None = None


ALONE: Final = BatchRules(size=1)
"""The rules of arrivals that aren't gathered."""


class Batch(msgspec.Struct, frozen=True):
    """Arrivals that gather under one key: how many, and when the first and the last one came."""

    number: int
    count: int
    opened_at: float
    last_at: float


class Batches(msgspec.Struct, frozen=True):
    """The batches of a trigger: those that are open, by their keys, and those that are closed.

    A closed one waits for its fire. `next_number` is that of the next batch.
    """

    open: Mapping[str, Batch] = {}
    closed: tuple[Batch, ...] = ()
    next_number: int = 1


def gather(rules: BatchRules, batches: Batches, key: str, at: float) -> tuple[Batches, int]:
    """Put an arrival into the open batch of its key, or into a new one.

    Gives the batches, of which those are closed that were due before it, and its own if that is
    full; and the number of the arrival's batch.
    """
    batches = close(rules, batches, at)
    found = batches.open.get(key)
    if found is None:
        batches = _make_room(batches)
        batch = Batch(batches.next_number, 1, at, at)
        batches = msgspec.structs.replace(batches, next_number=batches.next_number + 1)
    else:
        last_at = max(found.last_at, at)
        batch = msgspec.structs.replace(found, count=found.count + 1, last_at=last_at)
    if batch.count >= min(rules.size or MOST_IN_BATCH, MOST_IN_BATCH):
        batches = _closed(batches, {key: batch})
    else:
        batches = msgspec.structs.replace(batches, open={**batches.open, key: batch})
    return batches, batch.number


def close(rules: BatchRules, batches: Batches, now: float) -> Batches:
    """Close the batches that are due."""
    return _closed(
        batches,
        {key: each for key, each in batches.open.items() if _deadline(rules, each) <= now},
    )


def next_deadline(rules: BatchRules, batches: Batches) -> float | None:
    """The time to call `close` next, or None if no open batch waits for a time."""
    first = min((_deadline(rules, each) for each in batches.open.values()), default=float("inf"))
    return None if first == float("inf") else first


def _make_room(batches: Batches) -> Batches:
    if len(batches.open) < MOST_OPEN:
        return batches
    oldest = min(batches.open, key=lambda key: batches.open[key].number)
    return _closed(batches, {oldest: batches.open[oldest]})


def _closed(batches: Batches, full: Mapping[str, Batch]) -> Batches:
    if not full:
        return batches
    still_open = {key: each for key, each in batches.open.items() if key not in full}
    closed = sorted(full.values(), key=lambda each: each.number)
    return msgspec.structs.replace(batches, open=still_open, closed=(*batches.closed, *closed))


def _deadline(rules: BatchRules, batch: Batch) -> float:
    ends = (
        (batch.opened_at, rules.within_s),
        (batch.last_at, rules.debounce_s),
    )
    return min((at + span_s for at, span_s in ends if span_s is not None), default=float("inf"))


# Fires


class BatchFire(msgspec.Struct, frozen=True):
    """The end of a batch: it makes a run if it `ran`."""

    batch: Batch
    status: FireStatus = FireStatus.RAN
    reason: str = ""


class Admission(msgspec.Struct, frozen=True):
    """The fires of closed batches, those that wait on, and the runs to cancel."""

    fires: tuple[BatchFire, ...] = ()
    waiting: tuple[Batch, ...] = ()
    cancels: tuple[str, ...] = ()


def admit(
    overlap: Overlap, closed: Sequence[Batch], open_runs: Sequence[OpenRun], *, gathers: bool
) -> Admission:
    """Decide what becomes of closed batches, the oldest first.

    Batches of gathered arrivals are never dropped: with `skip` and `queue` they wait as well.
    """
    if overlap is Overlap.ALLOW:
        return Admission(tuple(map(BatchFire, closed)))
    if overlap is Overlap.CANCEL:
        return _in_place_of(open_runs, closed)
    first = [] if open_runs else [BatchFire(each) for each in closed[:1]]
    rest = closed[len(first) :]
    if gathers or overlap is Overlap.QUEUE_ALL:
        return Admission(tuple(first), tuple(rest))
    if overlap is Overlap.QUEUE:
        return Admission((*first, *_replaced(rest)), tuple(rest[-1:]))
    skipped = (BatchFire(each, FireStatus.SKIPPED, _why(open_runs)) for each in rest)
    return Admission((*first, *skipped))


def _in_place_of(open_runs: Sequence[OpenRun], closed: Sequence[Batch]) -> Admission:
    """The newest fires, once the runs that are cancelled for it have ended."""
    replaced = tuple(_replaced(closed))
    if not open_runs:
        return Admission((*replaced, *map(BatchFire, closed[-1:])))
    cancels = tuple(each.id for each in open_runs) if closed else ()
    return Admission(replaced, tuple(closed[-1:]), cancels)


def _replaced(batches: Sequence[Batch]) -> Sequence[BatchFire]:
    """All but the newest, which takes their place."""
    return [BatchFire(each, FireStatus.REPLACED, REPLACED) for each in batches[:-1]]


def _why(open_runs: Sequence[OpenRun]) -> str:
    if open_runs:
        return f"run {open_runs[0].id} is {open_runs[0].status}"
    return "an earlier one has fired at the same time"
