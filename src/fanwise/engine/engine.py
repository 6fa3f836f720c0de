"""The engine's public face: takes a plan and parameters, drives a run."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from fanwise.arguments import require_map, require_seconds, require_text
from fanwise.catalog import StopFlag
from fanwise.engine.activity import Activity
from fanwise.engine.answers import check_given
from fanwise.engine.blocking import run_blocking
from fanwise.engine.capture import capturing, unheard
from fanwise.engine.child_slots import ChildSlots
from fanwise.engine.children import run_child
from fanwise.engine.dozing import DozeWatch
from fanwise.engine.driver import WorkflowDriver
from fanwise.engine.emitting import Emitter
from fanwise.engine.entering import Entrance, LeftOutError, each_once, unstarted, wish_of
from fanwise.engine.handle import RunHandle, RunInbox, end_task
from fanwise.engine.journal import JournalWriter
from fanwise.engine.lease import LeaseKeeper
from fanwise.engine.limits import ProcessSlots
from fanwise.engine.parking import Parking
from fanwise.engine.recorders.run import RunRecorder
from fanwise.engine.recovery.start import fresh_start
from fanwise.engine.run_factory import PreparedRun, RunFactory
from fanwise.engine.services import RunServices, Services
from fanwise.engine.sharing import SharedLimits
from fanwise.engine.takeover import Beginning, Resume, Retry, Takeover
from fanwise.errors import FanwiseError, LeaseLostError, UsageError
from fanwise.model import (
    LEASE_S,
    ChosenKind,
    Lease,
    RequestKind,
    Run,
    RunRecord,
    RunRequest,
    SlotWish,
    Status,
)
from fanwise.plan import Plan
from fanwise.ports import Journal, Observer, Secrets, together
from fanwise.reports.lookup import run_by_id
from fanwise.values import Json, decode

GRACE_S = 30.0
"""Seconds for which a pause lets attempts in flight finish, unless an engine is given others."""


class Session(msgspec.Struct):
    """One run in progress: the journal that it shares, its observer, and its requests.

    `has_heard` says that another process has asked for something, and `may_doze` that another
    process resumes the run if it is left while it sleeps.
    """

    journal: JournalWriter
    observer: Observer
    inbox: RunInbox
    has_heard: bool = False
    may_doze: bool = False


_Drive = Callable[[Session], Coroutine[Any, Any, Run]]


class Engine:
    """Runs plans with the services that it is given; `fanwise.open_engine` takes the usual ones.

    An engine may drive several runs at once on one event loop. They share one journal and the slots
    of `limits.running`; otherwise runs know nothing of each other. A pause lets attempts in flight
    finish for `grace_s` seconds. Leases hold for `lease_s` seconds without a word of this process.

    While a run is driven, everything that its attempts print and log is recorded with them.
    """

    def __init__(
        self,
        journal: Journal,
        services: Services,
        secrets: Secrets,
        *,
        grace_s: float = GRACE_S,
        lease_s: float = LEASE_S,
    ) -> None:
        self._store = journal
        self._services = services
        self._factory = RunFactory(
            services.clock,
            services.randomness,
            secrets,
            services.arrivals,
            person=services.person,
        )
        self._slots = ProcessSlots(services.limits.running)
        self._keeper = LeaseKeeper(
            services.ownership,
            services.mailbox,
            services.processes,
            services.clock,
            fence=self._slots.fence,
            lease_s=lease_s,
        )
        self._shared_limits = SharedLimits(services.shares, self._keeper.engine_no, services.clock)
        self._grace_s = grace_s
        self._inboxes: set[RunInbox] = set()  # of the runs in progress
        self._journal: JournalWriter | None = None

    def find(self, run_id: str) -> RunRecord:
        """The run with this id, as recorded. Raises `RunNotFoundError` if there is none."""
        return run_by_id(self._services.records, run_id)

    def pause(self) -> None:
        """Ask every run in progress to pause. To be called on the event loop's thread."""
        for inbox in self._inboxes:
            inbox.request(RequestKind.PAUSE)

    # Runs in progress

    async def start(
        self,
        plan: Plan,
        parameters: Mapping[str, Json] | None = None,
        *,
        run_id: str | None = None,
        tags: Collection[str] = (),
        items: int | None = None,
        wait_s: float | None = None,
        observer: Observer | None = None,
    ) -> RunHandle:
        """Start a run of `plan`, and return its handle once it is recorded.

        `tags` are words by which the run can be found. With `items` only so many items of each
        fan-out are run, the first ones. A run for which the workflow's `concurrency` has no slot
        waits for one, at most `wait_s` seconds. Raises `NoSlotError` then, `RunRepeatedError` if
        the workflow's `dedupe` rules the run out, `ParameterError` for parameters that don't fit,
        `RunExistsError` for a run id that is taken, `UsageError` for a malformed id or tag or for
        `items` below 1, and `StoreError` if the store can't be written.
        """
        require_map("parameters", parameters)
        require_seconds("wait_s", wait_s)
        notices = []
        if items is not None:
            if items < 1:
                raise UsageError(f"`items` takes a whole number from 1, not {items}.")
            first = "item" if items == 1 else f"{items:,} items"
            notices.append(f"each fan-out is limited to its first {first}")
        prepared = self._factory.new(plan, dict(parameters or {}), run_id, items, tags)
        drive = partial(self._run_new, prepared, notices, wait_s)
        return await self._begin(prepared.record.id, drive, observer)

    async def start_resume(
        self,
        plan: Plan,
        record: RunRecord,
        *,
        secrets: Mapping[str, Json] | None = None,
        force: bool = False,
        cancel: bool = False,
        wait_s: float | None = None,
        observer: Observer | None = None,
    ) -> RunHandle:
        """Resume a run that was paused, or whose process has died, and return its handle.

        `plan` is made of the workflow as it was recorded. `secrets` gives the run's secret
        parameters again, which aren't recorded. Nothing recorded is done again. With `cancel` the
        run is brought to its end as cancelled; with `force` it is resumed although a file that it
        reads has changed. Raises the errors of `start`, and `RunOverError`, and
        `RunDrivenError` if another process drives the run.
        """
        require_map("secrets", secrets)
        require_seconds("wait_s", wait_s)
        how = Resume(force=force, cancel=cancel)
        drive = partial(self._take_up, how, plan, record, secrets or {}, {}, wait_s)
        return await self._begin(record.id, drive, observer)

    async def start_retry(
        self,
        plan: Plan,
        record: RunRecord,
        *,
        recorded: Plan | None = None,
        from_task: str | None = None,
        kind_of: ChosenKind | None = None,
        parameters: Mapping[str, Json] | None = None,
        secrets: Mapping[str, Json] | None = None,
        force: bool = False,
        wait_s: float | None = None,
        observer: Observer | None = None,
    ) -> RunHandle:
        """Run the failed part of a run that is over again, and return its handle.

        Tasks after the failed ones run again as well; the rest is kept. With `from_task` that task
        runs again too, as a new visit, and of the task of `kind_of` just the items that have failed
        with that kind of errors. `parameters` have new values, for the part that runs: a task whose
        items come from one of them starts as a new visit. `plan` may be of a repaired
        workflow; then `recorded` is made of the workflow as it was recorded. Raises the errors of
        `start_resume`, and `RunNotOverError`, `NothingToRetryError`, `TaskNotFoundError` for a
        `from_task` that hasn't run, and `SourceChangedError` if a file that the run reads
        further has changed.
        """
        require_map("parameters", parameters)
        require_map("secrets", secrets)
        require_seconds("wait_s", wait_s)
        if from_task is not None:
            require_text("from_task", from_task)
        corrected = dict(parameters or {})
        was = decode(record.parameters)
        names = [name for name, value in corrected.items() if was.get(name) != value]
        how = Retry(
            force=force,
            recorded=recorded or plan,
            from_task=from_task,
            kind_of=kind_of,
            corrected=names,
        )
        drive = partial(self._take_up, how, plan, record, secrets or {}, corrected, wait_s)
        return await self._begin(record.id, drive, observer)

    # The same, to the end

    async def arun(
        self,
        plan: Plan,
        parameters: Mapping[str, Json] | None = None,
        *,
        run_id: str | None = None,
        tags: Collection[str] = (),
        items: int | None = None,
        wait_s: float | None = None,
        observer: Observer | None = None,
    ) -> Run:
        """Run `plan` to its end, and return the run, also if it failed.

        Takes the arguments and raises the errors of `start` and of `RunHandle.wait`. If the call is
        cancelled the run is cut off, keeps its records, and can be resumed.
        """
        return await _to_the_end(
            self.start(
                plan,
                parameters,
                run_id=run_id,
                tags=tags,
                items=items,
                wait_s=wait_s,
                observer=observer,
            )
        )

    async def aresume(
        self,
        plan: Plan,
        record: RunRecord,
        *,
        secrets: Mapping[str, Json] | None = None,
        force: bool = False,
        cancel: bool = False,
        wait_s: float | None = None,
        observer: Observer | None = None,
    ) -> Run:
        """Resume a run and return it at its end; see `start_resume` and `arun`."""
        return await _to_the_end(
            self.start_resume(
                plan,
                record,
                secrets=secrets,
                force=force,
                cancel=cancel,
                wait_s=wait_s,
                observer=observer,
            )
        )

    async def aretry(
        self,
        plan: Plan,
        record: RunRecord,
        *,
        recorded: Plan | None = None,
        from_task: str | None = None,
        kind_of: ChosenKind | None = None,
        parameters: Mapping[str, Json] | None = None,
        secrets: Mapping[str, Json] | None = None,
        force: bool = False,
        wait_s: float | None = None,
        observer: Observer | None = None,
    ) -> Run:
        """Retry a run and return it at its end; see `start_retry` and `arun`."""
        return await _to_the_end(
            self.start_retry(
                plan,
                record,
                recorded=recorded,
                from_task=from_task,
                kind_of=kind_of,
                parameters=parameters,
                secrets=secrets,
                force=force,
                wait_s=wait_s,
                observer=observer,
            )
        )

    def run(
        self,
        plan: Plan,
        parameters: Mapping[str, Json] | None = None,
        *,
        run_id: str | None = None,
        tags: Collection[str] = (),
        items: int | None = None,
        wait_s: float | None = None,
        observer: Observer | None = None,
    ) -> Run:
        """The same as `arun`, for callers without an event loop."""
        return run_blocking(
            lambda: self.arun(
                plan,
                parameters,
                run_id=run_id,
                tags=tags,
                items=items,
                wait_s=wait_s,
                observer=observer,
            ),
            instead="await engine.arun(...)",
        )

    # Driving

    async def _begin(self, run_id: str, drive: _Drive, observer: Observer | None) -> RunHandle:
        """Drive a run in a task of its own, and return when it is recorded and driven."""
        inbox = RunInbox(self._grace_s)
        task = asyncio.create_task(self._join(drive, inbox, self._watched_by(observer)))
        try:
            begun: list[asyncio.Future[Any]] = [task, inbox.is_begun]
            await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await end_task(task)
            raise
        if not inbox.is_begun.done():
            task.result()  # raises: the run can't be driven
        return RunHandle(run_id, inbox, task)

    def _watched_by(self, observer: Observer | None) -> Observer:
        """The observers of a run as one."""
        found = [each for each in (self._services.observer, observer) if each is not None]
        return found[0] if len(found) == 1 else together(found)

    async def _join(self, drive: _Drive, inbox: RunInbox, observer: Observer) -> Run:
        """Drive a run among the others of the engine, with whom it shares the journal."""
        self._inboxes.add(inbox)
        if self._journal is None:
            self._journal = JournalWriter(self._store, self._services.limits)
        journal = self._journal
        try:
            run = await drive(Session(journal, observer, inbox))
        finally:
            self._inboxes.discard(inbox)
            if not self._inboxes:
                self._journal = None
                try:
                    await journal.close()
                finally:
                    await self._shared_limits.close()
                    await self._keeper.leave()
        observer.run_ended(run)
        return run

    async def _run_new(
        self,
        prepared: PreparedRun,
        notices: Collection[str],
        wait_s: float | None,
        session: Session,
    ) -> Run:
        """Record a run together with its lease and slot, and drive it from its start."""
        engine_no = await asyncio.to_thread(self._keeper.engine_no)
        record = prepared.record

        async def create(wish: SlotWish | None) -> int:
            waiter_no = None if wish is None else wish.waiter_no
            return await session.journal.create_run(record, engine_no, waiter_no)

        entrance = self._entrance(session, wait_s, is_new=True)
        try:
            run_no = await entrance.enter(wish_of(record), create)
        except LeftOutError as why:
            left_out = replace(
                record,
                status=Status.CANCELLED,
                ended_at=self._services.clock.now(),
                error=why.error,
            )
            await session.journal.create_run(left_out, None)
            return unstarted(left_out)
        prepared = replace(prepared, record=replace(record, run_no=run_no))
        start = fresh_start(prepared.plan, prepared.record, prepared.context)
        async with self._lease(prepared.record, session, self._keeper.first) as lease:
            return await self._drive(Beginning(prepared, start, notices=[*notices]), lease, session)

    async def _take_up(
        self,
        how: Takeover,
        plan: Plan,
        record: RunRecord,
        secrets: Mapping[str, Json],
        corrected: Mapping[str, Json],
        wait_s: float | None,
        session: Session,
    ) -> Run:
        """Take over a recorded run, and drive it from where its records lead.

        Its record is checked twice: before the lease is taken, so that nothing happens to a run
        that can't be taken up, and as it is then, since its former owner may have changed it.
        """
        how.check(record)
        planned = self._factory.recorded(plan, record, secrets, corrected).record
        async with AsyncExitStack() as stack:

            async def take(wish: SlotWish | None) -> Lease:
                taking = self._lease(record, session, partial(self._keeper.take, wish=wish))
                return await stack.enter_async_context(taking)

            wish = wish_of(planned) if how.needs_slot else None
            lease = await self._entrance(session, wait_s, is_new=False).enter(wish, take)
            found = await asyncio.to_thread(self.find, record.id)
            how.check(found)
            prepared = self._factory.recorded(plan, found, secrets, corrected)
            beginning = await asyncio.to_thread(how.begin, prepared, self._services)
            return await self._drive(beginning, lease, session)

    def _entrance(self, session: Session, wait_s: float | None, *, is_new: bool) -> Entrance:
        notice = each_once(session.observer.notice)
        return Entrance(self._services, session.inbox, notice, wait_s=wait_s, is_new=is_new)

    @asynccontextmanager
    async def _lease(
        self,
        record: RunRecord,
        session: Session,
        take: Callable[[RunRecord], Lease],
        give_back: Callable[[], None] | None = None,
    ) -> AsyncIterator[Lease]:
        """A block in which this process drives the run, and no other one does.

        `take` gets the lease, and `give_back` releases it in another way than usual.
        """
        taking = asyncio.create_task(asyncio.to_thread(take, record))
        try:
            lease = await asyncio.shield(taking)
        except asyncio.CancelledError:  # which the thread doesn't hear
            with suppress(FanwiseError):
                await self._keeper.release(await taking, give_back)
            raise
        journal, inbox, run_no = session.journal, session.inbox, record.run_no

        def hear(request: RunRequest) -> None:
            session.has_heard = True
            session.observer.notice(f"another process asks to {request.kind.value} the run")
            inbox.request(request.kind, request.by)

        journal.hold(run_no, lease.token, inbox.fail, unheard(session.observer.logged))
        self._keeper.hold(lease, hear, inbox.fail, session.observer.notice)
        try:
            yield lease
        except LeaseLostError:
            raise await asyncio.to_thread(self._keeper.lost, record.id, run_no) from None
        finally:
            try:
                await journal.flush()
            finally:
                journal.let_go(run_no)
                await self._keeper.release(lease, give_back)

    async def _drive(self, beginning: Beginning, lease: Lease, session: Session) -> Run:
        """Drive a run that this process has the lease of: the one place where runs are driven."""
        prepared, start, rerun = beginning.prepared, beginning.start, beginning.rerun
        plan, record, observer = prepared.plan, prepared.record, session.observer
        last = await asyncio.to_thread(self._services.records.last_visit_no, record.run_no)
        run = self._run_services(beginning, session, lease, last)
        recorder = RunRecorder(plan, record, start, run, rerun, ran_s=lease.ran_s)
        driver = WorkflowDriver(plan, start, prepared.context, run, recorder)
        run.parking.on_broken(driver.tell)
        dozing = None
        if session.may_doze and run.may_end_waiting:
            dozing = DozeWatch(run.activity, self._services.clock, driver.doze)
        is_new = record.started_at is None
        report = observer.run_started if is_new else observer.run_resumed
        report(record.id, record.workflow, tuple(plan.numbers))
        for notice in beginning.notices:
            observer.notice(notice)
        if rerun is not None:
            observer.rerun_planned(rerun.notes)
            await driver.restore(rerun.outcome_of, first=rerun.restarted, then=rerun.advanced)
        session.inbox.pass_to(driver)
        try:
            async with self._services.resources():
                with capturing():
                    ended = await driver.drive(prepared.timeout_s, lease.ran_s - start.since_s)
        finally:
            session.inbox.close()
            run.stop.set()
            if dozing is not None:
                dozing.close()
            await run.parking.close()
        if ended.status is Status.WAITING:
            # An answer that came while the run was being left finds it waiting only from now on.
            wake = partial(self._services.waits.wake_settled, record.run_no)
            await asyncio.to_thread(wake, after=run.parking.last_settled)
        return recorder.summary(ended)

    def _run_services(
        self, beginning: Beginning, session: Session, lease: Lease, last_visit_no: int
    ) -> RunServices:
        prepared = beginning.prepared
        record = prepared.record
        notice = unheard(session.observer.notice)
        return RunServices(
            services=self._services,
            run_id=record.id,
            run_no=record.run_no,
            journal=session.journal,
            observer=session.observer,
            masker=prepared.masker,
            slots=self._slots,
            shared_limits=self._shared_limits,
            stop=StopFlag(),
            activity=Activity(),
            parking=Parking(
                record.run_no,
                lease.token,
                self._services.waits,
                self._services.clock,
                self._services.limits.waiting,
                partial(check_given, record),
                notice,
            ),
            emitter=Emitter(
                self._services.arrivals,
                prepared.masker,
                record.id,
                prepared.context.trigger["depth"] or 0,
            ),
            workflow_folder=Path(record.file).parent,
            caller_folder=Path(record.origin.folder),
            given=frozenset(record.origin.given),
            traceparent=record.origin.traceparent,
            numbers=itertools.count(last_visit_no + 1),
            child_slots=ChildSlots(
                self._services,
                record.id,
                record.run_no,
                lease.token,
                notice,
            ),
            child=run_child,
            may_end_waiting=not prepared.has_secrets,
            most_items=record.origin.most_items,
            takes_changed_files=beginning.takes_changed_files,
        )


async def _to_the_end(starting: Awaitable[RunHandle]) -> Run:
    """The run at its end. It is bound to this call: cancelling the call cuts it off."""
    async with await starting as handle:
        return await handle.wait()
