"""Drives several recorded runs side by side, and tells of each in lines of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from fanwise.cli.interruption import INTERRUPTED, KEPT, Interruption, leave
from fanwise.cli.output import say
from fanwise.engine import Engine
from fanwise.errors import FanwiseError
from fanwise.model import ErrorInfo, Run, RunRecord, Status
from fanwise.plan import Plan
from fanwise.ports import Observer


def go_on_with(
    engine: Engine, plans: Sequence[tuple[Plan, RunRecord]], refused: dict[str, FanwiseError]
) -> list[Run]:
    """Drive interrupted runs to their ends; those that can't go on are added to `refused`."""
    return asyncio.run(_go_on(engine, plans, refused))


async def _go_on(
    engine: Engine, plans: Sequence[tuple[Plan, RunRecord]], refused: dict[str, FanwiseError]
) -> list[Run]:
    interruption = Interruption(engine.pause, say)

    async def go_on(plan: Plan, record: RunRecord) -> Run | None:
        try:
            return await engine.aresume(plan, record, observer=_Lines(record.id))
        except FanwiseError as error:
            refused[record.id] = error
            return None

    with interruption.listening():
        try:
            done = await asyncio.gather(*(go_on(*each) for each in plans))
        except asyncio.CancelledError:
            if interruption.is_forced:
                say(f"Stopped. {KEPT}")
                leave(INTERRUPTED)
            raise
    return [run for run in done if run is not None]


class _Lines(Observer):
    """Tells of each run in lines of its own."""

    def __init__(self, run_id: str) -> None:
        self._say = partial(self._tell, run_id)

    def _tell(self, run_id: str, what: str) -> None:
        say(f"{run_id}  {what}")

    def run_resumed(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        self._say(f"of {workflow} goes on")

    def notice(self, text: str) -> None:
        self._say(text)

    def task_ended(self, name: str, status: Status, error: ErrorInfo | None) -> None:
        self._say(f"{name} {status.value}")

    def run_ended(self, run: Run) -> None:
        self._say(f"has {run.status.value}" if run.status is not Status.PAUSED else "is paused")
