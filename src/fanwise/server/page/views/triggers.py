"""The triggers of the project that is served: their rules, next times and last fires."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from fanwise.definition.trigger_schema import TriggerDefinition
from fanwise.model import FireRecord, TriggerState
from fanwise.plan.project_triggers import Owned
from fanwise.server.page.pages import Page, Shown
from fanwise.server.routes import Call
from fanwise.triggers.preview import upcoming
from fanwise.triggers.skips import with_skips

_NEXT: Final = 5
_LAST: Final = 8


class NextFire(NamedTuple):
    """A time at which a trigger fires, `local` as the clock of its zone shows it."""

    workflow: str
    name: str
    at: int
    local: datetime
    zone: str
    note: str


class ShownTrigger(NamedTuple):
    """A trigger with its state, its next times and its last fires; `rule` is in words."""

    owned: Owned
    state: TriggerState
    rule: str
    next: Sequence[NextFire]
    fires: Sequence[FireRecord]


def view(call: Call) -> Shown:
    """Show all triggers with their next times and last fires."""
    shown = [
        ShownTrigger(
            owned,
            with_skips(state, call.parts.store.fires),
            _rule(owned),
            [] if state.paused_at else _next(call, [owned], _NEXT),
            call.parts.store.fires(owned.plan.name, owned.trigger.name, most=_LAST),
        )
        for owned, state in _visible(call)
    ]
    return Shown(title="Triggers", values={"triggers": shown}, live="")


def next_fires(call: Call, most: int) -> Sequence[NextFire]:
    """Return the next time of each schedule that isn't paused, the soonest first."""
    on = [owned for owned, state in _visible(call) if not state.paused_at]
    found = [fire for owned in on for fire in _next(call, [owned], 1)]
    return sorted(found, key=lambda fire: fire.at)[:most]


def _visible(call: Call) -> Sequence[tuple[Owned, TriggerState]]:
    _, found = call.parts.store.triggers()
    states = {(state.workflow, state.name): state for state in found}
    owned = [each for each in call.parts.project.triggers if call.who.sees(each.plan.name)]
    return [(each, _state(each, states)) for each in owned]


def _state(owned: Owned, states: dict[tuple[str, str], TriggerState]) -> TriggerState:
    names = (owned.plan.name, owned.trigger.name)
    return states.get(names) or TriggerState(*names)


def _next(call: Call, owned: Sequence[Owned], most: int) -> Sequence[NextFire]:
    scheduled = [each.trigger.scheduled for each in owned if each.trigger.scheduled is not None]
    return [
        NextFire(
            each.trigger.workflow,
            each.trigger.name,
            each.at,
            each.local,
            each.trigger.schedule.timezone,
            _note(each.instead_of, is_second=each.is_second),
        )
        for each in upcoming(scheduled, call.parts.clock.now(), most)
    ]


def _note(instead_of: Sequence[datetime], *, is_second: bool) -> str:
    """Words for the work of daylight saving."""
    if instead_of:
        return f"instead of {', '.join(f'{each:%H:%M}' for each in instead_of)}"
    return "for the second time: the clock goes back" if is_second else ""


def _rule(owned: Owned) -> str:
    """The rule as it is written, in one line."""
    spec, definition = owned.trigger.scheduled, owned.trigger.definition
    if spec is None:
        return _waited_for(definition)
    schedule = spec.schedule
    if schedule.cron:
        return f"{'; '.join(schedule.cron)} in {schedule.timezone}"
    if schedule.every_s:
        return f"every {_span(schedule.every_s)}"
    return f"at {len(schedule.at):,} time{'' if len(schedule.at) == 1 else 's'}"


def _waited_for(definition: TriggerDefinition) -> str:
    """The thing that a trigger without times waits for, in one line."""
    event, hook, file = definition.event, definition.webhook, definition.file
    run, missing = definition.run, definition.missing
    if event is not None:
        return f"event {event.name}"
    if hook is not None:
        return f"POST /hooks/{hook.path}"
    if file is not None:
        return f"file {file.path}/{'**/' if file.recursive else ''}{file.glob}"
    if run is not None:
        return f"run of {' or '.join(run.workflow or ('any',))} {' or '.join(run.status)}"
    if missing is not None and missing.within is not None:
        what = missing.event or f"run of {' or '.join(missing.workflow or ())}"
        return f"no {what} within {_span(int(missing.within))}"
    return ""


def _span(seconds: int) -> str:
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


PAGE: Final = Page(path="/triggers", room="triggers", template="triggers.html", view=view)
