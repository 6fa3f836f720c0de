"""The limits across runs that are in use, and the runs that keep slots without being driven."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fanwise.model import LimitUse
from fanwise.ports import RunSlots
from fanwise.reports.ownership import INTERRUPTED, Runs


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
