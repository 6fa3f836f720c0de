"""Taking submitted runs, with a line for each run that is taken and that ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, suppress

import msgspec

from fanwise.cli.leaving import INTERRUPTED, leave
from fanwise.cli.live.interruption import KEPT, Interruption
from fanwise.cli.live.telling import Teller
from fanwise.cli.text.render import count, show_error
from fanwise.engine.taking import Taking, Takings
from fanwise.errors import StoreError, UsageError
from fanwise.model import Claim, EngineRecord, ErrorInfo, Run, Status
from fanwise.ports import Observer
from fanwise.reports.plain import clean
from fanwise.telemetry.counting import RunCounts, counting
from fanwise.telemetry.exposition import serve_metrics
from fanwise.telemetry.log_lines import Field

_COUNT_S = 1.0


def take_runs(
    open_taking: Callable[[Takings], AbstractContextManager[Taking]],
    tell: Teller,
    *,
    until_eof: bool,
    report_to: int | None = None,
    metrics_port: int | None = None,
) -> None:
    """Take runs until a signal comes, or with `until_eof` until standard input has ended.

    What is counted is reported each second to the descriptor `report_to`, or read by others at
    `metrics_port`. Raises `StoreError`, and `UsageError` for standard input that is no pipe and for
    a port that is taken.
    """
    takings: Takings = _Lines(tell)
    counter = None
    if report_to is not None or metrics_port is not None:
        runs = RunCounts()
        counter = _Counter(runs, report_to)
        takings = counting(runs, takings)
        if metrics_port is not None:
            port = serve_metrics(runs, metrics_port)
            tell(f"Metrics at http://127.0.0.1:{port}/metrics", "metrics", port=port)
    asyncio.run(_take(lambda: open_taking(takings), tell, until_eof, counter))


async def _take(
    open_taking: Callable[[], AbstractContextManager[Taking]],
    tell: Teller,
    until_eof: bool,
    counter: _Counter | None,
) -> None:
    with open_taking() as taking:
        interruption = Interruption(taking.stop, lambda text: tell(text, "interrupted"))
        with interruption.listening():
            if until_eof:
                _call_at_eof(taking.stop)
            try:
                tell("Taking runs; Ctrl-C stops.", "taking_runs")
                await (taking.work() if counter is None else counter.during(taking.work()))
            except asyncio.CancelledError:
                if interruption.is_forced:
                    tell(f"Stopped. {KEPT}", "stopped", level="warning")
                    leave(INTERRUPTED)
                raise
    tell("Stopped.", "stopped")


class _Counter:
    """Counts items each second, and writes what was counted to `report_to`, a line each time.

    At its other end the server that has started this process reads the lines as they come.
    """

    def __init__(self, runs: RunCounts, report_to: int | None) -> None:
        if report_to is not None:
            os.set_inheritable(report_to, False)
        self._runs = runs
        self._report_to = report_to

    async def during(self, work: Coroutine[None, None, None]) -> None:
        """Count while something is done, and once it has been."""
        often = asyncio.create_task(self._often())
        try:
            await work
        finally:
            often.cancel()
            self._count()

    async def _often(self) -> None:
        while True:
            await asyncio.sleep(_COUNT_S)
            self._count()

    def _count(self) -> None:
        self._runs.count_items()
        if self._report_to is not None:
            line = msgspec.json.encode(self._runs.report()) + b"\n"
            with suppress(OSError):  # the server has gone, and this process is about to
                os.write(self._report_to, line)


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

    def __init__(self, tell: Teller) -> None:
        self._tell = tell
        self._trouble = ""

    def observe(self, claim: Claim) -> Observer:
        self._trouble = ""
        return _RunLines(claim, self._tell)

    def run_broke_off(self, run_id: str, why: str) -> None:
        text = f"{run_id}  is driven no more: {clean(why)}"
        self._tell(text, "run_broke_off", level="error", run=run_id)

    def engine_gone(self, engine: EngineRecord, run_ids: Sequence[str]) -> None:
        names = f": {' '.join(run_ids)}" if run_ids else ""
        name = clean(engine.owner.name)
        text = f"{name} is gone; {count(len(run_ids), 'run')} put back{names}"
        self._tell(text, "engine_gone", level="error", engine=name, runs=list(run_ids))

    def store_failed(self, error: StoreError) -> None:
        if str(error) != self._trouble:
            self._trouble = str(error)
            text = clean(self._trouble)
            self._tell(f"{text} It is tried again.", "store_failed", level="error", problem=text)


class _RunLines(Observer):
    """Lines about a run that begin with its id."""

    def __init__(self, claim: Claim, tell: Teller) -> None:
        self._run_id = claim.run_id
        self._tell = tell
        self._workflow = ""

    def _say(self, text: str, event: str, *, level: str = "info", **fields: Field) -> None:
        workflow = self._workflow or None
        line = f"{self._run_id}  {text}"
        self._tell(line, event, level=level, run=self._run_id, workflow=workflow, **fields)

    def run_started(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        self._workflow = workflow
        self._say(f"of {clean(workflow)} is taken", "run_taken")

    def run_resumed(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        self._workflow = workflow
        self._say(f"of {clean(workflow)} is taken, and resumed", "run_resumed")

    def notice(self, text: str) -> None:
        self._say(clean(text), "notice", notice=clean(text))

    def task_ended(self, name: str, status: Status, error: ErrorInfo | None) -> None:
        if self._tell.lines is not None:
            level = "info" if error is None else "error"
            kind = None if error is None else error.type
            self._say("", "task_ended", level=level, task=name, status=status, error=kind)

    def run_ended(self, run: Run) -> None:
        match run.status:
            case Status.PENDING:
                text = "is put back into its queue"
            case Status.WAITING:
                text = "waits for an answer, a signal or a time"
            case Status.PAUSED:
                text = "is paused"
            case Status.FAILED:
                text = f"has failed: {show_error(run.error)}"
            case _:
                text = run.status.told
        self._say(
            text,
            "run_ended",
            level="error" if run.status is Status.FAILED else "info",
            status=run.status,
            duration_s=run.duration_s,
            error=None if run.error is None else run.error.type,
        )
