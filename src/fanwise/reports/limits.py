"""The limits across runs that are in use, and the runs that keep slots without being driven."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from fanwise.model import INTERRUPTED, LimitUse, ShareUse
from fanwise.ports import RunSlots, Shares
from fanwise.reports.ownership import Runs


class LimitInUse(NamedTuple):
    """A limit, and the holders of its slots that were `interrupted`."""

    use: LimitUse
    interrupted: tuple[str, ...]


def limits_in_use(slots: RunSlots, runs: Runs) -> Sequence[LimitInUse]:
    """Return the limits of which a run has a slot or waits for one, by scope and key."""
    return [LimitInUse(use, _interrupted(use, runs)) for use in slots.limits()]


def _interrupted(use: LimitUse, runs: Runs) -> tuple[str, ...]:
    records = (runs.records.run(run_id) for run_id in use.holders)
    return tuple(record.id for record in records if record and runs.status(record) == INTERRUPTED)


class NamedLimitInUse(NamedTuple):
    """A named limit on attempts, and the shares of it that engines have; `most` may be no bound."""

    name: str
    most: int | None
    shares: tuple[ShareUse, ...]

    @property
    def running(self) -> int:
        """The number of attempts that run under the limit."""
        return sum(share.running for share in self.shares)


def named_limits_in_use(shares: Shares) -> Sequence[NamedLimitInUse]:
    """Return the named limits under which attempts run or wait, by name."""
    by_name = groupby(shares.shares(), key=lambda share: share.name)
    found = [(name, tuple(each)) for name, each in by_name]
    return [NamedLimitInUse(name, each[-1].most, each) for name, each in found]
