"""The engine's public face: takes a plan and parameters, gives a run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from weft.catalog import StopFlag
from weft.context import WorkflowContext
from weft.engine.journal import JournalWriter
from weft.engine.masking import Masker
from weft.engine.parts import Parts, RunParts
from weft.engine.run import RunDriver
from weft.errors import ParameterError, UsageError
from weft.model import ErrorInfo, Run, RunRecord, Status
from weft.plan import Plan, bind_parameters
from weft.ports import Journal, Observer, Secrets, TaskProgress
from weft.values import FrozenDict, encode

_RUN_ID = "letters, digits, dots, underscores and hyphens, at most 100, and no dot at the start"


class Quiet:
    """An observer that looks away; a base for those that want to see some things only."""

    def run_started(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        """A run has been recorded."""

    def task_started(self, progress: TaskProgress) -> None:
        """A task has started."""

    def task_ended(self, name: str, status: Status, error: ErrorInfo | None) -> None:
        """A task has ended."""

    def notice(self, text: str) -> None:
        """Something that whoever runs the workflow should know."""

    def run_ended(self, run: Run) -> None:
        """The run is over or paused."""


class Engine:
    """Runs plans, with the parts that it is given. `weft.open_engine` puts the usual ones together.

    An engine may run several plans at once on one event loop. It holds no state between runs.
    """

    def __init__(self, journal: Journal, parts: Parts, secrets: Secrets) -> None:
        self._store = journal
        self._parts = parts
        self._secrets = secrets
        self._drivers: set[RunDriver] = set()

    def pause(self) -> None:
        """Ask every run in progress to pause. To be called on the event loop's thread."""
        for driver in self._drivers:
            driver.pause()

    async def arun(
        self,
        plan: Plan,
        parameters: Mapping[str, Any] | None = None,
        *,
        run_id: str | None = None,
        observer: Observer | None = None,
    ) -> Run:
        """Run `plan` to its end, and return what came of it, also if it failed.

        Raises `ParameterError` for parameters that don't fit, `UsageError` for a run id that is
        malformed or taken, and `StoreError` if the store can't be written.
        """
        given = dict(parameters or {})
        bound = bind_parameters(plan, given)
        record = self._record(plan, bound, self._new_id() if run_id is None else run_id)
        secrets = self._read_secrets(plan)
        journal = JournalWriter(self._store, self._parts.limits)
        watching = observer or Quiet()
        try:
            record = replace(record, run_no=await journal.create_run(record))
            run = RunParts(
                parts=self._parts,
                run_id=record.id,
                run_no=record.run_no,
                journal=journal,
                observer=watching,
                masker=Masker([*secrets.values(), *_secret_values(plan, bound)]),
                stop=StopFlag(),
                workflow_folder=Path(record.file).parent,
                caller_folder=Path.cwd(),
                given=frozenset(given),
            )
            watching.run_started(record.id, record.workflow, plan.graph.names)
            result = await self._drive(plan, record, bound, secrets, run)
        finally:
            await self._parts.close_resources()
            await journal.close()
        watching.run_ended(result)
        return result

    def run(self, plan: Plan, *args: Any, **kwargs: Any) -> Run:
        """The same as `arun`, for callers without an event loop."""
        return asyncio.run(self.arun(plan, *args, **kwargs))

    async def _drive(
        self,
        plan: Plan,
        record: RunRecord,
        parameters: FrozenDict,
        secrets: Mapping[str, str],
        run: RunParts,
    ) -> Run:
        started = datetime.fromtimestamp(record.created_at, UTC).isoformat(timespec="milliseconds")
        context = WorkflowContext(
            parameters=parameters, run={"id": record.id, "started_at": started}, secrets=secrets
        )
        driver = RunDriver(plan, record, context, run)
        self._drivers.add(driver)
        try:
            return await driver.drive()
        finally:
            self._drivers.discard(driver)

    def _record(self, plan: Plan, parameters: FrozenDict, run_id: str) -> RunRecord:
        if not _is_run_id(run_id):
            raise UsageError(f'"{run_id}" can\'t be the id of a run: ids are {_RUN_ID}.')
        shown = {
            name: None if plan.parameters[name].secret else value
            for name, value in parameters.items()
        }
        return RunRecord(
            run_no=0,
            id=run_id,
            workflow=plan.name,
            file=str(Path(plan.file).absolute()),
            definition=plan.text,
            parameters=encode(shown),
            status=Status.PENDING,
            created_at=self._parts.clock.now(),
        )

    def _new_id(self) -> str:
        started = datetime.fromtimestamp(self._parts.clock.now(), UTC)
        return f"{started:%Y%m%d-%H%M%S}-{self._parts.chance.token(4)}"

    def _read_secrets(self, plan: Plan) -> dict[str, str]:
        found = {name: self._secrets.get(name) for name in plan.secrets}
        if missing := [name for name, value in found.items() if value is None]:
            raise ParameterError(
                "\n".join(
                    f'{plan.file}  the secret "{name}" is not set. '
                    f"Set the environment variable WEFT_SECRET_{name}."
                    for name in missing
                )
            )
        return {name: value for name, value in found.items() if value is not None}


def _secret_values(plan: Plan, parameters: FrozenDict) -> list[str | None]:
    return [value for name, value in parameters.items() if plan.parameters[name].secret]


def _is_run_id(text: str) -> bool:
    return (
        0 < len(text) <= 100
        and text.isascii()
        and not text.startswith(".")
        and all(letter.isalnum() or letter in "._-" for letter in text)
    )
