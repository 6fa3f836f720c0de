"""The engine's public face: takes a plan and parameters, gives a run."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from fanwise.catalog import StopFlag
from fanwise.conductor import CancelRequested, Event
from fanwise.engine.blocking import run_blocking
from fanwise.engine.children import run_child
from fanwise.engine.gate import Slots
from fanwise.engine.journal import JournalWriter
from fanwise.engine.lease import LeaseKeeper
from fanwise.engine.making import PreparedRun, RunFactory
from fanwise.engine.parts import RunServices, Services
from fanwise.engine.recovery import fresh_start, read_history, recover
from fanwise.engine.retry import RerunPlan, plan_retry
from fanwise.engine.run import RunDriver
from fanwise.engine.starting_point import StartingPoint
from fanwise.errors import LeaseLostError, UsageError
from fanwise.model import LEASE_S, Lease, Run, RunRecord, RunRequest, Status
from fanwise.plan import Plan
from fanwise.ports import Journal, Observer, Secrets

GRACE_S = 30.0
"""How long a pause lets what is in flight finish, if nothing else is asked for."""

OVER = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})
"""The statuses of runs that have come to their end."""


class _Asked:
    """What has been asked of a run, from the moment on that it is asked for."""

    def __init__(self, grace_s: float) -> None:
        self._driver: RunDriver | None = None
        self._request: RunRequest | None = None
        self._grace_s = grace_s

    def ask(self, request: RunRequest) -> None:
        if self._request is not RunRequest.CANCEL:
            self._request = request
        if self._driver is not None:
            self._pass_on()

    def take(self, driver: RunDriver) -> None:
        self._driver = driver
        self._pass_on()

    def _pass_on(self) -> None:
        assert self._driver is not None
        if self._request is RunRequest.PAUSE:
            self._driver.pause(self._grace_s)
        elif self._request is RunRequest.CANCEL:
            self._driver.cancel()


class Engine:
    """Runs plans with the parts that it is given; `fanwise.open_engine` takes the usual ones.

    An engine may run several plans at once on one event loop. They share one journal and the slots
    of `limits.running`; otherwise runs know nothing of each other. A pause lets what is in flight
    finish for `grace_s` seconds. Leases hold for `lease_s` without a word of this process.
    """

    def __init__(
        self,
        journal: Journal,
        parts: Services,
        secrets: Secrets,
        *,
        grace_s: float = GRACE_S,
        lease_s: float = LEASE_S,
    ) -> None:
        self._store = journal
        self._parts = parts
        self._maker = RunFactory(parts.clock, parts.chance, secrets)
        self._slots = Slots(parts.limits.running)
        self._keeper = LeaseKeeper(parts.control, parts.processes, parts.clock, lease_s=lease_s)
        self._grace_s = grace_s
        self._asked: set[_Asked] = set()
        self._journal: JournalWriter | None = None

    def find(self, run_id: str) -> RunRecord:
        """The run with this id, as recorded. Raises `UsageError` if there is none."""
        found = self._parts.records.run(run_id)
        if found is None:
            near = get_close_matches(run_id, self._parts.records.run_ids(), n=1)
            hint = f'Did you mean "{near[0]}"?' if near else "Check the id and the store."
            raise UsageError(f'the store has no run "{run_id}".', hint=hint)
        return found

    def pause(self) -> None:
        """Ask every run in progress to pause. To be called on the event loop's thread."""
        for asked in self._asked:
            asked.ask(RunRequest.PAUSE)

    async def arun(
        self,
        plan: Plan,
        parameters: Mapping[str, Any] | None = None,
        *,
        run_id: str | None = None,
        tags: Collection[str] = (),
        items: int | None = None,
        observer: Observer | None = None,
    ) -> Run:
        """Run `plan` to its end, and return what came of it, also if it failed.

        `tags` are words by which the run can be found. With `items` only so many items of each
        fan-out are run, the first ones. Raises `ParameterError` for parameters that don't fit,
        `UsageError` for a run id that is malformed or taken, for a malformed tag or for `items`
        below 1, `StoreError` if the store can't be written, and `LeaseLostError` if another process
        has taken the run while this one was stopped.
        """
        if items is not None and items < 1:
            raise UsageError(f"`items` takes a whole number from 1, not {items}.")
        job = self._maker.new(plan, dict(parameters or {}), run_id, items, tags)
        notices = []
        if items is not None:
            first = "item" if items == 1 else f"{items:,} items"
            notices.append(f"each fan-out is limited to its first {first}")
        async with self._joining() as (asked, journal):
            run_no = await journal.create_run(job.record)
            job = replace(job, record=replace(job.record, run_no=run_no))
            lease = await asyncio.to_thread(self._keeper.take, job.record)
            standing = fresh_start(plan, job.record, job.context)
            return await self._drive(job, lease, standing, asked, journal, observer, notices)

    async def aresume(
        self,
        plan: Plan,
        record: RunRecord,
        *,
        secrets: Mapping[str, Any] | None = None,
        force: bool = False,
        cancel: bool = False,
        observer: Observer | None = None,
    ) -> Run:
        """Go on with a run that was paused, or whose process has died, to its end.

        `plan` is made of the workflow as it was recorded. `secrets` gives its secret parameters
        anew, which aren't recorded. What is recorded is never done again. With `cancel` the run is
        brought to its end as cancelled; with `force` it goes on although a file that it reads has
        changed. Raises what `arun` raises, and `UsageError` for a run that is over, is driven by
        another process, or reads a file that has changed.
        """
        return await self._take_up(
            plan, record, secrets, observer, _Resume(force=force, cancel=cancel)
        )

    async def aretry(
        self,
        plan: Plan,
        record: RunRecord,
        *,
        recorded: Plan | None = None,
        from_task: str | None = None,
        secrets: Mapping[str, Any] | None = None,
        force: bool = False,
        observer: Observer | None = None,
    ) -> Run:
        """Do again what has failed of a run that is over, and what comes after it; keep the rest.

        With `from_task` that task is done again as well, as a new visit. `plan` may be a repaired
        one; then `recorded` is made of the workflow as it was recorded. Raises what `aresume`
        raises, and `UsageError` for a run that isn't over or of which nothing has failed.
        """
        how = _Retry(force=force, recorded=recorded or plan, from_task=from_task)
        return await self._take_up(plan, record, secrets, observer, how)

    def run(self, plan: Plan, *args: Any, **kwargs: Any) -> Run:
        """The same as `arun`, for callers without an event loop."""
        return run_blocking(
            lambda: self.arun(plan, *args, **kwargs), instead="await engine.arun(...)"
        )

    async def _take_up(
        self,
        plan: Plan,
        record: RunRecord,
        secrets: Mapping[str, Any] | None,
        observer: Observer | None,
        how: _Resume | _Retry,
    ) -> Run:
        """Take a recorded run over, and drive it from where its records end."""
        how.require_fit(record)
        self._maker.recorded(
            plan, record, dict(secrets or {})
        )  # or it raises, and nothing is taken
        async with self._joining() as (asked, journal):
            lease = await asyncio.to_thread(self._keeper.take, record)
            try:
                # As it is now: whoever drove it until now may have changed it meanwhile.
                found = await asyncio.to_thread(self.find, record.id)
                how.require_fit(found)
                job = self._maker.recorded(plan, found, dict(secrets or {}))
                standing, again = await asyncio.to_thread(how.read, job, self._parts)
            except BaseException:
                self._parts.control.release(record.run_no, lease.token, self._parts.clock.now())
                raise
            notices = [*_changed_actions(plan, record), *(again.notes if again else ())]
            return await self._drive(
                job,
                lease,
                standing,
                asked,
                journal,
                observer,
                notices,
                again,
                force=how.force,
            )

    @asynccontextmanager
    async def _joining(self) -> AsyncIterator[tuple[_Asked, JournalWriter]]:
        """A block in which a run hears what is asked of it, and shares the journal."""
        asked = _Asked(self._grace_s)
        self._asked.add(asked)
        if self._journal is None:
            self._journal = JournalWriter(self._store, self._parts.limits)
        journal = self._journal
        try:
            yield asked, journal
        finally:
            self._asked.discard(asked)
            if not self._asked:
                self._journal = None
                await journal.close()

    async def _drive(
        self,
        job: PreparedRun,
        lease: Lease,
        standing: StartingPoint,
        asked: _Asked,
        journal: JournalWriter,
        observer: Observer | None,
        notices: Iterable[str] = (),
        again: RerunPlan | None = None,
        *,
        force: bool = False,
    ) -> Run:
        """Drive a run that this process has the lease of."""
        record, plan, watching = job.record, job.plan, observer or Observer()
        try:
            last = await asyncio.to_thread(self._parts.records.last_visit_no, record.run_no)
            run = self._run_parts(job, journal, watching, last, force=force)
            driver = RunDriver(plan, record, standing, job.context, run)
            journal.hold(record.run_no, lease.token, driver.tell)

            def hear(request: RunRequest) -> None:
                watching.notice(f"another process asks to {request.value} the run")
                asked.ask(request)

            self._keeper.hold(lease, hear, driver.tell)
            is_new = record.status is Status.PENDING
            tell = watching.run_started if is_new else watching.run_resumed
            tell(record.id, record.workflow, tuple(plan.numbers))
            for notice in notices:
                watching.notice(notice)
            if again is not None:
                await driver.start_again(again)
            asked.take(driver)
            async with self._parts.resources():
                result = await driver.drive(job.timeout_s, lease.ran_s - standing.since_s)
        except LeaseLostError:
            raise await asyncio.to_thread(self._keeper.lost, record.id, record.run_no) from None
        finally:
            try:
                await journal.flush()
            finally:
                journal.let_go(record.run_no)
                await self._keeper.release(lease)
        watching.run_ended(result)
        return result

    def _run_parts(
        self,
        job: PreparedRun,
        journal: JournalWriter,
        observer: Observer,
        last_visit_no: int,
        *,
        force: bool,
    ) -> RunServices:
        record = job.record
        return RunServices(
            parts=self._parts,
            run_id=record.id,
            run_no=record.run_no,
            journal=journal,
            observer=observer,
            masker=job.masker,
            slots=self._slots,
            stop=StopFlag(),
            workflow_folder=Path(record.file).parent,
            caller_folder=Path(record.origin.folder),
            given=frozenset(record.origin.given),
            numbers=itertools.count(last_visit_no + 1),
            child=run_child,
            most_items=record.origin.most_items,
            takes_changed_files=force,
        )


class _Resume:
    """Going on with a run that isn't over."""

    def __init__(self, *, force: bool, cancel: bool) -> None:
        self.force = force or cancel  # of a file that has changed nothing more is read
        self._cancel = cancel

    def require_fit(self, record: RunRecord) -> None:
        """Raise `UsageError` unless the run can go on."""
        if record.status in OVER:
            from_task = " --from TASK" if record.status is Status.SUCCEEDED else ""
            raise UsageError(
                f"run {record.id} is over: it has {record.status.value}.",
                hint=f"To make it again: fanwise retry {record.id}{from_task}",
            )

    def read(self, job: PreparedRun, parts: Services) -> tuple[StartingPoint, RerunPlan | None]:
        """Where the run stands. May block."""
        history = read_history(job.plan, job.record, job.context, parts.records)
        standing = recover(job.plan, job.record, job.context, history)
        if self._cancel:
            cancelled: Event = CancelRequested()
            # What hasn't begun must begin first, to be brought to an end.
            events = (*standing.opening_events, cancelled)
            if history.events:
                events = (cancelled, *standing.opening_events)
            return replace(standing, opening_events=events), None
        return standing, None


class _Retry:
    """Doing again what failed of a run that is over."""

    def __init__(self, *, force: bool, recorded: Plan, from_task: str | None) -> None:
        self.force = force
        self._recorded = recorded
        self._from_task = from_task

    def require_fit(self, record: RunRecord) -> None:
        """Raise `UsageError` unless the run is over."""
        if record.status not in OVER:
            raise UsageError(
                f"run {record.id} isn't over yet, so nothing of it can be made again.",
                hint=f"Wait for its end, or if nobody drives it go on: fanwise resume {record.id}",
            )

    def read(self, job: PreparedRun, parts: Services) -> tuple[StartingPoint, RerunPlan | None]:
        """Where the run starts again, and how. May block."""
        history = read_history(self._recorded, job.record, job.context, parts.records)
        again = plan_retry(
            job.plan,
            self._recorded,
            job.record,
            history,
            parts.records,
            from_task=self._from_task,
        )
        lease = parts.control.lease(job.record.run_no)
        standing = fresh_start(job.plan, job.record, job.context)
        since_s = 0.0 if lease is None else lease.ran_s
        return replace(standing, seq=again.seq, since_s=since_s), again


def _changed_actions(plan: Plan, record: RunRecord) -> list[str]:
    """Says which actions' code isn't what it was when the run started."""
    now = {task.spec.name: task.spec for each in plan.family() for task in each.tasks}
    changed: dict[str, list[str]] = {}
    for name, digest in record.origin.actions.items():
        if name in now and now[name].digest != digest:
            changed.setdefault(now[name].source.rpartition(":")[0], []).append(name)
    return [
        f"the code of {', '.join(names)} has changed since the run started ({file})"
        for file, names in changed.items()
    ]
