"""The engine of a process that takes runs from queues: it drives those, beside its own ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from msgspec.structs import replace

from fanwise.engine.claimed import ClaimedRun, LoadPlans, cannot_run
from fanwise.engine.describe import presentable
from fanwise.engine.engine import Engine, Session
from fanwise.engine.entering import unstarted
from fanwise.engine.handle import RunHandle
from fanwise.errors import FanwiseError, StoreError
from fanwise.model import Claim, ErrorInfo, Lease, Run, RunRecord, Status
from fanwise.ports import Observer


class ClaimingEngine(Engine):
    """An engine that also drives runs whose leases came with a claim."""

    async def start_claimed(
        self,
        claim: Claim,
        load: LoadPlans,
        *,
        observer: Observer | None = None,
    ) -> RunHandle:
        """Drive a run that this engine has taken from its queue, and return its handle.

        `load` makes its plans. A run that can't be driven here fails with the error. A run that is
        paused by `pause`, or cut off, goes back into its queue, and is `pending` then.
        """
        claimed = ClaimedRun(claim, self._services.ownership, self._services.queue)
        drive = partial(self._drive_claimed, claimed, load)
        return await self._begin(claim.run_id, drive, observer)

    @asynccontextmanager
    async def staying(self) -> AsyncIterator[Callable[[], int]]:
        """A block in which this engine is in the store, also while it drives nothing.

        It gets a function for the engine's number, which changes if the engine is taken for dead.
        """
        await asyncio.to_thread(self._keeper.engine_no)
        self._keeper.stay()
        try:
            yield self._keeper.engine_no
        finally:
            await self._keeper.end_stay()

    async def _drive_claimed(
        self,
        claimed: ClaimedRun,
        load: LoadPlans,
        session: Session,
    ) -> Run:
        """Drive a run under the lease that came with it, and see to it that somebody does."""
        session.may_doze = True
        record = await asyncio.to_thread(self.find, claimed.run_id)
        async with self._lease(record, session, claimed.take, claimed.give_back) as lease:
            with claimed.put_back_if_broken_off():
                run = await self._drive_or_fail(claimed, load, record, lease, session)
            return claimed.ended(run, is_on_request=session.has_heard)

    async def _drive_or_fail(
        self,
        claimed: ClaimedRun,
        load: LoadPlans,
        record: RunRecord,
        lease: Lease,
        session: Session,
    ) -> Run:
        """Drive a claimed run on, or end it as failed if it can't be driven here."""
        refusal = claimed.refusal()
        if refusal is not None:
            return await self._give_up(record, refusal, session)
        try:
            plan, recorded = await load(record, claimed.definition)
            prepared = self._factory.recorded(plan, record, {})
            how = claimed.takeover(recorded, record)
            beginning = await asyncio.to_thread(how.begin, prepared, self._services)
            return await self._drive(beginning, lease, session)
        except StoreError:
            raise
        except FanwiseError as error:
            return await self._give_up(record, cannot_run(error), session)

    async def _give_up(self, record: RunRecord, error: ErrorInfo, session: Session) -> Run:
        """End a run as failed, or decline to retry one that is over, which stays as it is."""
        if not record.status.is_final:
            return await self._fail(record, error, session)
        told = presentable(error, self._factory.masker(), self._services.limits)
        await asyncio.to_thread(self._services.queue.decline, record.run_no, told.message)
        return unstarted(record)

    async def _fail(self, record: RunRecord, error: ErrorInfo, session: Session) -> Run:
        """End a run as failed of which nothing could be driven."""
        told = presentable(error, self._factory.masker(), self._services.limits)
        now = self._services.clock.now()
        failed = replace(record, status=Status.FAILED, ended_at=now, output=None, error=told)
        await session.journal.commit(failed)
        return unstarted(failed)
