"""Taking submitted runs, with a line for each run that is taken and that ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from fanwise.cli.leaving import INTERRUPTED, leave
from fanwise.cli.live.interruption import KEPT, Interruption
from fanwise.cli.text.output import say
from fanwise.cli.text.render import count, show_error
from fanwise.engine.taking import Taking, Takings
from fanwise.errors import StoreError, UsageError
from fanwise.model import Claim, EngineRecord, Run, Status
from fanwise.ports import Observer
from fanwise.reports.plain import clean


def take_runs(
    open_taking: Callable[[Takings], AbstractContextManager[Taking]], *, until_eof: bool
) -> None:
    """Take runs until a signal comes, or with `until_eof` until standard input has ended.

    Raises `StoreError`, and `UsageError` for standard input that is no pipe.
    """
    asyncio.run(_take(open_taking, until_eof))


async def _take(
    open_taking: Callable[[Takings], AbstractContextManager[Taking]], until_eof: bool
) -> None:
    with open_taking(_Lines()) as taking:
        interruption = Interruption(taking.stop, say)
        with interruption.listening():
            if until_eof:
                _call_at_eof(taking.stop)
            try:
                say("Taking runs; Ctrl-C stops.")
                await taking.work()
            except asyncio.CancelledError:
                if interruption.is_forced:
                    say(f"Stopped. {KEPT}")
                    leave(INTERRUPTED)
                raise
    say("Stopped.")


def _call_at_eof(stop: Callable[[], None]) -> None:
    """Call `stop` once standard input has ended. Raises `UsageError` if it is no pipe."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(0, 4_096):
            loop.remove_reader(0)
            stop()

    try:
        loop.add_reader(0, read)
    except OSError:
        raise UsageError(
            "--until-eof needs standard input to be a pipe.",
            hint="A process that starts this one keeps the other end.",
        ) from None


class _Lines(Takings):
    """Lines about what happens."""

    def __init__(self) -> None:
        self._trouble = ""

    def observe(self, claim: Claim) -> Observer:
        self._trouble = ""
        return _RunLines(claim)

    def run_broke_off(self, run_id: str, why: str) -> None:
        say(f"{run_id}  is driven no more: {clean(why)}")

    def engine_gone(self, engine: EngineRecord, run_ids: Sequence[str]) -> None:
        names = f": {' '.join(run_ids)}" if run_ids else ""
        say(f"{clean(engine.owner.name)} is gone; {count(len(run_ids), 'run')} put back{names}")

    def store_failed(self, error: StoreError) -> None:
        if str(error) != self._trouble:
            self._trouble = str(error)
            say(f"{clean(self._trouble)} It is tried again.")


class _RunLines(Observer):
    """Lines about a run that begin with its id."""

    def __init__(self, claim: Claim) -> None:
        self._run_id = claim.run_id

    def _say(self, text: str) -> None:
        say(f"{self._run_id}  {text}")

    def run_started(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        self._say(f"of {clean(workflow)} is taken")

    def run_resumed(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        self._say(f"of {clean(workflow)} is taken, and resumed")

    def notice(self, text: str) -> None:
        self._say(clean(text))

    def run_ended(self, run: Run) -> None:
        match run.status:
            case Status.PENDING:
                self._say("is put back into its queue")
            case Status.WAITING:
                self._say("waits for an answer, a signal or a time")
            case Status.PAUSED:
                self._say("is paused")
            case Status.FAILED:
                self._say(f"has failed: {show_error(run.error)}")
            case _:
                self._say(f"has {run.status.value}")
