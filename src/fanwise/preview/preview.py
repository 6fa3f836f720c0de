"""The preview of a run: its tasks with their inputs, and nothing is done.

No action is called, nothing is recorded and no secret is read: a template that names one has `***`.
Everything is evaluated that follows from parameters, variables and literals; a value that depends
on tasks is shown as it is written. Of a file that `with-items` names, if it is there, no more than
the beginning is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from fanwise.catalog import LOCAL, PROCESS, ActionField, Runs
from fanwise.context import WorkflowContext
from fanwise.engine.items import Locate, open_items
from fanwise.engine.masking import MASK
from fanwise.errors import AttemptError, InputError
from fanwise.model import ErrorInfo, Limits
from fanwise.plan import (
    Plan,
    PlannedInput,
    PlannedItems,
    PlannedTask,
    Value,
    bind_parameters,
    truth,
)
from fanwise.plan.snapshot import take_snapshot
from fanwise.ports import Source, Sources
from fanwise.preview.static_values import StaticValues
from fanwise.values import FrozenDict, Json


class ItemsPreview(msgspec.Struct, frozen=True):
    """A task's items: `with-items` as written, their number, and the first of them.

    `total` is None, and `first` left out, where they aren't known yet.
    """

    written: object
    total: int | None = None
    first: object = UNSET


class TaskPreview(msgspec.Struct, frozen=True):
    """A task: its action, the tasks that it comes after, and the input of its calls.

    For a task with items `input` is that of the first one. The inputs that `pending` names aren't
    known before the task starts: they are shown as written, in whole or in part. A `when` that
    isn't known yet is its text. `executor` is the action's, and `snapshot_bytes` is the size of the
    context's part that other processes are sent, without results of tasks; None for this process.
    `problems` has values that can't be evaluated or that the action
    refuses.
    """

    name: str
    action: str
    after: tuple[str, ...]
    is_finally: bool = msgspec.field(name="finally")
    is_on_failure: bool = msgspec.field(name="on-failure")
    when: bool | str
    items: ItemsPreview | None
    input: Mapping[str, object]
    pending: tuple[str, ...]
    executor: str
    snapshot_bytes: int | None
    problems: tuple[str, ...]


class RunPreview(msgspec.Struct, frozen=True):
    """The parameters and variables of a run, and its tasks in the order listed."""

    workflow: str
    parameters: Mapping[str, Json]
    vars: Mapping[str, object]
    problems: tuple[str, ...]
    tasks: tuple[TaskPreview, ...]


async def preview_run(
    plan: Plan,
    parameters: Mapping[str, Json],
    sources: Sources,
    limits: Limits,
    locate: Locate,
    *,
    items: int | None = None,
    executor: str | None = None,
) -> RunPreview:
    """Return the preview of a run of `plan`, with at most so many `items` in each fan-out.

    `executor` is the one of tasks that name none, or None to go by their actions.

    Raises `ParameterError` for parameters that don't fit.
    """
    shown = {
        name: MASK if plan.parameters[name].secret and value is not None else value
        for name, value in bind_parameters(plan, parameters).items()
    }
    start = WorkflowContext(shown, secrets=dict.fromkeys(plan.secrets, MASK))
    problems: list[str] = []
    context, variables = _variables(plan, start, problems)
    setters = _setters(plan)
    tasks = []
    for task in plan.tasks:
        seen = _seen_by(task, plan, context, setters)
        previewer = _Previewer(plan, task, seen, sources, limits, locate, executor)
        tasks.append(await previewer.preview(items))
    return RunPreview(plan.name, shown, variables, tuple(problems), tuple(tasks))


def _variables(
    plan: Plan, context: WorkflowContext, problems: list[str]
) -> tuple[WorkflowContext, dict[str, object]]:
    """The context with the variables that are known, and all of them as they are shown."""
    shown: dict[str, object] = {}
    for name, value in plan.variables.items():
        static = StaticValues(plan, context).read(value)
        shown[name] = static.value
        if static.problem is not None:
            problems.append(static.problem)
        if static.is_known:  # those below it see it
            context = context.with_variables({name: static.value})
    return context, shown


class _Previewer:
    """Previews one task in `context`, which has the values that are known before the run."""

    def __init__(
        self,
        plan: Plan,
        task: PlannedTask,
        context: WorkflowContext,
        sources: Sources,
        limits: Limits,
        locate: Locate,
        executor: str | None,
    ) -> None:
        self._executor = executor
        self._plan = plan
        self._task = task
        self._context = context
        self._static = StaticValues(plan, context)
        self._sources = sources
        self._limits = limits
        self._locate = locate
        self._problems: list[str] = []

    async def preview(self, most_items: int | None) -> TaskPreview:
        task, items = self._task, None
        when = self._when()
        if task.items is not None:
            items = await self._items(task.items, most_items)
            if items.first is not UNSET:
                self._static = StaticValues(self._plan, self._context.for_item(items.first, 0))
        inputs = {entry.name: self._input(entry) for entry in task.inputs}
        executor = self._place()
        return TaskPreview(
            name=task.name,
            action=task.spec.name,
            after=_names_before(self._plan, task),
            is_finally=task.path[0] == "finally",
            is_on_failure=task.path[0] == "on-failure",
            when=when,
            items=items,
            input={name: value for name, (value, _) in inputs.items()},
            pending=tuple(name for name, (_, is_known) in inputs.items() if not is_known),
            executor=executor,
            snapshot_bytes=self._snapshot_bytes() if executor != LOCAL else None,
            problems=tuple(self._problems),
        )

    def _place(self) -> str:
        """The name of the task's executor, as far as it is known."""
        asked = self._task.settings.executor
        if self._task.spec.workflow is not None:
            return LOCAL
        if isinstance(asked.given, str):
            return asked.given
        by_kind = PROCESS if self._task.spec.runs is Runs.PROCESS else LOCAL
        return self._executor or by_kind

    def _snapshot_bytes(self) -> int | None:
        """The bytes of the context that the items' inputs name, of those that are known."""
        named = [entry.value for entry in self._task.inputs if entry.value.differs_by_item]
        try:
            snapshot = take_snapshot(named, self._context)
            snapshot.require_size(self._limits.snapshot_bytes, setting="limits.snapshot_bytes")
        except AttemptError as error:
            self._problems.append(str(error))
            return None
        return len(snapshot.data)

    def _when(self) -> bool | str:
        when = self._task.when
        if when is None:
            return True
        static = self._static.read(when)
        if static.problem is not None:
            self._problems.append(static.problem)
        is_real = static.is_known and self._static.is_real(when)
        if not is_real:
            return str(when.raw)
        try:
            return truth(when, static.value)
        except AttemptError as error:
            self._problems.append(str(error))
            return str(when.raw)

    def _input(self, entry: PlannedInput) -> tuple[object, bool]:
        """An input as the action would get it, and True if all of it is known."""
        value = entry.value
        static = self._static.read(value)
        rendered = static.value
        if static.problem is not None:
            self._problems.append(static.problem)
        field = self._task.spec.fields.get(entry.name)
        if field is not None and static.is_known and self._static.is_real(value):
            if field.is_path and isinstance(rendered, str):
                rendered = self._locate(rendered, value)
            try:
                _check(field, rendered, value)
            except InputError as error:
                self._problems.append(str(error))
        return rendered, static.is_known

    async def _items(self, items: PlannedItems, most: int | None) -> ItemsPreview:
        written = {name or items.kind: part.raw for name, part in items.parts.items()}
        preview = ItemsPreview(written["list"] if items.kind == "list" else written)
        batch_size = self._task.settings.batch_size
        values = [*items.parts.values(), *([batch_size.template] if batch_size.template else [])]
        if not all(self._static.is_real(value) for value in values):
            return preview
        try:
            if items.has_records and not self._is_file(items.parts[""]):
                return preview
            source = open_items(
                items,
                self._context,
                self._sources,
                self._limits,
                self._locate,
                batch_size=batch_size.resolve(self._context),
                most=most,
            )
            return await self._beginning(source, preview, to_the_end=not items.has_records)
        except AttemptError as error:
            self._problems.append(str(error))
            return preview

    def _is_file(self, path: Value) -> bool:
        """Say whether there is a file to read: a task before may write it, and a pipe is none."""
        given = path.evaluate(self._context, None)
        try:
            return not isinstance(given, str) or Path(self._locate(given, path)).is_file()
        except OSError:
            return True  # reading it says what is wrong with its name

    async def _beginning(
        self, source: Source, preview: ItemsPreview, *, to_the_end: bool
    ) -> ItemsPreview:
        """The preview with the source's first item, and its length if that can be told."""
        try:
            chunk = await source.read()
            while to_the_end and source.total is None:
                await source.read()
        finally:
            source.close()
        first = chunk[0] if chunk else UNSET
        if isinstance(first, ErrorInfo):
            self._problems.append(f"the first item: {first.message}")
            first = UNSET
        return replace(preview, total=source.total, first=first)


def _check(field: ActionField, rendered: object, value: Value) -> None:
    """Raise `InputError` if the action doesn't take this input."""
    if field.check is not None:
        try:
            field.check(rendered)
        except InputError as error:
            raise error.at(value.place) from None


def _is_at_end(plan: Plan, task: PlannedTask) -> bool:
    return task.number >= len(plan.graph.names)


def _names_before(plan: Plan, task: PlannedTask) -> tuple[str, ...]:
    """The tasks that lead to this one, each once."""
    if _is_at_end(plan, task):
        return ()
    graph = plan.graph
    sources = [graph.edges[edge].source for edge in graph.incoming[task.number]]
    return tuple(dict.fromkeys(graph.names[source] for source in sources))


def _setters(plan: Plan) -> dict[str, list[PlannedTask]]:
    """For each variable that tasks publish, those tasks."""
    found: dict[str, list[PlannedTask]] = {}
    for task in plan.tasks:
        for values in (task.publish, *(transition.publish for transition in task.transitions)):
            for name in values:
                found.setdefault(name, []).append(task)
    return found


def _seen_by(
    task: PlannedTask,
    plan: Plan,
    context: WorkflowContext,
    setters: Mapping[str, list[PlannedTask]],
) -> WorkflowContext:
    """The context without the variables that a task before this one may set."""
    kept = {
        name: value
        for name, value in context.variables.items()
        if not any(_may_precede(plan, setter, task) for setter in setters.get(name, ()))
    }
    return context.seeing(FrozenDict(kept), {})


def _may_precede(plan: Plan, earlier: PlannedTask, later: PlannedTask) -> bool:
    if _is_at_end(plan, later):
        return not _is_at_end(plan, earlier) or earlier.number < later.number
    return not _is_at_end(plan, earlier) and plan.graph.precedes(earlier.number, later.number)
