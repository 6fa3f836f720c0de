"""The turns of a trigger to which something has come: an event, a request or a file.

One turn sorts arrivals into batches, and another one fires batches that are closed. Both are
decided on the trigger's state, and only recorded if it is still at the same turn, so each arrival
is in one batch, and each batch makes one run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeAlias

import msgspec

from fanwise.errors import FanwiseError
from fanwise.model import (
    DROPPED,
    Arrival,
    FireStatus,
    NewFire,
    TriggerState,
    TriggerTurn,
)
from fanwise.plan.project_triggers import Owned
from fanwise.plan.triggers import gathers
from fanwise.ports import Arrivals, Fires
from fanwise.service.endings import MOST_DEPTH
from fanwise.service.turns import MakeRun, OpenFires, made_fire
from fanwise.triggers.batches import (
    ALONE,
    Batch,
    Batches,
    BatchFire,
    BatchRules,
    admit,
    close,
    gather,
    next_deadline,
)
from fanwise.triggers.events import Events, event_of
from fanwise.triggers.facts import event_facts
from fanwise.triggers.match import matches
from fanwise.triggers.overlap import Overlap
from fanwise.triggers.skips import WHEN_FAILS
from fanwise.values import FrozenDict, encode

_MOST_SORTED: Final = 2_000
"""Arrivals that one turn sorts."""
_MOST_FIRES: Final = 200
_MOST_CLOSED: Final = 1_000
"""Batches that wait for their fire while further arrivals are sorted; beyond it these wait."""

ReadBatch: TypeAlias = Callable[[int, int, int], Sequence[tuple[int, Arrival]]]
"""Reads the arrivals of a batch by its number, from an index up to another one."""

_decode = msgspec.json.Decoder(Batches).decode


class ArrivalTurns:
    """The decider of the kinds `event` and `webhook`."""

    def __init__(self, fires: Fires, arrivals: Arrivals, make_run: MakeRun) -> None:
        self._fires = fires
        self._arrivals = arrivals
        self._make_run = make_run

    def begin(self) -> None:
        """Do nothing: arrivals need no preparation."""

    def is_due(self, owned: Owned, state: TriggerState, now: float) -> bool:
        """Say whether a trigger has to be decided; see `Decider.is_due`."""
        is_timed = state.next_at is not None and state.next_at <= now
        is_new = state.fingerprint != owned.trigger.fingerprint
        return state.has_arrivals or is_timed or is_new or bool(_batches_of(state).closed)

    def turn(self, owned: Owned, state: TriggerState, now: float) -> TriggerTurn | None:
        """Return the next turn of a trigger; see `Decider.turn`."""
        names = state.workflow, state.name
        is_new = state.fingerprint != owned.trigger.fingerprint
        if is_new or (state.has_arrivals and len(_batches_of(state).closed) < _MOST_CLOSED):
            arrivals = self._arrivals.delivered(*names, most=_MOST_SORTED)
            if is_new or arrivals:
                return sorting_turn(owned, state, now, arrivals)
        found = self._fires.open_fires(*names) if owned.trigger.overlap is not Overlap.ALLOW else ()
        read = partial(self._arrivals.gathered, *names)
        return firing_turn(owned, state, now, OpenFires.of(found), read, self._make_run)


def sorting_turn(
    owned: Owned, state: TriggerState, now: float, arrivals: Sequence[Arrival]
) -> TriggerTurn:
    """Return the turn that puts arrivals into batches, and has further events delivered."""
    sorting = _Sorting(owned, _batches_of(state), now)
    for each in arrivals:
        sorting.add(each)
    is_known = state.fingerprint == owned.trigger.fingerprint
    is_last = len(arrivals) < _MOST_SORTED and not sorting.batches.closed
    return msgspec.structs.replace(
        _turn(owned, state, now, sorting.batches, is_last=is_last),
        listens=None if is_known else _listens(owned),
        sorted=tuple(sorting.placed),
        fires=tuple(sorting.fires()),
    )


def firing_turn(
    owned: Owned,
    state: TriggerState,
    now: float,
    open_fires: OpenFires,
    read_batch: ReadBatch,
    make_run: MakeRun,
) -> TriggerTurn | None:
    """Return the turn that fires the batches that are closed by now.

    None if nothing changes, or if a server that was faster has fired one of them already.
    """
    trigger = owned.trigger
    before = _batches_of(state)
    batches = close(_rules(owned), before, now)
    gathered = gathers(trigger.definition)
    admission = admit(trigger.overlap, batches.closed, open_fires.runs, gathers=gathered)
    fires = admission.fires[:_MOST_FIRES]
    decided = {each.batch.number for each in fires}
    waiting = tuple(each for each in batches.closed if each.number not in decided)
    batches = msgspec.structs.replace(batches, closed=waiting)
    is_last = len(fires) == len(admission.fires) and not (fires and state.has_arrivals)
    turn = _turn(owned, state, now, batches, is_last=is_last)
    if batches == before and turn.next_at == state.next_at and not admission.cancels:
        return None
    try:
        made = tuple(_new_fire(owned, each, now, read_batch, make_run) for each in fires)
    except _TakenError:
        return None
    return msgspec.structs.replace(turn, fires=made, cancels=admission.cancels)


class _Sorting:
    """Sorts arrivals one after the other."""

    def __init__(self, owned: Owned, batches: Batches, now: float) -> None:
        self.batches = batches
        self.placed: list[tuple[int, int]] = []
        self._owned = owned
        self._rules = _rules(owned)
        self._listens = _listens(owned)
        self._now = now
        self._undone: dict[tuple[FireStatus, str], list[Arrival]] = {}

    def add(self, arrival: Arrival) -> None:
        """Put an arrival into a batch, or note why it comes into none."""
        try:
            key = self._key(arrival)
        except _UndoneError as undone:
            self._undone.setdefault((undone.status, undone.reason), []).append(arrival)
            key = None
        except FanwiseError as error:
            self._undone.setdefault((FireStatus.FAILED, str(error)), []).append(arrival)
            key = None
        number = DROPPED
        if key is not None:
            self.batches, number = gather(self._rules, self.batches, key, arrival.at)
        self.placed.append((arrival.arrival_no, number))

    def fires(self) -> Sequence[NewFire]:
        """A fire for each reason why arrivals come into no batch."""
        return [
            NewFire(
                key=f"{status}:{found[0].arrival_no}",
                at=found[-1].at,
                first=found[0].at,
                n=len(found),
                status=status,
                reason=reason,
                facts=encode({"kind": self._owned.trigger.kind, "depth": found[0].depth}),
            )
            for (status, reason), found in self._undone.items()
        ]

    def _key(self, arrival: Arrival) -> str | None:
        """The key of its batch; None if the trigger was edited, and doesn't wait for it now."""
        trigger = self._owned.trigger
        if self._listens and not matches(self._listens, arrival.name):
            return None
        if arrival.depth > MOST_DEPTH:
            reason = f"more than {MOST_DEPTH} triggers have fired each other"
            raise _UndoneError(FireStatus.REFUSED, reason)
        if trigger.when is None and trigger.batch_key is None:
            return ""
        facts = facts_of(self._owned, arrival, self._now)
        if not trigger.admits(facts):
            raise _UndoneError(FireStatus.SKIPPED, WHEN_FAILS)
        return trigger.batch_of(facts)


class _UndoneError(Exception):
    """An arrival comes into no batch."""

    def __init__(self, status: FireStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class _TakenError(Exception):
    """A batch has fired since the trigger's state was read."""


def _new_fire(
    owned: Owned, fire: BatchFire, now: float, read_batch: ReadBatch, make_run: MakeRun
) -> NewFire:
    batch, trigger = fire.batch, owned.trigger
    beginning = read_batch(batch.number, 0, 1)
    if not beginning:
        raise _TakenError
    ((_, first),) = beginning
    gathered = gathers(trigger.definition)
    new = NewFire(
        key=f"batch:{batch.number}" if gathered else arrival_key(first),
        at=batch.last_at,
        first=batch.opened_at,
        n=batch.count,
        status=fire.status,
        reason=fire.reason,
        batch=batch.number,
        has_events=gathered,
    )
    if fire.status is not FireStatus.RAN:
        return new
    facts = facts_of(owned, first, now)
    if gathered:
        facts = FrozenDict({**facts, "event": None, "events": _events(batch, read_batch)})
    return made_fire(owned, new, facts, make_run, is_judged=True)


def arrival_key(arrival: Arrival) -> str:
    """The unique key of the fire of one arrival. Its form never changes, or it would fire again."""
    return f"{arrival.source}:{arrival.name}:{arrival.id}"


def facts_of(owned: Owned, arrival: Arrival, now: float) -> FrozenDict:
    """The facts of a fire of one arrival."""
    trigger = owned.trigger
    return event_facts(
        trigger.kind,
        trigger.name,
        owned.plan.name,
        now,
        event=event_of(arrival),
        depth=arrival.depth,
    )


def _events(batch: Batch, read_batch: ReadBatch) -> Events:
    return Events(lambda start, stop: read_batch(batch.number, start, stop), batch.count)


def _turn(
    owned: Owned, state: TriggerState, now: float, batches: Batches, *, is_last: bool
) -> TriggerTurn:
    """A turn after which the batches are these. Unless it `is_last`, the next one comes at once."""
    return TriggerTurn(
        workflow=owned.plan.name,
        name=owned.trigger.name,
        turn=state.turn,
        cursor=now,
        fingerprint=owned.trigger.fingerprint,
        next_at=next_deadline(_rules(owned), batches) if is_last else now,
        batches=msgspec.json.encode(batches),
    )


def _batches_of(state: TriggerState) -> Batches:
    return Batches() if state.batches is None else _decode(state.batches)


def _rules(owned: Owned) -> BatchRules:
    definition = owned.trigger.definition
    event = definition.event
    if event is None or not gathers(definition):
        return ALONE
    if event.batch is None:
        return BatchRules(debounce_s=event.debounce)
    return BatchRules(size=event.batch.size, within_s=event.batch.within)


def _listens(owned: Owned) -> tuple[str, ...]:
    """The names of events that are delivered to the trigger."""
    event = owned.trigger.definition.event
    return () if event is None else (event.name,)
