"""The input of an item of a recorded run, rendered again from what is recorded of the run.

No code of an author runs. The item comes from its source, of which a file has to be as it was.
Templates are those that are recorded now, so after a retry with a repaired workflow they are the
repaired ones. Values that weren't recorded can't come back: those of keys of the store.

The parameters of a workflow that was called are an input as well, of the task above it. So each
level of a path, such as `site[3].host[7]`, is rendered with what the level above it gives.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from msgspec.structs import replace

from fanwise.bitmap import Bitmap
from fanwise.conductor import Evaluate, Evaluated, Replay, StartTask, replay_with
from fanwise.context import AttemptContext, ItemContext, TemplateContext, WorkflowContext
from fanwise.engine.describe import describe_error
from fanwise.engine.evaluate import bounded, evaluate_asked, is_handled_at
from fanwise.engine.folders import locate
from fanwise.engine.items import Locate, items_file, open_items, require_unchanged
from fanwise.engine.recovery.history import read_history
from fanwise.engine.recovery.steps import RecordedSteps
from fanwise.engine.run_factory import PreparedRun
from fanwise.engine.settings import resolve_settings
from fanwise.engine.starting_point import first_state
from fanwise.errors import AttemptError, SourceChangedError, UsageError
from fanwise.model import ErrorInfo, ItemOutcome, Limits, VisitRecord
from fanwise.plan import Plan, PlannedItems, PlannedTask
from fanwise.ports import Records, Source, Sources
from fanwise.trace_ids import visit_key
from fanwise.values import FrozenDict

_read_place: Final = re.compile(r"(\w+)(?:#(\d{1,9}))?(?:\[(\d{1,15})\])?", re.ASCII).fullmatch


class _Level(NamedTuple):
    """A workflow in a run: the run's own one, or one that the task or item `inside` has called.

    `context` is that of its start, and `rows` has its visits.
    """

    plan: Plan
    context: WorkflowContext
    inside: str
    rows: Sequence[VisitRecord]
    locate: Locate

    def path(self, task: str) -> str:
        """The path of a task of the workflow."""
        return f"{self.inside}.{task}" if self.inside else task


class _Step(NamedTuple):
    """A visit of a task of a level, or one of its items, whose input is meant.

    `item` is the item's index. Its row and its attempts may not be recorded yet.
    """

    level: _Level
    task: PlannedTask
    visit: int
    item: int | None
    row: VisitRecord | None
    attempts: int | None

    @property
    def path(self) -> str:
        """The path of the task."""
        return self.level.path(self.task.name)

    @property
    def place(self) -> str:
        """The path of the task and the item."""
        return self.path if self.item is None else f"{self.path}[{self.item}]"

    def unknown(self, why: str, hint: str = "") -> UsageError:
        """The error for an input that can't be known."""
        return UsageError(f"the input of {self.place} can't be known: {why}", hint=hint)


class InputReader(NamedTuple):
    """Renders inputs of one run; `prepared` has no real secret. Looking for an item is bounded.

    `called` gives the plan of a workflow that the one in a file calls by a name, or None.
    """

    prepared: PreparedRun
    called: Callable[[str, str], Plan | None]
    records: Records
    sources: Sources
    limits: Limits
    search_s: float

    def read(self, visit: VisitRecord, item: ItemOutcome) -> object:
        """The values of an item's input by their names, without secrets. May block.

        Raises `UsageError` for an input that can't be known, and `SourceChangedError`.
        """
        within, _, name = visit.path.rpartition(".")
        level = self._level(within)
        task = _task(level, name, has_items=True)
        step = _Step(level, task, visit.visit, item.index, visit, item.attempts)
        return self.prepared.masker.mask(self._values(step))

    # Levels

    def _level(self, within: str) -> _Level:
        """The workflow that the task or item at a path has called; without one the run's own."""
        run = self.prepared
        if not within:
            own = frozenset(run.record.origin.given)
            return self._made(run.plan, run.context, "", own)
        step = self._step(within)
        plan = self.called(step.level.plan.file, step.task.spec.name)
        if plan is None:
            raise UsageError(f"{step.place} calls no workflow any more.")
        first = WorkflowContext(
            run=run.context.run, trigger=run.context.trigger, secrets=run.context.secrets
        )
        defaults = {name: each.default for name, each in plan.parameters.items()}
        given = {name.replace("-", "_"): value for name, value in self._values(step).items()}
        parameters = FrozenDict({**defaults, **given})
        return self._made(plan, first.with_parameters(parameters), within, frozenset())

    def _made(
        self, plan: Plan, context: WorkflowContext, inside: str, given: frozenset[str]
    ) -> _Level:
        origin = self.prepared.record.origin
        located = partial(
            locate,
            workflow_folder=Path(plan.file).absolute().parent,
            caller_folder=Path(origin.folder),
            given=given,
        )
        rows = self.records.tasks(self.prepared.record.run_no, within=inside)
        return _Level(plan, context, inside, rows, located)

    def _step(self, path: str) -> _Step:
        """The visit or the item at a path that has called a workflow."""
        within, _, place = path.rpartition(".")
        named = _read_place(place)
        if named is None:
            raise UsageError(f'"{path}" is the path of no task or item.')
        level, visit = self._level(within), int(named[2] or 1)
        index = None if named[3] is None else int(named[3])
        task = _task(level, named[1], has_items=index is not None)
        found = [each for each in level.rows if each.path == level.path(task.name)]
        row = next((each for each in found if each.visit == visit), None)
        return _Step(level, task, visit, index, row, self._attempts(row, index))

    def _attempts(self, row: VisitRecord | None, index: int | None) -> int | None:
        """The attempts of a visit or an item, if it has ended."""
        if row is None or index is None:
            return None if row is None or row.ended_at is None else row.attempts
        found = self.records.items(row.run_no, row.visit_no, after=index - 1, until=index, limit=1)
        return found[0].attempts if found else None

    # Values

    def _values(self, step: _Step) -> FrozenDict:
        """The input of a step. Raises `UsageError` and `SourceChangedError`."""
        try:
            return self._rendered(step)
        except TimeoutError:
            raise UsageError(
                f"the input of {step.place} can't be looked for any longer: its item lies too far"
                " in its source."
            ) from None
        except AttemptError as error:
            raise UsageError(
                f"the input of {step.place} can't be rendered again: {error.message}"
            ) from None

    def _rendered(self, step: _Step) -> FrozenDict:
        task = step.task
        self._require_no_keys(step)
        started = self._context(step)
        found = started if task.items is None else self._with_item(step, task.items, started)
        seen: TemplateContext = found
        if any(entry.value.names_attempt for entry in task.inputs):
            if step.attempts is None:
                raise step.unknown("it names its attempt, which is recorded once that has ended.")
            key = visit_key(self.prepared.record.id, step.place, step.visit)
            seen = AttemptContext(found, FrozenDict(key=key, number=step.attempts))
        values = {entry.name: entry.value.evaluate(seen, None) for entry in task.inputs}
        given: FrozenDict = bounded(FrozenDict(values), task.place, self.limits)
        return given

    def _require_no_keys(self, step: _Step) -> None:
        """Raise `UsageError` if the input, or what comes before it, depends on keys of the store.

        Of a run's own workflow the events have what its other templates gave.
        """
        keys, plan = list(step.task.keys), step.level.plan
        if step.level.inside:
            keys += [*plan.keys, *(key for task in plan.tasks for key in task.keys)]
        if keys:
            what = "the task reads" if step.task.keys else "its workflow reads"
            raise step.unknown(
                f"{what} the key {keys[0]} of the store, whose value of then isn't recorded."
            )

    def _context(self, step: _Step) -> WorkflowContext:
        """The context that the visit has started with."""
        for command in self._started(step):
            if (command.task, command.visit) == (step.task.number, step.visit):
                return command.context
        raise step.unknown("its visit was before the run was retried.")

    def _started(self, step: _Step) -> Sequence[StartTask]:
        """The visits that have started in the level of a step, with their contexts."""
        level = step.level
        plan, context, state = level.plan, level.context, first_state(level.plan)
        if not level.inside:
            history = read_history(plan, self.prepared.record, context, self.records)
            replay = Replay(plan, state)
            steps = [(event, replay.take(event)) for event in history.events]
        else:
            recorded = RecordedSteps(plan, level.rows, self.records)
            timeout_s = None if plan.timeout is None else plan.timeout.resolve(context)
            spontaneous = recorded.timeout(timeout_s)
            evaluate = partial(self._evaluate, plan)
            _, steps = replay_with(
                plan, state, context, recorded.kept, evaluate, spontaneous=spontaneous
            )
        return [each for _, commands in steps for each in commands if isinstance(each, StartTask)]

    def _evaluate(self, plan: Plan, command: Evaluate) -> Evaluated:
        said = Evaluated(command.asked, command.task, command.visit)
        try:
            return replace(said, value=evaluate_asked(plan, command, self.limits))
        except AttemptError as problem:
            error = describe_error(problem, self.prepared.masker, self.limits)
            handled = is_handled_at(plan, command, command.context, error)
            return replace(said, error=error, handled=handled)

    # Items

    def _with_item(self, step: _Step, items: PlannedItems, context: WorkflowContext) -> ItemContext:
        """The context with the item of a step."""
        assert step.item is not None
        self._require_file(step, items, context)
        found = asyncio.run(self._find(step, items, context, step.item))
        if not found or isinstance(found[0], ErrorInfo):
            raise step.unknown("its source has no such item any more.")
        return context.for_item(found[0], step.item)

    def _require_file(self, step: _Step, items: PlannedItems, context: WorkflowContext) -> None:
        file = items_file(items, context, step.level.locate)
        if file is None:
            return
        was = None if step.row is None else step.row.source
        if was is None:
            raise step.unknown("its items came from no regular file.")
        run_id = self.prepared.record.id
        try:
            require_unchanged(self.sources, run_id, step.path, items.kind, file, was)
        except SourceChangedError as error:
            raise SourceChangedError(
                error.message,
                run_id=run_id,
                task=step.path,
                file=file,
                hint="The input is shown once the file is as it was.",
            ) from None

    async def _find(
        self, step: _Step, items: PlannedItems, context: WorkflowContext, index: int
    ) -> Sequence[object]:
        """The item of a source, if it has one at this index."""
        settings = resolve_settings(step.task, context)
        source = open_items(
            items,
            context,
            self.sources,
            self.limits,
            step.level.locate,
            batch_size=settings.batch_size,
            most=self.prepared.record.origin.most_items,
            done=_all_before(index),
            left_out=None if settings.bad_records == "fail" else lambda _count, _errors: None,
        )
        try:
            async with asyncio.timeout(self.search_s):
                return await _nth(source, index)
        finally:
            source.close()


def _task(level: _Level, name: str, *, has_items: bool) -> PlannedTask:
    """The task of a workflow with a name. Raises `UsageError` if it isn't as it was."""
    number = level.plan.numbers.get(name)
    if number is None or (level.plan.tasks[number].items is not None) is not has_items:
        kind = "with items" if has_items else "without items"
        raise UsageError(f'the workflow "{level.plan.name}" has no task "{name}" {kind} any more.')
    return level.plan.tasks[number]


def _all_before(index: int) -> Bitmap:
    indexes = Bitmap()
    if index:
        indexes.add_range(0, index - 1)
    return indexes


async def _nth(source: Source, index: int) -> Sequence[object]:
    begin = 0
    while chunk := await source.read():
        if index < begin + len(chunk):
            return chunk[index - begin : index - begin + 1]
        begin += len(chunk)
        await asyncio.sleep(0)  # a source in memory reads without a pause, for the time to be seen
    return ()
