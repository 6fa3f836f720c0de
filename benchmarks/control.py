"""The time until a run follows another process's request: to pause, and to cancel.

`fanwise run` runs as a process, with items that are in flight when it is asked: for a pause items
of a hundredth of a second, which finish, for a cancellation items of a minute, which are cut off.
The time is that from the request to the end of the process, with all that is recorded by then.
"""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from fanwise.bench.budget import Budget, at_most
from fanwise.bench.measure import DEFAULT_ROUNDS, take_turns
from fanwise.bench.tables import figures_table
from fanwise.errors import UsageError
from fanwise.model import RequestKind, RunRequest, Status
from fanwise.stores import Store, open_store
from fanwise.units import show_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

_PROMISED_S = 1.0
_LOOK_S = 0.01
_RUN_ID = "asked"
_ENDS = {RequestKind.PAUSE: Status.PAUSED, RequestKind.CANCEL: Status.CANCELLED}

_WORKFLOW = """\
parameters:
  seconds: {{type: number, default: {seconds}}}
tasks:
  - name: work
    action: core.sleep
    with-items: {{range: 1000000}}
    input: {{seconds: "{{{{ parameters.seconds }}}}"}}
"""


class RequestTimes(msgspec.Struct, frozen=True):
    """The time until a run had followed a request; `longest_s` of all rounds."""

    request: RequestKind
    seconds: float
    longest_s: float


def compare(*, rounds: int = DEFAULT_ROUNDS) -> list[RequestTimes]:
    """Measure; it takes a few seconds. Raises `UsageError` if a run doesn't do what is asked."""
    sides = {
        RequestKind.PAUSE: partial(_ask, RequestKind.PAUSE, 0.01),
        RequestKind.CANCEL: partial(_ask, RequestKind.CANCEL, 60.0),
    }
    return [
        RequestTimes(request, median(found), max(found))
        for request, found in take_turns(sides, rounds).items()
    ]


def _ask(request: RequestKind, item_s: float) -> float:
    """Start a run, ask, and measure until its process has ended."""
    with TemporaryDirectory() as folder:
        flow, place = Path(folder) / "flow.yaml", Path(folder) / "runs.db"
        flow.write_text(_WORKFLOW.format(seconds=item_s))
        command = [sys.executable, "-m", "fanwise", "run", str(flow), "--run-id", _RUN_ID]
        with (
            open_store(str(place)) as store,
            subprocess.Popen(
                [*command, "--store", str(place)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as process,
        ):
            run_no = _await_work(store, process)
            started = time.perf_counter()
            store.send(run_no, RunRequest(request))
            process.wait()
            seconds = time.perf_counter() - started
            run = store.run(_RUN_ID)
        if run is None or run.status is not _ENDS[request]:
            raise UsageError(f"a run was asked to {request}, and didn't do it.")
        return seconds


def _await_work(store: Store, process: subprocess.Popen[bytes]) -> int:
    """Wait until the run's task has started; return the run's number."""
    while True:
        run = store.run(_RUN_ID)
        if run is not None and store.tasks(run.run_no):
            return run.run_no
        if process.poll() is not None:
            raise UsageError(f"a run ended with {process.returncode} before it was asked anything.")
        time.sleep(_LOOK_S)


def budgets(figures: list[RequestTimes]) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    return [
        at_most(
            f"from asking to {each.request} to the end of the run's process",
            _PROMISED_S,
            "seconds",
            each.seconds,
        )
        for each in figures
    ]


def render(figures: list[RequestTimes]) -> RenderableType:
    """A table of times."""
    return figures_table(
        "a run that another process asks to",
        ("median", "longest"),
        [
            (each.request.value, show_seconds(each.seconds), show_seconds(each.longest_s))
            for each in figures
        ],
    )
