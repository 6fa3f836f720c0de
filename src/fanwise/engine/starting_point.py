"""The point at which a workflow begins in this process: its start, or the end of its records."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fanwise.conductor import Command, Event, State
from fanwise.model import VisitRecord
from fanwise.plan import Plan


class StartingPoint(msgspec.Struct, frozen=True):
    """A workflow's state, and as much of its records as is needed to continue.

    `opening_events` come first, and `pending` has the commands that wait to be carried out; the
    commands that follow from the opening events come after them. `rows` holds the row of each
    task's latest visit; those in `begun` had started. `sizes` has the bytes of the values in the
    context by their names, `seq` the number of recorded events, and `since_s` the seconds for which
    the run had been driven when its latest replay from the start was recorded.
    """

    state: State
    opening_events: tuple[Event, ...] = ()
    pending: tuple[Command, ...] = ()
    rows: Mapping[int, VisitRecord] = {}
    begun: frozenset[int] = frozenset()
    sizes: Mapping[str, int] = {}
    seq: int = 0
    since_s: float = 0.0


def first_state(plan: Plan) -> State:
    """The state of a workflow before its first event."""
    return State.initial(plan.graph, len(plan.tasks) - len(plan.graph.names))
