"""The ways to take up a recorded run: to resume it, or to retry it.

Each checks a run's record, once before its lease is taken and once after, and then reads the point
from which the run is driven.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec
from msgspec.structs import replace

from fanwise.conductor import CancelRequested
from fanwise.context import WorkflowContext
from fanwise.engine.recovery.corrections import kept_defaults
from fanwise.engine.recovery.history import read_history
from fanwise.engine.recovery.rerun import RerunPlan, plan_rerun
from fanwise.engine.recovery.start import fresh_start, recover
from fanwise.engine.run_factory import PreparedRun
from fanwise.engine.services import Services
from fanwise.engine.starting_point import StartingPoint
from fanwise.errors import RunNotOverError, RunOverError
from fanwise.model import ChosenKind, RunRecord, Status
from fanwise.plan import Plan
from fanwise.ports import Records, RerunNotes


class Beginning(msgspec.Struct, frozen=True):
    """A run to be driven, the point from which it is driven, and notices for its observer.

    `rerun` is the plan of a retry. With `takes_changed_files` files are read further although they
    have changed.
    """

    prepared: PreparedRun
    start: StartingPoint
    rerun: RerunPlan | None = None
    notices: Sequence[str] = ()
    takes_changed_files: bool = False


class Takeover(Protocol):
    """A way to take up a recorded run."""

    @property
    def needs_slot(self) -> bool:
        """Say whether the run needs a slot of its limit."""

    def check(self, record: RunRecord) -> None:
        """Raise a `ConflictError` unless the run can be taken up in this way."""

    def begin(self, prepared: PreparedRun, services: Services) -> Beginning:
        """Read where the run begins. May block."""


class Resume:
    """The continuation of a run that isn't over; with `cancel` its end as cancelled."""

    def __init__(self, *, force: bool, cancel: bool) -> None:
        self._takes_changed_files = force or cancel  # a cancelled run reads nothing more
        self._cancel = cancel

    @property
    def needs_slot(self) -> bool:
        """Say whether the run is to be driven; to end as cancelled it waits for nobody."""
        return not self._cancel

    def check(self, record: RunRecord) -> None:
        """Raise `RunOverError` if the run is over."""
        if record.status.is_final:
            from_task = " --from TASK" if record.status is Status.SUCCEEDED else ""
            raise RunOverError(
                f"run {record.id} is over: it {record.status.told}.",
                run_id=record.id,
                status=record.status,
                hint=f"To make it again: fanwise retry {record.id}{from_task}",
            )

    def begin(self, prepared: PreparedRun, services: Services) -> Beginning:
        """Begin where the records of the run end. May block."""
        plan, record, context = prepared.plan, prepared.record, prepared.context
        history = read_history(plan, record, context, services.records)
        start = recover(plan, record, context, history)
        if self._cancel:
            lease = services.ownership.lease(record.run_no)  # that of this process
            owner = None if lease is None else lease.owner
            request = CancelRequested(None if owner is None else owner.name)
            events = (*start.opening_events, request)
            if history.events:  # else the run has to start first, to be brought to an end
                events = (request, *start.opening_events)
            start = replace(start, opening_events=events)
        return Beginning(
            prepared,
            start,
            notices=_changed_actions(plan, record),
            takes_changed_files=self._takes_changed_files,
        )


class Retry:
    """The rerun of a run that is over; `recorded` is the plan that it was recorded with.

    `corrected` names the parameters that have new values. For `from_task` and `kind_of` see
    `plan_rerun`.
    """

    def __init__(
        self,
        *,
        force: bool,
        recorded: Plan,
        from_task: str | None,
        kind_of: ChosenKind | None = None,
        corrected: Collection[str] = (),
    ) -> None:
        self._takes_changed_files = force
        self._recorded = recorded
        self._from_task = from_task
        self._kind_of = kind_of
        self._corrected = corrected

    @property
    def needs_slot(self) -> bool:
        """Return True."""
        return True

    def check(self, record: RunRecord) -> None:
        """Raise `RunNotOverError` unless the run is over."""
        if not record.status.is_final:
            raise RunNotOverError(
                f"run {record.id} isn't over yet, so nothing of it can be made again.",
                run_id=record.id,
                status=record.status,
                hint=f"Wait for its end, or if nobody drives it go on: fanwise resume {record.id}",
            )

    def begin(self, prepared: PreparedRun, services: Services) -> Beginning:
        """Begin at the start, with the outcomes that are kept. May block."""
        plan, record, context = prepared.plan, prepared.record, prepared.context
        history = read_history(self._recorded, record, context, services.records)
        rerun = plan_rerun(
            plan,
            self._recorded,
            record,
            history,
            services.records,
            from_task=self._from_task,
            kind_of=self._kind_of,
            corrected=self._corrected,
        )
        lease = services.ownership.lease(record.run_no)
        start = replace(
            fresh_start(plan, record, context),
            seq=rerun.seq,
            since_s=0.0 if lease is None else lease.ran_s,
        )
        return Beginning(
            prepared,
            start,
            rerun,
            notices=[
                *_changed_actions(plan, record),
                *kept_defaults(plan, self._recorded, record),
            ],
            takes_changed_files=self._takes_changed_files,
        )


def retry_notes(
    plan: Plan,
    recorded: Plan,
    record: RunRecord,
    records: Records,
    from_task: str | None,
    kind_of: ChosenKind | None = None,
) -> RerunNotes:
    """Return what a retry would do with each task, and do nothing. May block.

    The plans may be ones that can only be looked at: no value plays a part. Raises what a retry
    raises.
    """
    history = read_history(recorded, record, WorkflowContext(), records)
    rerun = plan_rerun(
        plan, recorded, record, history, records, from_task=from_task, kind_of=kind_of
    )
    return rerun.notes


def _changed_actions(plan: Plan, record: RunRecord) -> list[str]:
    """Notices of actions whose code has changed since the run started."""
    now = {task.spec.name: task.spec for each in plan.family() for task in each.tasks}
    changed: dict[str, list[str]] = {}
    for name, digest in record.origin.actions.items():
        if name in now and now[name].digest != digest:
            changed.setdefault(now[name].source.rpartition(":")[0], []).append(name)
    return [
        f"the code of {', '.join(names)} has changed since the run started ({file})"
        for file, names in changed.items()
    ]
