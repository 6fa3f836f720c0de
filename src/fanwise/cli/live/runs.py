"""Several runs side by side, each with lines of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fanwise.cli.leaving import INTERRUPTED, leave
from fanwise.cli.live.interruption import KEPT, Interruption
from fanwise.cli.text.log_lines import log_lines
from fanwise.cli.text.output import say
from fanwise.engine import Engine
from fanwise.errors import FanwiseError
from fanwise.model import ErrorInfo, LogEntry, Run, RunRecord, Status
from fanwise.plan import Plan
from fanwise.ports import Observer


def resume_all(
    engine: Engine,
    plans: Sequence[tuple[Plan, RunRecord]],
    refused: dict[str, FanwiseError],
    *,
    verbose: bool = False,
) -> list[Run]:
    """Drive interrupted runs to their ends; add the runs that can't be resumed to `refused`.

    If `verbose`, what actions print is shown as well.
    """
    return asyncio.run(_resume(engine, plans, refused, verbose))


async def _resume(
    engine: Engine,
    plans: Sequence[tuple[Plan, RunRecord]],
    refused: dict[str, FanwiseError],
    verbose: bool,
) -> list[Run]:
    interruption = Interruption(engine.pause, say)

    async def resume(plan: Plan, record: RunRecord) -> Run | None:
        try:
            return await engine.aresume(plan, record, observer=_Lines(record.id, verbose))
        except FanwiseError as error:
            refused[record.id] = error
            return None

    with interruption.listening():
        try:
            done = await asyncio.gather(*(resume(*each) for each in plans))
        except asyncio.CancelledError:
            if interruption.is_forced:
                say(f"Stopped. {KEPT}")
                leave(INTERRUPTED)
            raise
    return [run for run in done if run is not None]


class _Lines(Observer):
    """Lines about a run that begin with its id."""

    def __init__(self, run_id: str, verbose: bool) -> None:
        self._run_id = run_id
        self._is_verbose = verbose

    def _say(self, text: str) -> None:
        say(f"{self._run_id}  {text}")

    def run_resumed(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        self._say(f"of {workflow} is resumed")

    def notice(self, text: str) -> None:
        self._say(text)

    def task_ended(self, name: str, status: Status, error: ErrorInfo | None) -> None:
        self._say(f"{name} {status.value}")

    def logged(self, log: LogEntry) -> None:
        for line in log_lines(log) if self._is_verbose else ():
            self._say(line)

    def run_ended(self, run: Run) -> None:
        kept = {Status.PAUSED: "is paused", Status.WAITING: "waits"}
        self._say(kept.get(run.status, run.status.told))
