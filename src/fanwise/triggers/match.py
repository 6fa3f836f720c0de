"""Events and ends of runs: which of them concern a trigger, and how many become one run.

State goes in and comes out; nothing is kept here, and no clock is read. Times are seconds since
1970.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from fanwise.model import INTERRUPTED


def matches(patterns: Collection[str], name: str) -> bool:
    """True if one of the patterns, in which `*` stands for any characters, is the name."""
    return any(_pattern(each).fullmatch(name) for each in patterns)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)


# Ends of runs


class EndRules(msgspec.Struct, frozen=True, kw_only=True):
    """The ends that concern a trigger of the workflow `own`, by names and statuses.

    The name `*` stands for any workflow, and the status `ended` for any end.
    """

    own: str
    workflows: tuple[str, ...]
    statuses: tuple[str, ...]

    @property
    def is_for_all(self) -> bool:
        """True if it names no workflow: it leaves out what run triggers have started then."""
        return ANY in self.workflows


ANY: Final = "*"
ENDED: Final = "ended"


def end_matches(rules: EndRules, workflow: str, status: str) -> bool:
    """True if the end of a run of a workflow concerns a trigger; one never follows its own runs."""
    is_named = workflow != rules.own and (rules.is_for_all or workflow in rules.workflows)
    has_ended = ENDED in rules.statuses and status != INTERRUPTED
    return is_named and (has_ended or status in rules.statuses)


# Batches


class BatchRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules by which arrivals become one run.

    A batch closes with its `size`th arrival, `within_s` after its first, or `debounce_s` after its
    last one, whichever comes first; None never closes it.
    """

    size: int | None = None
    within_s: float | None = None
    debounce_s: float | None = None


class Batch(msgspec.Struct, frozen=True):
    """Arrivals that gather under one key: how many, and when the first and the last one came."""

    number: int
    count: int
    opened_at: float
    last_at: float


class Batches(msgspec.Struct, frozen=True):
    """The open batches of a trigger by their keys, and the number that the next one gets."""

    open: Mapping[str, Batch] = {}
    next_number: int = 1


def gather(
    rules: BatchRules, batches: Batches, key: str, at: float
) -> tuple[Batches, int, tuple[int, ...]]:
    """Put an arrival into the open batch of its key, or into a new one.

    Gives the batches, the number of the arrival's batch, and the numbers of those that are closed:
    those that were due before it, and its own if that is full.
    """
    batches, closed = close(rules, batches, at)
    found = batches.open.get(key)
    if found is None:
        batch = Batch(batches.next_number, 1, at, at)
        batches = msgspec.structs.replace(batches, next_number=batches.next_number + 1)
    else:
        last_at = max(found.last_at, at)
        batch = msgspec.structs.replace(found, count=found.count + 1, last_at=last_at)
    still_open = {**batches.open, key: batch}
    if rules.size is not None and batch.count >= rules.size:
        del still_open[key]
        closed = (*closed, batch.number)
    return msgspec.structs.replace(batches, open=still_open), batch.number, closed


def close(rules: BatchRules, batches: Batches, now: float) -> tuple[Batches, tuple[int, ...]]:
    """Close the batches that are due: gives the others, and the numbers of those closed."""
    due = {key for key, batch in batches.open.items() if _deadline(rules, batch) <= now}
    if not due:
        return batches, ()
    closed = sorted(batches.open[key].number for key in due)
    still_open = {key: batch for key, batch in batches.open.items() if key not in due}
    return msgspec.structs.replace(batches, open=still_open), tuple(closed)


def next_deadline(rules: BatchRules, batches: Batches) -> float | None:
    """The time to call `close` next, or None if no open batch waits for a time."""
    first = min((_deadline(rules, each) for each in batches.open.values()), default=float("inf"))
    return None if first == float("inf") else first


def _deadline(rules: BatchRules, batch: Batch) -> float:
    ends = (
        (batch.opened_at, rules.within_s),
        (batch.last_at, rules.debounce_s),
    )
    return min((at + span_s for at, span_s in ends if span_s is not None), default=float("inf"))
