"""The engine's public face: takes a plan and parameters, gives a run."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from weft.catalog import StopFlag
from weft.context import WorkflowContext
from weft.engine.blocking import run_blocking
from weft.engine.gate import Slots
from weft.engine.journal import JournalWriter
from weft.engine.masking import Masker
from weft.engine.parts import Parts, RunParts
from weft.engine.run import RunDriver
from weft.engine.tags import checked_tags
from weft.errors import AttemptError, ParameterError, UsageError
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


class _Control:
    """What may be asked of a run from outside, from the moment on that it is asked for."""

    def __init__(self) -> None:
        self.driver: RunDriver | None = None
        self.is_pausing = False

    def pause(self) -> None:
        self.is_pausing = True
        if self.driver is not None:
            self.driver.pause()

    def take(self, driver: RunDriver) -> None:
        self.driver = driver
        if self.is_pausing:
            driver.pause()


class Engine:
    """Runs plans, with the parts that it is given. `weft.open_engine` puts the usual ones together.

    An engine may run several plans at once on one event loop. They share one journal and the slots
    of `limits.running`; otherwise runs know nothing of each other.
    """

    def __init__(self, journal: Journal, parts: Parts, secrets: Secrets) -> None:
        self._store = journal
        self._parts = parts
        self._secrets = secrets
        self._slots = Slots(parts.limits.running)
        self._controls: set[_Control] = set()
        self._journal: JournalWriter | None = None

    def pause(self) -> None:
        """Ask every run in progress to pause. To be called on the event loop's thread."""
        for control in self._controls:
            control.pause()

    async def arun(
        self,
        plan: Plan,
        parameters: Mapping[str, Any] | None = None,
        *,
        run_id: str | None = None,
        tags: Collection[str] = (),
        items: int | None = None,
        observer: Observer | None = None,
    ) -> Run:
        """Run `plan` to its end, and return what came of it, also if it failed.

        `tags` are words by which the run can be found. With `items` only so many items of each
        fan-out are run, the first ones. Raises `ParameterError` for parameters that don't fit,
        `UsageError` for a run id that is malformed or taken, for a malformed tag or for `items`
        below 1, and `StoreError` if the store can't be written.
        """
        if items is not None and items < 1:
            raise UsageError(f"`items` takes a whole number from 1, not {items}.")
        given = dict(parameters or {})
        bound = bind_parameters(plan, given)
        secrets = self._read_secrets(plan)
        masker = Masker([*secrets.values(), *_secret_values(plan, bound)])
        record = self._record(plan, bound, masker, self._new_id() if run_id is None else run_id)
        record = replace(record, tags=checked_tags(tags))
        context = _first_context(record, bound, secrets)
        timeout_s = _timeout_s(plan, context)
        control = _Control()
        self._controls.add(control)
        if self._journal is None:
            self._journal = JournalWriter(self._store, self._parts.limits)
        journal = self._journal
        watching = observer or Quiet()
        try:
            record = replace(record, run_no=await journal.create_run(record))
            run = RunParts(
                parts=self._parts,
                run_id=record.id,
                run_no=record.run_no,
                journal=journal,
                observer=watching,
                masker=masker,
                slots=self._slots,
                stop=StopFlag(),
                workflow_folder=Path(record.file).parent,
                caller_folder=Path.cwd(),
                given=frozenset(given),
                numbers=itertools.count(1),
                most_items=items,
            )
            watching.run_started(record.id, record.workflow, tuple(plan.numbers))
            if items is not None:
                first = "item" if items == 1 else f"{items:,} items"
                watching.notice(f"each fan-out is limited to its first {first}")
            driver = RunDriver(plan, record, context, run)
            control.take(driver)
            result = await driver.drive(timeout_s)
        finally:
            self._controls.discard(control)
            await self._parts.close_resources()
            if not self._controls:
                self._journal = None
                await journal.close()
        watching.run_ended(result)
        return result

    def run(self, plan: Plan, *args: Any, **kwargs: Any) -> Run:
        """The same as `arun`, for callers without an event loop."""
        return run_blocking(
            lambda: self.arun(plan, *args, **kwargs), instead="await engine.arun(...)"
        )

    def _record(self, plan: Plan, parameters: FrozenDict, masker: Masker, run_id: str) -> RunRecord:
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
            parameters=encode(masker.mask(shown)),
            status=Status.PENDING,
            created_at=self._parts.clock.now(),
        )

    def _new_id(self) -> str:
        started = datetime.fromtimestamp(self._parts.clock.now(), UTC)
        return f"{started:%Y%m%d-%H%M%S}-{self._parts.chance.token(4)}"

    def _read_secrets(self, plan: Plan) -> dict[str, str]:
        names = {name for each in plan.family() for name in each.secrets}
        found = {name: self._secrets.get(name) for name in sorted(names)}
        if missing := [name for name, value in found.items() if value is None]:
            raise ParameterError(
                "\n".join(
                    f'{plan.file}  the secret "{name}" is not set. '
                    f"Set the environment variable WEFT_SECRET_{name}."
                    for name in missing
                )
            )
        return {name: value for name, value in found.items() if value is not None}


def _first_context(
    record: RunRecord, parameters: FrozenDict, secrets: Mapping[str, str]
) -> WorkflowContext:
    """What a run sees at its start."""
    started = datetime.fromtimestamp(record.created_at, UTC).isoformat(timespec="milliseconds")
    return WorkflowContext(
        parameters=parameters, run={"id": record.id, "started_at": started}, secrets=secrets
    )


def _timeout_s(plan: Plan, context: WorkflowContext) -> float | None:
    """The run's timeout in seconds. Raises `ParameterError` if the parameters give none."""
    if plan.timeout is None:
        return None
    try:
        timeout_s: float | None = plan.timeout.resolve(context)
    except AttemptError as error:
        raise ParameterError(error.message, hint=error.hint) from None
    return timeout_s


def _secret_values(plan: Plan, parameters: FrozenDict) -> list[str | None]:
    return [value for name, value in parameters.items() if plan.parameters[name].secret]


def _is_run_id(text: str) -> bool:
    return (
        0 < len(text) <= 100
        and text.isascii()
        and not text.startswith(".")
        and all(letter.isalnum() or letter in "._-" for letter in text)
    )
