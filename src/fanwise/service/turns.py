"""The turn of a trigger: fires and runs to be recorded, decided on its state. Pure.

It is only recorded if the trigger is still at the same turn. Fires that are held are the same for
all kinds, and so is the making of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from fanwise.errors import FanwiseError
from fanwise.model import (
    FireStatus,
    NewFire,
    OpenFire,
    RunRecord,
    Status,
    Submission,
    TriggerState,
    TriggerTurn,
)
from fanwise.plan.project_triggers import Owned
from fanwise.triggers.overlap import REPLACED, Admission, OpenRun, Overlap
from fanwise.triggers.skips import WHEN_FAILS
from fanwise.values import FrozenDict, decode, encode


class MakeRun(Protocol):
    """Makes the run of a fire."""

    def __call__(self, owned: Owned, facts: FrozenDict, at: float) -> tuple[RunRecord, Submission]:
        """Return the run and its place in a queue.

        Raises `FanwiseError` if the trigger gives no parameters that fit, or its workflow forbids.
        """


class Decider(Protocol):
    """Decides the triggers of one kind. Methods block, and raise `StoreError`."""

    def begin(self) -> None:
        """Prepare for a look at all triggers."""

    def is_due(self, owned: Owned, state: TriggerState, now: float) -> bool:
        """Say whether a trigger that isn't paused has to be decided."""

    def turn(self, owned: Owned, state: TriggerState, now: float) -> TriggerTurn | None:
        """Return the next turn of a trigger, or None if nothing changes."""


class OpenFires(NamedTuple):
    """The fires of a trigger that are open: those that are held, and those whose runs are open."""

    held: Sequence[OpenFire]
    active: Sequence[OpenFire]

    @classmethod
    def of(cls, fires: Sequence[OpenFire]) -> OpenFires:
        """Divide the open fires of a trigger."""
        return cls(
            [each for each in fires if each.run_id is None],
            [each for each in fires if each.run_id is not None],
        )

    @property
    def runs(self) -> Sequence[OpenRun]:
        """All of them as runs, those that are held by their keys."""
        return [
            *(
                OpenRun(each.run_id or "", each.run_status or Status.PENDING)
                for each in self.active
            ),
            *(OpenRun(each.key, Status.PENDING, is_held=True) for each in self.held),
        ]

    def released(self, owned: Owned, make_run: MakeRun) -> tuple[NewFire, ...]:
        """The fire that was held, with its run, if no run of the trigger is open."""
        if not self.held or self.active:
            return ()
        held = self.held[0]
        fire = NewFire(key=held.key, at=held.at, first=held.at, status=FireStatus.RAN)
        return (made_fire(owned, fire, FrozenDict(decode(held.facts or b"{}")), make_run),)

    def replaced(self, keys: Sequence[str]) -> list[NewFire]:
        """The fires that were held of which newer ones take the place."""
        return [
            NewFire(
                key=each.key,
                at=each.at,
                first=each.at,
                status=FireStatus.REPLACED,
                reason=REPLACED,
            )
            for each in self.held
            if each.key in keys
        ]

    def cancels(self, overlap: Overlap, admission: Sequence[str]) -> tuple[str, ...]:
        """The runs to cancel: those of a decision, or all while a fire is held for their end."""
        if overlap is Overlap.CANCEL and self.held:
            return tuple(each.run_id for each in self.active if each.run_id)
        return tuple(admission)


class Happening(msgspec.Struct, frozen=True):
    """Something that a trigger reacts to, or several of them that are gathered, under a unique key.

    With a `refusal` there is a reason why it makes no run.
    """

    key: str
    at: float
    facts: FrozenDict
    refusal: str = ""


def happened_turn(
    owned: Owned,
    state: TriggerState,
    happenings: Sequence[Happening],
    open_fires: OpenFires,
    make_run: MakeRun,
    most_held: int,
) -> TriggerTurn:
    """Return the fires of what has happened, oldest first."""
    overlap = owned.trigger.overlap
    admission = Admission(overlap, open_fires.runs, most_held)
    fires = [_happened(owned, each, admission) for each in happenings]
    facts = {each.key: each.facts for each in happenings}
    made = [
        msgspec.structs.replace(fire, status=FireStatus.REPLACED, reason=REPLACED)
        if admission.is_superseded(fire.key)
        else made_fire(owned, fire, facts[fire.key], make_run)
        if fire.status is FireStatus.RAN
        else fire
        for fire in fires
    ]
    return TriggerTurn(
        workflow=owned.plan.name,
        name=owned.trigger.name,
        turn=state.turn,
        fires=(*open_fires.replaced(admission.replaces), *made),
        cancels=open_fires.cancels(overlap, admission.cancels),
    )


def _happened(owned: Owned, happening: Happening, admission: Admission) -> NewFire:
    """The fire of a happening, without its run."""
    fire = NewFire(key=happening.key, at=happening.at, first=happening.at, status=FireStatus.RAN)
    if happening.refusal:
        return refused(fire, happening.refusal)
    try:
        if not owned.trigger.admits(happening.facts):
            return _unwanted(fire)
    except FanwiseError as error:
        return _failed(fire, happening.facts, error)
    verdict = admission.admit(happening.key)
    if verdict.is_held:
        return held_fire(fire, happening.facts)
    return msgspec.structs.replace(fire, status=verdict.status, reason=verdict.reason)


def held_fire(fire: NewFire, facts: FrozenDict) -> NewFire:
    """Return a fire whose run is made later."""
    return msgspec.structs.replace(
        fire,
        status=FireStatus.HELD,
        reason="it waits for runs of this trigger to end",
        facts=encode(facts),
    )


def made_fire(
    owned: Owned, fire: NewFire, facts: FrozenDict, make_run: MakeRun, *, is_judged: bool = False
) -> NewFire:
    """Return a fire with its run, or with the reason why there is none.

    With `is_judged` its `when` holds, as is known already.
    """
    try:
        if not is_judged and not owned.trigger.admits(facts):
            return _unwanted(fire)
        run, place = make_run(owned, facts, fire.at)
    except FanwiseError as error:
        return _failed(fire, facts, error)
    return msgspec.structs.replace(fire, status=FireStatus.RAN, run=run, place=place)


def refused(fire: NewFire, reason: str) -> NewFire:
    """Return a fire that makes no run for a reason."""
    return msgspec.structs.replace(fire, status=FireStatus.REFUSED, reason=reason)


def _unwanted(fire: NewFire) -> NewFire:
    reason = WHEN_FAILS
    return msgspec.structs.replace(fire, status=FireStatus.SKIPPED, reason=reason)


def _failed(fire: NewFire, facts: FrozenDict, error: FanwiseError) -> NewFire:
    """The fire that couldn't become a run, with its facts, so that others can be told of it."""
    known = {name: facts[name] for name in ("kind", "depth")}
    return msgspec.structs.replace(
        fire, status=FireStatus.FAILED, reason=str(error), facts=encode(known)
    )
