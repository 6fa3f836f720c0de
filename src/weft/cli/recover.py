"""`weft recover`: goes on with all runs whose process has died."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from weft.cli import options
from weft.cli.output import as_json, print_results, prints_aside, say
from weft.engine import Quiet
from weft.errors import WeftError
from weft.model import Run, RunRecord, Status

if TYPE_CHECKING:
    from weft.engine import Engine
    from weft.plan import Plan

_REFUSED = 2


def recover(
    packs: options.Packs = None,
    grace: options.Grace = None,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Go on with all runs whose process has died, side by side. Paused runs stay paused.

    Exit status: 0 all of them succeeded, 1 one has failed, 2 one can't go on.
    """
    from weft.cli.driving import driving_lease
    from weft.cli.interruption import INTERRUPTED
    from weft.wiring import load_recorded, open_engine, open_records, read_settings

    settings = read_settings(store=store, packs=packs or ())
    refused: dict[str, WeftError] = {}
    plans: list[tuple[Plan, RunRecord]] = []
    with open_records(settings) as records:
        left = [each for each in records.unfinished() if driving_lease(records, each) is None]
    with prints_aside():
        for record in left:
            try:
                plans.append((load_recorded(record, settings), record))
            except WeftError as error:
                refused[record.id] = error
    say(f"{len(left):,} interrupted {'run' if len(left) == 1 else 'runs'}.")
    with open_engine(settings=settings, create=False, grace_s=grace) as engine, prints_aside():
        done = asyncio.run(_go_on(engine, plans, refused)) if plans else []
    for run_id, refusal in refused.items():
        say(f"Run {run_id} can't go on: {refusal}")
    if json:
        print_results(as_json({"run_id": run.id, "status": run.status}) for run in done)
    statuses = {run.status for run in done}
    if refused:
        raise typer.Exit(_REFUSED)
    if Status.PAUSED in statuses:
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(int(bool(statuses - {Status.SUCCEEDED})))


async def _go_on(
    engine: Engine, plans: Sequence[tuple[Plan, RunRecord]], refused: dict[str, WeftError]
) -> list[Run]:
    from weft.cli.interruption import Interruption, leave

    interruption = Interruption(engine.pause, say)

    async def go_on(plan: Plan, record: RunRecord) -> Run | None:
        try:
            return await engine.aresume(plan, record, observer=_Lines(record.id))
        except WeftError as error:
            refused[record.id] = error
            return None

    with interruption.listening():
        try:
            done = await asyncio.gather(*(go_on(*each) for each in plans))
        except asyncio.CancelledError:
            if interruption.is_forced:
                say("Stopped. What was recorded by now is kept.")
                leave()
            raise
    return [run for run in done if run is not None]


class _Lines(Quiet):
    """Tells of each run in lines of its own."""

    def __init__(self, run_id: str) -> None:
        self._say = partial(self._tell, run_id)

    def _tell(self, run_id: str, what: str) -> None:
        say(f"{run_id}  {what}")

    def run_started(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        self._say(f"of {workflow} goes on")

    def notice(self, text: str) -> None:
        self._say(text)

    def task_ended(self, name: str, status: Status, error: Any) -> None:
        self._say(f"{name} {status.value}")

    def run_ended(self, run: Run) -> None:
        self._say(f"has {run.status.value}" if run.status is not Status.PAUSED else "is paused")
