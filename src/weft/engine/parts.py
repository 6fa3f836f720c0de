"""What a run is made with: the adapters behind their interfaces, and what is common to one run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from weft.catalog import StopFlag
from weft.engine.describe import describe_error
from weft.engine.journal import JournalWriter
from weft.engine.masking import Masker
from weft.model import ErrorInfo, Limits
from weft.plan import Value
from weft.ports import Chance, Clock, Executor, Observer, Records, Sources


class Parts(msgspec.Struct, frozen=True):
    """The engine's parts, shared by all of its runs.

    `close_resources` is awaited at the end of each run: it gives back what actions shared on the
    event loop, such as pooled connections.
    """

    records: Records
    executor: Executor
    sources: Sources
    close_resources: Callable[[], Awaitable[None]]
    clock: Clock
    chance: Chance
    limits: Limits


class RunParts(msgspec.Struct, frozen=True):
    """The parts, and what belongs to one run.

    `workflow_folder` is where relative paths in the workflow's text start, and `caller_folder`
    where those start that came with `given` parameters.
    """

    parts: Parts
    run_id: str
    run_no: int
    journal: JournalWriter
    observer: Observer
    masker: Masker
    stop: StopFlag
    workflow_folder: Path
    caller_folder: Path
    given: frozenset[str]

    def describe(self, error: BaseException) -> ErrorInfo:
        """What is recorded of an exception."""
        return describe_error(error, self.masker, self.parts.limits)

    def locate(self, text: str, value: Value) -> str:
        """The absolute path that `text`, which `value` gave, means."""
        path = [*value.references]
        is_given = (
            len(path) == 1
            and value.templates[0].is_expression
            and path[0][0] == "parameters"
            and path[0][1:2] != ()
            and path[0][1] in self.given
        )
        folder = self.caller_folder if is_given else self.workflow_folder
        return str(folder / text)
