"""A run that an engine has taken from its queue, and how the engine gives it back.

It goes back into the queue if the engine is stopped, or if it can't be driven on for a reason that
may pass; the latter counts as a try. Else it is over, or paused on request, and waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from msgspec.structs import replace

from fanwise.engine.takeover import Resume, Retry, Takeover
from fanwise.errors import ActionLoadError, FanwiseError, LeaseLostError
from fanwise.model import Claim, ErrorInfo, Lease, OrderKind, Run, RunRecord, Status
from fanwise.plan import Plan
from fanwise.ports import Ownership, Queue

MOST_TRIES: Final = 6
"""Engines in a row that may lose a run without any progress; then the run is at fault."""

STOPPED: Final = "engine stopped"


LoadPlans: TypeAlias = Callable[[RunRecord, str | None], Awaitable[tuple[Plan, Plan]]]
"""Makes the plan to drive a run with, of a repaired workflow if one is given, and the recorded one.

Of the recorded plan nothing is run if there is a repaired one.
"""


class ClaimedRun:
    """A run that was taken from its queue."""

    def __init__(self, claim: Claim, ownership: Ownership, queue: Queue) -> None:
        self._claim = claim
        self._ownership = ownership
        self._queue = queue
        self._why = ""
        self._counts = False
        self._waits = False

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._claim.run_id

    def take(self, _: RunRecord) -> Lease:
        """Return the lease that came with the run."""
        return self._claim.lease

    def refusal(self) -> ErrorInfo | None:
        """Return the error to end the run with if too many engines have tried it in vain."""
        place = self._claim.submission
        if place.tries < MOST_TRIES:
            return None
        return ErrorInfo(
            "RunKeepsFailing",
            f"{place.tries} engines in a row have lost the run without any progress: "
            f"{place.tried_by.lstrip(', ')}. The last time: {place.why}. "
            f"Find out why, and then: fanwise retry {self.run_id}",
        )

    @property
    def definition(self) -> str | None:
        """Return the repaired workflow that the run is to be driven with, if there is one."""
        order = self._claim.submission.order
        return None if order is None else order.definition

    def takeover(self, recorded: Plan, record: RunRecord) -> Takeover:
        """Return the way to take the run up: as it was ordered, else by resuming it.

        Raises a `ConflictError` if the order can't be carried out.
        """
        order = self._claim.submission.order
        kind = None if order is None else order.kind
        force = order is not None and order.force
        if order is not None and kind is OrderKind.RETRY:
            how: Takeover = Retry(
                force=force, recorded=recorded, from_task=order.from_task, kind_of=order.kind_of
            )
        else:
            how = Resume(force=force, cancel=kind is OrderKind.CANCEL)
        how.check(record)
        return how

    @contextmanager
    def put_back_if_broken_off(self) -> Iterator[None]:
        """Let the run wait again if this block is left by an error."""
        try:
            yield
        except asyncio.CancelledError:
            self._put_back(STOPPED, counts=False)
            raise
        except LeaseLostError:
            raise
        except FanwiseError as error:
            self._put_back(error.message, counts=True)
            raise
        except Exception as error:  # whose text may quote a value
            self._put_back(f"internal error: {type(error).__name__}", counts=True)
            raise

    def ended(self, run: Run, *, is_on_request: bool) -> Run:
        """Return the run as it is once it is given back.

        A run that is paused `is_on_request` of another process stays so.
        """
        if run.status is not Status.PAUSED or is_on_request:
            return run
        self._put_back(STOPPED, counts=False)
        return replace(run, status=Status.PENDING, ended_at=None)

    def _put_back(self, why: str, *, counts: bool) -> None:
        self._why, self._counts, self._waits = why, counts, True

    def give_back(self) -> None:
        """Give the run back. May block."""
        lease = self._claim.lease
        if self._waits:
            self._queue.put_back(lease.run_no, lease.token, self._why, counts=self._counts)
        else:
            self._ownership.release(lease.run_no, lease.token)


def cannot_run(error: FanwiseError) -> ErrorInfo:
    """Return the error to end a run with that can't be driven here."""
    trace = error.traceback if isinstance(error, ActionLoadError) else ""
    return ErrorInfo("CannotRun", str(error), {"code": error.code}, trace or None)
