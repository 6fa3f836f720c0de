"""What a run is made with: the adapters behind their interfaces, and what is common to one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec

from fanwise.catalog import StopFlag
from fanwise.engine.describe import describe_error, presentable
from fanwise.engine.folders import locate
from fanwise.engine.gate import Slots
from fanwise.engine.journal import JournalWriter
from fanwise.engine.masking import Masker
from fanwise.model import ErrorInfo, Limits
from fanwise.plan import Value
from fanwise.ports import (
    Clock,
    Control,
    Executor,
    Observer,
    Processes,
    Randomness,
    Records,
    Sources,
)


class Services(msgspec.Struct, frozen=True):
    """The engine's parts, shared by all of its runs.

    `executors` are found by their names, see `placement`. `resources` is a block around each run:
    its end gives back what actions shared, such as pooled connections.
    """

    records: Records
    control: Control
    executors: Mapping[str, Executor]
    sources: Sources
    resources: Callable[[], AbstractAsyncContextManager[None]]
    clock: Clock
    chance: Randomness
    processes: Processes
    limits: Limits


class StepObserver(Observer):
    """Passes a child's notices on; steps are too many to be told one by one."""

    def __init__(self, notice: Callable[[str], None]) -> None:
        self._notice = notice

    def notice(self, text: str) -> None:
        """Pass it on to the parent's observer."""
        self._notice(text)


class RunServices(msgspec.Struct, frozen=True):
    """The parts, and what belongs to one run.

    `workflow_folder` is where relative paths in the workflow's text start, and `caller_folder`
    where those start that came with `given` parameters.
    """

    parts: Services
    run_id: str
    run_no: int
    journal: JournalWriter
    observer: Observer
    masker: Masker
    slots: Slots
    stop: StopFlag
    workflow_folder: Path
    caller_folder: Path
    given: frozenset[str]
    numbers: Iterator[int]
    """Numbers for visits of tasks, each once."""
    depth: int = 0
    """How many workflows stand above the one that runs."""
    most_items: int | None = None
    """How many items of each fan-out are run, the first ones; None is all."""
    takes_changed_files: bool = False
    """Whether items are read on from a file that has changed since the first of them was read."""

    def describe(self, error: BaseException) -> ErrorInfo:
        """What is recorded of an exception."""
        return describe_error(error, self.masker, self.parts.limits)

    def present(self, error: ErrorInfo) -> ErrorInfo:
        """What is recorded of an error that didn't come as an exception."""
        return presentable(error, self.masker, self.parts.limits)

    def locate(self, text: str, value: Value) -> str:
        """The absolute path that `text`, which `value` gave, means."""
        return locate(
            text,
            value,
            workflow_folder=self.workflow_folder,
            caller_folder=self.caller_folder,
            given=self.given,
        )
