"""Decides triggers that wait for runs of other workflows to end.

Ends are taken up in the order of their numbers, page by page; a trigger's state says up to which.
So nothing that ended while no server was there is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from fanwise.model import (
    INTERRUPTED,
    Ending,
    ErrorInfo,
    RunRecord,
    TriggerState,
    TriggerTurn,
)
from fanwise.plan.project_triggers import Owned
from fanwise.ports import Endings, Fires, Records
from fanwise.service.interruptions import Interruptions
from fanwise.service.turns import Happening, MakeRun, OpenFires, happened_turn
from fanwise.triggers.facts import event_facts, utc_text
from fanwise.triggers.match import EndRules, end_matches
from fanwise.values import Json, decode, thaw

MOST_DEPTH: Final = 8
_PAGE: Final = 100
_RUN: Final = "run"
_MOST_BYTES: Final = 2**20
"""The largest output or parameters of a run that its end hands on."""


class NewEndings:
    """The ends of runs that one look takes up, read once for all triggers."""

    def __init__(self, endings: Endings, interruptions: Interruptions) -> None:
        self.last = 0
        self._endings = endings
        self._interruptions = interruptions
        self._pages: dict[int, Sequence[Ending]] = {}

    def begin(self) -> None:
        """Look which ends are new."""
        self._interruptions.look()
        self.last = self._endings.number_endings()
        self._pages.clear()

    def after(self, number: int) -> Page:
        """The ends after a number."""
        if number >= self.last:
            return Page((), number, is_last=True)
        found = self._pages.get(number)
        if found is None:
            found = self._pages[number] = self._endings.endings(number, _PAGE)
        if len(found) == _PAGE:
            return Page(found, found[-1].number, is_last=False)
        last = found[-1].number if found else 0
        return Page(found, max(last, self.last), is_last=True)


class Page(NamedTuple):
    """Ends up to a number, after which there are no more if it `is_last`."""

    endings: Sequence[Ending]
    last: int
    is_last: bool


class RunTurns:
    """The decider of the kind `run`."""

    def __init__(
        self, new: NewEndings, fires: Fires, records: Records, make_run: MakeRun, most_held: int
    ) -> None:
        self._new = new
        self._fires = fires
        self._records = records
        self._make_run = make_run
        self._most_held = most_held

    def begin(self) -> None:
        """Look which ends are new."""
        self._new.begin()

    def is_due(self, owned: Owned, state: TriggerState, now: float) -> bool:
        """Say whether a trigger has to be decided; see `Decider.is_due`."""
        is_new = state.fingerprint != owned.trigger.fingerprint
        return is_new or state.has_held or state.taken_to < self._new.last

    def turn(self, owned: Owned, state: TriggerState, now: float) -> TriggerTurn | None:
        """Return the next turn of a trigger; see `Decider.turn`."""
        fingerprint = owned.trigger.fingerprint
        if state.fingerprint != fingerprint:
            return begun(owned, state, now, self._new.last)
        found = self._fires.open_fires(state.workflow, state.name)
        open_fires = OpenFires.of(found)
        if released := open_fires.released(owned, self._make_run):
            return msgspec.structs.replace(same_turn(owned, state), fires=released)
        page = self._new.after(state.taken_to)
        rules = end_rules(owned)
        happenings = [
            happening
            for each in page.endings
            if end_matches(rules, each.workflow, each.status)
            and (happening := self._happening(owned, rules, each, now)) is not None
        ]
        turn = happened_turn(owned, state, happenings, open_fires, self._make_run, self._most_held)
        if page.last == state.taken_to and not turn.fires and not turn.cancels:
            return None
        return msgspec.structs.replace(
            turn,
            cursor=now,
            fingerprint=fingerprint,
            next_at=None if page.is_last else now,
            taken_to=page.last,
        )

    def _happening(
        self, owned: Owned, rules: EndRules, ending: Ending, now: float
    ) -> Happening | None:
        """The end as an event, or None for one that this trigger leaves out."""
        if ending.run_id is None:
            cause: Mapping[str, object] = decode(ending.facts or b"{}")
            event = _failed_fire(ending)
        else:
            run = self._records.run(ending.run_id)
            if run is None:  # deleted meanwhile
                return None
            cause, event = run.origin.trigger, _ended_run(run, ending)
        if rules.is_for_all and cause.get("kind") == _RUN:
            return None
        before = cause.get("depth")
        depth = (before if isinstance(before, int) else 0) + 1
        facts = event_facts(
            _RUN, owned.trigger.name, owned.plan.name, now, event=event, depth=depth
        )
        refusal = (
            ""
            if depth <= MOST_DEPTH
            else (f"{MOST_DEPTH} run triggers have led here one after the other")
        )
        return Happening(ending.key, ending.ended_at, facts, refusal)


def begun(owned: Owned, state: TriggerState, now: float, last: int) -> TriggerTurn:
    """The turn of a trigger that is new, edited or resumed: it counts from now on."""
    return msgspec.structs.replace(
        same_turn(owned, state), cursor=now, fingerprint=owned.trigger.fingerprint, taken_to=last
    )


def same_turn(owned: Owned, state: TriggerState) -> TriggerTurn:
    """A turn that changes nothing yet."""
    return TriggerTurn(workflow=owned.plan.name, name=owned.trigger.name, turn=state.turn)


def end_rules(owned: Owned) -> EndRules:
    """The ends that concern a trigger."""
    definition = owned.trigger.definition
    part = definition.run or definition.missing
    assert part is not None  # deciders are given triggers of their kinds
    return EndRules(own=owned.plan.name, workflows=part.workflow or (), statuses=part.status)


def _ended_run(run: RunRecord, ending: Ending) -> dict[str, Json]:
    """The end of a run as `trigger.event`, of recorded values only, so no secret is in it."""
    error = run.error
    if ending.status == INTERRUPTED:
        error = ErrorInfo("Interrupted", "No process drives the run any more.")
    return {
        "id": run.id,
        "workflow": run.workflow,
        "status": ending.status,
        "error": None if error is None else thaw(error.as_value()),
        "output": _decoded(run.output),
        "parameters": _decoded(run.parameters),
        "tags": list(run.tags),
        "started_at": None if run.started_at is None else utc_text(run.started_at),
        "ended_at": utc_text(ending.ended_at),
    }


def _failed_fire(ending: Ending) -> dict[str, Json]:
    """A fire that became no run as `trigger.event`."""
    error: dict[str, Json] = {
        "type": "TriggerFailed",
        "message": ending.reason,
        "data": {"trigger": ending.trigger},
    }
    return {
        "id": None,
        "workflow": ending.workflow,
        "status": ending.status,
        "error": error,
        "output": None,
        "parameters": None,
        "tags": [],
        "started_at": None,
        "ended_at": utc_text(ending.ended_at),
    }


def _decoded(text: bytes | None) -> Json:
    """A recorded value, or None for one that is too large to be recorded with another run."""
    return None if text is None or len(text) > _MOST_BYTES else decode(text)
