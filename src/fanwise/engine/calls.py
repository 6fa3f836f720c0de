"""Makes the calls of visits in the process that drives their run, with its journal around them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from fanwise.bitmap import Bitmap
from fanwise.catalog import StopFlag
from fanwise.context import WorkflowContext
from fanwise.engine.attempt import VisitCall
from fanwise.engine.capture import AttemptLog
from fanwise.engine.keys import change_key
from fanwise.engine.links import links_beforehand
from fanwise.engine.masking import Masker
from fanwise.engine.services import RunServices
from fanwise.engine.sleeping import Sleeper, SleepServices
from fanwise.engine.visit import Visit
from fanwise.model import Arrival, KvChange, Limits, LogEntry
from fanwise.plan import PlannedTask, Value
from fanwise.ports import Ticket


def make_call(
    task: PlannedTask,
    visit: Visit,
    context: WorkflowContext,
    run: RunServices,
    *,
    timeout_s: float | None,
    resumes: bool = False,
    begun_children: Bitmap | None = None,
) -> VisitCall:
    """The call of a visit. Raises `AttemptError` if its shared inputs don't fit.

    With `resumes` the visit was begun by an earlier process, with the steps of `begun_children`.
    """
    child: Callable[..., Awaitable[object]] | None = None
    if task.spec.workflow is not None:
        child = run.child(task.spec.workflow(), visit, context, run, begun_children)
    around = RunSurroundings(run, visit, resumes=resumes)
    return VisitCall(
        task.spec,
        task.inputs,
        visit,
        context,
        around,
        timeout_s=timeout_s,
        runs_on=task.runs_on,
        child=child,
    )


class RunSurroundings:
    """A run's services for one visit; implements `attempt.Surroundings`."""

    __slots__ = ("_asleep", "_resumes", "_run", "_visit")

    def __init__(self, run: RunServices, visit: Visit, *, resumes: bool) -> None:
        self._run = run
        self._visit = visit
        self._resumes = resumes
        services = run.services
        self._asleep = SleepServices(
            visit, services.clock, run.journal, services.records, run.activity
        )

    @property
    def limits(self) -> Limits:
        """The bounds of the run."""
        return self._run.services.limits

    @property
    def masker(self) -> Masker:
        """Knows the values of the run's secrets."""
        return self._run.masker

    @property
    def stop(self) -> StopFlag:
        """Set once the visit is to stop."""
        return self._run.stop

    @property
    def workflow_folder(self) -> Path:
        """The folder of the workflow's file."""
        return self._run.workflow_folder

    @property
    def caller_folder(self) -> Path:
        """The folder in which the paths of `given` parameters start."""
        return self._run.caller_folder

    @property
    def given(self) -> frozenset[str]:
        """The names of the parameters that the run was given."""
        return self._run.given

    @property
    def traceparent(self) -> str:
        """The span that has started the run."""
        return self._run.traceparent

    def now(self) -> float:
        """The time."""
        return self._run.services.clock.now()

    def locate(self, text: str, value: Value) -> str:
        """The absolute path that `text`, which `value` gave, means."""
        return self._run.locate(text, value)

    def sleeper(self, ticket: Ticket) -> Sleeper:
        """The recorded sleeps of one attempt."""
        return Sleeper(self._asleep, ticket, resumes=self._resumes and ticket.attempt == 1)

    async def change_key(self, change: KvChange) -> int:
        """Make a change of a key of the store, and return its version after it."""
        return await change_key(self._run.services.kv, self.masker, change)

    async def emit(self, event: Arrival) -> bool:
        """Record an event, and return whether it is new."""
        return await self._run.emitter.emit(event)

    async def new_links(self, ticket: Ticket, form: bytes) -> Mapping[str, str] | None:
        """Make links to the question that an attempt is about to ask; None if it has been asked."""
        services, visit = self._run.services, self._visit
        return await asyncio.to_thread(
            links_beforehand,
            services.waits,
            visit.run_no,
            (visit.item(ticket.index), ticket.attempt),
            form,
            services.public_url,
            services.randomness.token,
        )

    def open_log(self, path: Callable[[Ticket], str]) -> AttemptLog:
        """A log of attempts, one after the other; `path` gives the path of each."""
        visit, journal = self._visit, self._run.journal

        def keep(ticket: Ticket, written_at: float, text: str) -> None:
            of_attempt = (ticket.index, ticket.attempt, path(ticket))
            journal.add_log(LogEntry(visit.run_no, visit.visit_no, *of_attempt, written_at, text))

        return AttemptLog(self.limits.log_bytes, self.masker, self.now, keep)
