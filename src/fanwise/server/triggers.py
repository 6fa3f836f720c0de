"""Triggers of the project: as they stand, their fires, and what is done to them by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from fanwise.errors import UsageError
from fanwise.model import FireStatus, Role
from fanwise.plan.project_triggers import Owned
from fanwise.reports.trigger_rows import (
    Fired,
    ListedTriggers,
    TriggerRow,
    fire_row,
    trigger_rows,
)
from fanwise.server.buckets import STARTS
from fanwise.server.cursors import read_cursor, write_cursor
from fanwise.server.problems import Refusal
from fanwise.server.project_views import (
    FiredView,
    FireList,
    InstantsView,
    TriggerList,
    TriggerView,
)
from fanwise.server.routes import Answer, Call, Fields, Route, json_answer
from fanwise.service.by_hand import Backfill, manual_facts
from fanwise.service.handmade import fire_by_hand, make_backfill
from fanwise.triggers.skips import with_skips
from fanwise.triggers.written import read_time
from fanwise.values import freeze
from fanwise.wiring import new_token

_MOST_NOTE: Final = 1_000


class FiresQuery(Fields, frozen=True, kw_only=True):
    """Fires that ended with one of these statuses, or any; and the page of them."""

    status: tuple[FireStatus, ...] = ()
    cursor: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class FireBody(Fields, frozen=True, kw_only=True):
    """The nominal time of a fire by hand, else now, and the event that stands for its own.

    With `overlap` it obeys the trigger's overlap. With `check` nothing is made.
    """

    at: str | None = None
    event: object = None
    overlap: bool = False
    check: bool = False


class PauseBody(Fields, frozen=True, kw_only=True):
    """The reason of a pause, for others to read."""

    note: Annotated[str, msgspec.Meta(max_length=_MOST_NOTE)] = ""


class ResumeBody(Fields, frozen=True, kw_only=True):
    """With `catch_up` the times of the pause count as missed ones."""

    catch_up: bool = False


class BackfillBody(Fields, frozen=True, kw_only=True):
    """A span of past times, from `start` and before `end`; with `check` nothing is made.

    With `again` times that have a run get another one. At most `at_once` of the runs are driven at
    a time, unless their workflow has a limit of its own.
    """

    start: str
    end: str
    again: bool = False
    at_once: Annotated[int, msgspec.Meta(ge=1)] = 1
    check: bool = False


def list_triggers(call: Call) -> Answer:
    """List the triggers of the project that are on, with when each fires next.

    What is wrong with its files is told to a token of all workflows.
    """
    project, sees_some = call.parts.project, bool(call.who.workflows)
    seen = [each for each in project.triggers if call.who.sees(each.plan.name)]
    listed = ListedTriggers(
        folder=call.parts.make_runs.folder,
        triggers=rows_of(call, seen),
        problems=[] if sees_some else project.problems,
        warnings=[] if sees_some else [str(each) for each in project.warnings],
    )
    return json_answer(listed)


def get_trigger(call: Call) -> Answer:
    """Tell how a trigger stands."""
    return json_answer(rows_of(call, [_owned(call)])[0])


def list_fires(call: Call) -> Answer:
    """List the fires of a trigger, the newest first, and why some have made no run."""
    query, owned = call.query(FiresQuery), _owned(call)
    found = call.parts.store.fires(
        owned.plan.name,
        owned.trigger.name,
        statuses=query.status,
        before=read_cursor(query, query.cursor),
        most=query.limit,
    )
    following = write_cursor(query, found[-1].fire_no) if len(found) == query.limit else None
    return json_answer({"fires": [fire_row(each) for each in found], "next": following})


def fire(call: Call) -> Answer:
    """Fire a trigger now, although it is paused or a run of it is open."""
    body, owned = call.body(FireBody), _owned(call)
    now = call.parts.clock.now()
    at = int(now) if body.at is None else _time(body.at, "at")
    event = freeze(body.event, where="event")
    facts = manual_facts(owned, at, now, call.who.name, event)
    if not owned.trigger.admits(facts):
        raise Refusal(422, "not-admitted", "The trigger's `when` doesn't hold, so no run is made.")
    make, parameters = call.parts.make_runs.make, owned.trigger.parameters_of(facts)
    if body.check:
        make(owned, facts, at)  # raises what is wrong
        return json_answer(Fired(runs=(), trigger=facts, parameters=parameters))
    most = call.parts.settings.limits.queued if body.overlap else None
    made = fire_by_hand(call.parts.store, owned, facts, at, new_token(), make, most_held=most)
    fired = Fired(
        runs=made.runs,
        status=made.status.value,
        reason=made.reason,
        trigger=facts,
        parameters=parameters,
    )
    return json_answer(fired, status=202)


def backfill(call: Call) -> Answer:
    """Make the runs of past times of a schedule that have none, the oldest first."""
    body, owned, store = call.body(BackfillBody), _owned(call), call.parts.store
    start, end = _time(body.start, "start"), _time(body.end, "end")
    now = call.parts.clock.now()
    if end > now:
        raise UsageError("`end` lies in the future.", hint="The schedule itself fires then.")
    wanted = Backfill(start, end, body.again, body.at_once)
    make = call.parts.make_runs.make
    done = make_backfill(store, owned, wanted, now, make, new_token(), dry_run=body.check)
    return json_answer(done, status=200 if body.check else 202)


def pause(call: Call) -> Answer:
    """Pause a trigger: it fires no more until it is resumed. Runs that it has made go on."""
    owned = _owned(call)
    call.parts.store.pause_trigger(owned.plan.name, owned.trigger.name, call.body(PauseBody).note)
    return get_trigger(call)


def resume(call: Call) -> Answer:
    """Resume a trigger: it counts from now."""
    owned, catches_up = _owned(call), call.body(ResumeBody).catch_up
    call.parts.store.resume_trigger(owned.plan.name, owned.trigger.name, catches_up=catches_up)
    return get_trigger(call)


def _owned(call: Call) -> Owned:
    """The trigger of the project that a path names. Raises `Refusal`."""
    names = (call.names["workflow"], call.names["trigger"])
    for each in call.parts.project.triggers:
        if (each.plan.name, each.trigger.name) == names and call.who.sees(names[0]):
            return each
    raise Refusal(404, "not-found", "The project has no such trigger.")


def rows_of(call: Call, triggers: Sequence[Owned]) -> list[TriggerRow]:
    """Return triggers as they stand, with what is wrong with each."""
    asked = {(each.plan.name, each.trigger.name) for each in triggers}
    now, states = call.parts.store.triggers()
    known = {
        names: with_skips(state, call.parts.store.fires)
        for state in states
        if (names := (state.workflow, state.name)) in asked
    }
    return trigger_rows(triggers, known, now)


def _time(text: str, name: str) -> int:
    try:
        return read_time(text, "UTC")
    except ValueError:
        raise UsageError(
            f"`{name}` takes a time such as 2026-03-28 or 2026-03-28T08:00+01:00.",
            hint="Without an offset it is in UTC.",
        ) from None


_TRIGGER: Final = "/api/v1/triggers/{workflow}/{trigger}"

ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/triggers",
        handler=list_triggers,
        role=Role.READ,
        answer=TriggerList,
    ),
    Route(method="GET", path=_TRIGGER, handler=get_trigger, role=Role.READ, answer=TriggerView),
    Route(
        method="GET",
        path=f"{_TRIGGER}/fires",
        handler=list_fires,
        role=Role.READ,
        query=FiresQuery,
        answer=FireList,
    ),
    Route(
        method="POST",
        path=f"{_TRIGGER}/fire",
        handler=fire,
        role=Role.RUN,
        body=FireBody,
        answer=FiredView,
        status=202,
        errors=(UsageError,),
        audit="fire-trigger",
        rate=STARTS,
    ),
    Route(
        method="POST",
        path=f"{_TRIGGER}/backfill",
        handler=backfill,
        role=Role.RUN,
        body=BackfillBody,
        answer=InstantsView,
        status=202,
        errors=(UsageError,),
        audit="backfill-trigger",
        rate=STARTS,
    ),
    Route(
        method="POST",
        path=f"{_TRIGGER}/pause",
        handler=pause,
        role=Role.RUN,
        body=PauseBody,
        answer=TriggerView,
        audit="pause-trigger",
    ),
    Route(
        method="POST",
        path=f"{_TRIGGER}/resume",
        handler=resume,
        role=Role.RUN,
        body=ResumeBody,
        answer=TriggerView,
        audit="resume-trigger",
    ),
)
