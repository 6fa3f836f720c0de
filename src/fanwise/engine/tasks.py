"""Runs one visit of a task, from its settings to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

from msgspec.structs import replace

from fanwise.bitmap import Bitmap
from fanwise.catalog import LOCAL, StopFlag
from fanwise.context import WorkflowContext
from fanwise.engine.attempt import VisitCall
from fanwise.engine.calls import make_call
from fanwise.engine.capture import unheard
from fanwise.engine.evaluate import is_handled
from fanwise.engine.feeds.bad_records import BadRecords
from fanwise.engine.feeds.base import AttemptQueue
from fanwise.engine.feeds.items import ItemAttempts
from fanwise.engine.feeds.progress import Progress, Stop
from fanwise.engine.feeds.solo import SingleAttempt
from fanwise.engine.items import items_file, open_items, require_unchanged
from fanwise.engine.pages import with_pages
from fanwise.engine.placement import place
from fanwise.engine.services import RunServices
from fanwise.engine.settings import TaskSettings, resolve_settings
from fanwise.engine.visit import Visit, VisitEnd
from fanwise.errors import AttemptError, SourceChangedError
from fanwise.model import (
    FileFingerprint,
    ItemOutcome,
    RecordedItems,
    Sleep,
    Status,
    TaskResult,
    VisitRecord,
    WaitPlace,
)
from fanwise.plan import PlannedItems, PlannedTask
from fanwise.ports import Executor
from fanwise.values import decode


class VisitRunner:
    """One visit of a task.

    `note` records fields of its row that become known on the way. `begun` is the row of a visit
    that was interrupted: it resumes there, and its recorded items and steps aren't run again.
    `on_rest` is called when nothing is left of it but waits.
    """

    def __init__(
        self,
        task: PlannedTask,
        visit: Visit,
        context: WorkflowContext,
        run: RunServices,
        note: Callable[..., Awaitable[None]],
        on_rest: Callable[[], None],
        *,
        begun: VisitRecord | None = None,
    ) -> None:
        self._task = task
        self._visit = visit
        self._context = context
        self._run = replace(run, stop=StopFlag(run.stop))
        self._slots = run.slots_of(task)
        self._note = note
        self._begun = begun
        self._feed: AttemptQueue | None = None
        self._executor: str | None = None  # that the task asks for
        self._stop: Stop | None = None
        self._stopped = asyncio.Event()
        self._on_rest = on_rest
        self._is_delayed = False
        self._dozes = False
        self.progress = Progress(task.name, has_items=task.items is not None, visit=visit.number)

    def doze(self) -> None:
        """Stop, since all that is left sleeps for long."""
        self._dozes = True
        self.stop(Stop.HOLD)

    def stop(self, how: Stop) -> None:
        """Start nothing more, and stop attempts in flight as well unless they are to finish."""
        self._stop = how if self._stop is None else max(self._stop, how)
        self._stopped.set()
        self._run.stop.set()
        if self._feed is not None:
            self._feed.stop(self._stop)

    @property
    def is_resting(self) -> bool:
        """True while nothing is left to do but to wait for the settling of recorded waits."""
        return self._feed is not None and self._feed.is_resting

    @property
    def is_still(self) -> bool:
        """True if nothing of the visit can start by itself; see `RunningVisit`."""
        return self._is_delayed if self._feed is None else self._feed.is_still

    @property
    def resting(self) -> int:
        """The number of attempts that wait; see `RunningVisit`."""
        return 0 if self._feed is None else self._feed.resting

    @property
    def next_try_s(self) -> float | None:
        """The seconds until the next try; see `RunningVisit`."""
        return None if self._feed is None else self._feed.next_try_s

    @property
    def parked_places(self) -> list[WaitPlace]:
        """The places of the waits that attempts are parked for."""
        return [] if self._feed is None else self._feed.parked_places

    async def run(self) -> VisitEnd:
        """Run the visit to its end, or to its pause. Raises `StoreError`."""
        visits = self._run.activity.visits
        visits.add(self)
        try:
            end = await self._visited()
        except AttemptError as error:
            end = VisitEnd(TaskResult(Status.FAILED, error=self._run.describe(error)))
        finally:
            visits.discard(self)
        if end.result.status is Status.FAILED:
            return replace(end, handled=is_handled(self._task, self._context, end.result))
        return end

    async def _visited(self) -> VisitEnd:
        if keys := self._task.keys:
            with_keys = partial(self._run.with_keys, self._context, self._visit.inside, keys)
            self._context = await asyncio.to_thread(with_keys)
        settings = resolve_settings(self._task, self._context)
        if settings.delay_s and not await self._delay(settings.delay_s):
            return self._stopped_early()
        run, timeout_s = self._run, settings.timeout_s
        self._executor = settings.executor
        begun_children = await self._find_begun_children()
        bound_call = partial(
            make_call,
            self._task,
            self._visit,
            self._context,
            run,
            timeout_s=timeout_s,
            resumes=self._begun is not None,
            begun_children=begun_children,
        )
        # Paged outputs are read from the store, which may block: not on the loop.
        reads_pages = any(entry.reads_pages for entry in self._task.inputs)
        call = await asyncio.to_thread(bound_call) if reads_pages else bound_call()
        if self._task.items is None:
            return await self._solo(call, settings)
        return await self._fan_out(call, self._task.items, settings)

    async def _delay(self, delay_s: float) -> bool:
        """Wait out the task's `delay`; False if the run is to stop meanwhile."""
        clock = self._run.services.clock
        if self._begun is not None and self._begun.due_at is not None:
            # No longer than asked for: the clock may have been set back meanwhile.
            delay_s = min(delay_s, max(0.0, self._begun.due_at - clock.now()))
        else:
            await self._note(due_at=clock.now() + delay_s)
        due = asyncio.Event()
        timer = clock.call_later(delay_s, due.set)
        waits = [asyncio.ensure_future(due.wait()), asyncio.ensure_future(self._stopped.wait())]
        try:
            with self._run.activity.sleeping(clock.now() + delay_s, was_awake=False):
                self._is_delayed = True
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._is_delayed = False
            timer.cancel()
            for wait in waits:
                wait.cancel()
        return self._stop is None

    async def _find_begun_children(self) -> Bitmap | None:
        """The items with recorded steps of a child, if the visit was begun; 0 without items."""
        if self._begun is None or self._task.spec.workflow is None:
            return None
        if self._task.items is None:
            return Bitmap([0])
        records = self._run.services.records
        return await asyncio.to_thread(records.begun_items, self._visit.run_no, self._visit.inside)

    async def _execute(self, feed: AttemptQueue, call: VisitCall) -> None:
        self._feed = feed
        feed.on_rest(self._on_rest)
        if self._stop is not None:  # requested while the settings were evaluated
            feed.stop(self._stop)
        executor = await self._placed(feed, call)
        is_elsewhere = executor is not self._run.services.executors[LOCAL]
        if is_elsewhere and not self._run.depth:  # steps of children may be millions
            await self._note_snapshot(call)
        await executor.execute(feed, call)
        if feed.calls_left:
            is_one = feed.calls_left == 1
            some = "1 call" if is_one else f"{feed.calls_left:,} calls"
            feed.notice(
                f"{some} of {self._visit.path} can't be stopped and still run{'s' * is_one}; "
                "nothing waits for what is left behind, and it ends with this process"
            )

    async def _placed(self, feed: AttemptQueue, call: VisitCall) -> Executor:
        """The executor that the visit has, of those that the call can reach."""
        services = self._run.services
        asked = self._executor or services.executor
        placement = place(services.executors, self._task.spec, asked, runs_on=self._task.runs_on)
        if placement.notice:
            feed.notice(placement.notice)
        if placement.name == LOCAL or placement.asked:
            return placement.executor
        try:
            await asyncio.to_thread(call.portable)
        except AttemptError as error:
            feed.notice(f"{self._visit.path} runs in a thread of this process: {error}")
            return services.executors[LOCAL]
        return placement.executor

    async def _note_snapshot(self, call: VisitCall) -> None:
        """Record the size of the context's part that goes to workers, if the call can go there."""
        try:
            size_bytes = len((await asyncio.to_thread(call.portable)).snapshot)
        except AttemptError:
            return  # the executor fails the visit with the same, unless it needs no snapshot
        if self._begun is None or self._begun.snapshot_bytes != size_bytes:
            await self._note(snapshot_bytes=size_bytes)

    async def _solo(self, call: VisitCall, settings: TaskSettings) -> VisitEnd:
        feed = SingleAttempt(
            self._context,
            settings,
            self.progress,
            self._run,
            self._slots,
            self._visit,
            is_workflow=self._task.spec.workflow is not None,
            began_at=self._began_at(),
        )
        await self._resume_tries(feed)
        await self._execute(feed, call)
        if feed.status is None:
            return self._stopped_early()
        output = None if feed.output is None else decode(feed.output)
        result = TaskResult(feed.status, output=output, error=feed.error)
        return VisitEnd(result, feed.attempts, feed.output, earlier=feed.earlier)

    async def _resume_tries(self, feed: AttemptQueue) -> None:
        """Have attempts wait for their next try that did when the run was left to doze."""
        if self._begun is None or self._task.settings.retry is None:
            return
        records, visit = self._run.services.records, self._visit
        for each in await asyncio.to_thread(records.waiting_tries, visit.run_no, visit.inside):
            _, _, index = each.path.removeprefix(visit.inside).partition("[")
            feed.try_later(int(index[:-1]) if index else None, -each.turn, each.due_at)

    def waiting_tries(self) -> Iterator[Sleep]:
        """Yield the attempts that wait for their next try, as records."""
        return iter(()) if self._feed is None else self._feed.waiting_tries()

    def _began_at(self) -> float | None:
        """The time at which an earlier process began the visit, after its delay, or None."""
        begun = self._begun
        return None if begun is None else begun.due_at or begun.started_at

    async def _fan_out(
        self, call: VisitCall, items: PlannedItems, settings: TaskSettings
    ) -> VisitEnd:
        run, visit = self._run, self._visit
        recorded = await self._find_recorded_items(items)
        bad_records = None
        if settings.bad_records != "fail":
            bad_records = BadRecords(
                self.progress,
                item_records=settings.batch_size or 1,
                is_tolerated=settings.bad_records == "tolerate",
                log_bytes=run.services.limits.log_bytes,
            )
        source = open_items(
            items,
            self._context,
            run.services.sources,
            run.services.limits,
            run.locate,
            batch_size=settings.batch_size,
            most=run.most_items,
            done=None if recorded is None else recorded[0].indexes,
            notice=self._notice,
            left_out=None if bad_records is None else bad_records.note,
        )
        feed = ItemAttempts(
            self._context,
            visit,
            source,
            settings,
            self.progress,
            run,
            self._slots,
            bad_records,
            is_workflow=self._task.spec.workflow is not None,
        )
        if recorded is not None:
            feed.skip(*recorded)
        await self._resume_tries(feed)
        try:
            await self._note_total(source.total)
            await self._execute(feed, call)
            result = await feed.finish()
            is_total_known = feed.is_total_known
        finally:
            feed.close()
        if result.status is Status.PAUSED and (feed.was_parked or self._dozes):
            result = replace(result, status=Status.WAITING)
        result = with_pages(result, run.services.records, visit.run_no, visit.visit_no)
        return VisitEnd(result, feed.attempts, is_total_known=is_total_known)

    async def _note_total(self, total: int | None) -> None:
        """Record the number of items, if it is known and not recorded yet."""
        begun = self._begun
        is_noted = begun is not None and (begun.items or begun.items_total is not None)
        if total is not None and not is_noted:
            await self._note(items_total=total)

    async def _find_recorded_items(
        self, items: PlannedItems
    ) -> tuple[RecordedItems, ItemOutcome | None] | None:
        """The recorded items and the first failed one, if the visit was begun before.

        The fingerprint of the file that items are read from is recorded before the first item.
        """
        services, visit, begun = self._run.services, self._visit, self._begun
        file = items_file(items, self._context, self._run.locate)
        was = None if begun is None else begun.source
        if file is not None and was is not None and not self._run.takes_changed_files:
            await self._require_unchanged(items.kind, file, was)
        now = None
        if file is not None:
            now = await asyncio.to_thread(services.sources.stamp, items.kind, file)
        if now is not None and now != was:
            await self._note(source=now)
        if begun is None:
            return None
        records = services.records
        found = await asyncio.to_thread(records.recorded_items, visit.run_no, visit.visit_no)
        if file is not None and now is None and len(found.indexes):
            raise AttemptError(
                f"{items.place}  {file} is no regular file, so its items can't be read once more.",
                hint="Start a new run.",
            )
        failed: Sequence[ItemOutcome] = ()
        if found.failed:
            failed = await asyncio.to_thread(
                partial(records.items, visit.run_no, visit.visit_no, status=Status.FAILED, limit=1)
            )
        return found, next(iter(failed), None)

    def _notice(self, text: str) -> None:
        """Tell the run's observer a fact, past the log of the attempt at hand."""
        unheard(self._run.observer.notice)(self._run.masker.text(f"{self._visit.path}: {text}"))

    async def _require_unchanged(self, kind: str, file: str, was: FileFingerprint) -> None:
        """Continue only if a file is as it `was`; else the run stops, and keeps its records."""
        sources, path = self._run.services.sources, self._visit.path
        run_id = self._run.run_id
        try:
            await asyncio.to_thread(require_unchanged, sources, run_id, path, kind, file, was)
        except SourceChangedError as error:
            # No failure of this task, so nothing is recorded: the whole run is to stop.
            self._run.journal.abandon(self._visit.run_no, error)
            await asyncio.get_running_loop().create_future()

    def _stopped_early(self) -> VisitEnd:
        """The end of a visit that was stopped before any of its attempts had ended."""
        if self._stop is Stop.CANCEL:
            return VisitEnd(TaskResult(Status.CANCELLED))
        was_parked = self._dozes or (self._feed is not None and self._feed.was_parked)
        return VisitEnd(TaskResult(Status.WAITING if was_parked else Status.PAUSED))
