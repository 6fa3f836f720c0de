"""What a run would do, without doing any of it.

No action is called, nothing is recorded and no secret is read: where a template names one, `***`
stands. Everything is evaluated that follows from parameters, variables and literals; what hangs on
tasks that run first is given as it is written. Of a file that `with-items` names, if it is there,
no more than the beginning is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from fanwise.catalog import ActionField
from fanwise.context import WorkflowContext
from fanwise.engine.items import Locate, open_items
from fanwise.engine.known import StaticValues
from fanwise.engine.masking import MASK
from fanwise.errors import AttemptError, InputError
from fanwise.model import ErrorInfo, Limits
from fanwise.plan import Plan, PlannedInput, PlannedItems, PlannedTask, Value, bind_parameters
from fanwise.ports import Source, Sources
from fanwise.values import FrozenDict

_T = TypeVar("_T")

_COUNTABLE: Final = ("list", "range", "zip")
"""The kinds of `with-items` that are in memory; the others are files."""


class ItemsPreview(msgspec.Struct, frozen=True):
    """A task's items: `with-items` as written, how many there are, and the first of them.

    `total` is None, and `first` left out, where they aren't known yet.
    """

    written: Any
    total: int | None = None
    first: Any | UnsetType = UNSET


class TaskPreview(msgspec.Struct, frozen=True):
    """A task: its action, the tasks that it comes after, and what it would be called with.

    For a task with items `input` is that of the first one. The inputs that `pending` names aren't
    known before the task starts: they are given as they are written, or parts of them are. A `when`
    that isn't known yet is its text. `problems` says what can't be evaluated or isn't taken.
    """

    name: str
    action: str
    after: tuple[str, ...]
    is_finally: bool = msgspec.field(name="finally")
    when: bool | str
    items: ItemsPreview | None
    input: Mapping[str, Any]
    pending: tuple[str, ...]
    problems: tuple[str, ...]


class RunPreview(msgspec.Struct, frozen=True):
    """What a run would start with, and its tasks in the order listed."""

    workflow: str
    parameters: Mapping[str, Any]
    vars: Mapping[str, Any]
    problems: tuple[str, ...]
    tasks: tuple[TaskPreview, ...]


async def preview_run(
    plan: Plan,
    parameters: Mapping[str, Any],
    sources: Sources,
    limits: Limits,
    locate: Locate,
    *,
    items: int | None = None,
) -> RunPreview:
    """What a run of `plan` would do, with at most so many `items` in each fan-out.

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
        previewer = _Previewer(plan, task, seen, sources, limits, locate)
        tasks.append(await previewer.preview(items))
    return RunPreview(plan.name, shown, variables, tuple(problems), tuple(tasks))


def _variables(
    plan: Plan, context: WorkflowContext, problems: list[str]
) -> tuple[WorkflowContext, dict[str, Any]]:
    """The context with the variables that are known, and all of them as they are shown."""
    shown: dict[str, Any] = {}
    for name, value in plan.variables.items():
        try:
            shown[name], is_known = StaticValues(plan, context).render(value)
        except AttemptError as error:
            problems.append(str(error))
            shown[name], is_known = value.raw, False
        if is_known:  # those below it see it
            context = context.with_variables({name: shown[name]})
    return context, shown


class _Previewer:
    """Previews one task, of whose context `context` is what is known before the run."""

    def __init__(
        self,
        plan: Plan,
        task: PlannedTask,
        context: WorkflowContext,
        sources: Sources,
        limits: Limits,
        locate: Locate,
    ) -> None:
        self._plan = plan
        self._task = task
        self._context = context
        self._known = StaticValues(plan, context)
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
                self._known = StaticValues(self._plan, self._context.for_item(items.first, 0))
        inputs = {entry.name: self._input(entry) for entry in task.inputs}
        return TaskPreview(
            name=task.name,
            action=task.spec.name,
            after=_names_before(self._plan, task),
            is_finally=_is_finally(self._plan, task),
            when=when,
            items=items,
            input={name: value for name, (value, _) in inputs.items()},
            pending=tuple(name for name, (_, is_known) in inputs.items() if not is_known),
            problems=tuple(self._problems),
        )

    def _tried(self, evaluate: Callable[[], _T], otherwise: _T) -> _T:
        """What `evaluate` gives; if it fails, the problem is noted."""
        try:
            return evaluate()
        except AttemptError as error:
            self._problems.append(str(error))
            return otherwise

    def _when(self) -> bool | str:
        when = self._task.when
        if when is None:
            return True
        as_written: bool | str = str(when.raw)
        if not self._known.has_truly(when):
            return as_written
        return self._tried(lambda: bool(when.evaluate(self._context, None)), as_written)

    def _input(self, entry: PlannedInput) -> tuple[Any, bool]:
        """An input as the action would get it, and whether all of it is known."""
        value, known = entry.value, self._known
        as_written = value.raw, False
        if known.has(value) and not known.has_truly(value):
            try:
                return known.render(value)
            except AttemptError:  # of the mask; the secret itself may do
                return as_written
        rendered, is_known = self._tried(lambda: known.render(value), as_written)
        field = self._task.spec.fields.get(entry.name)
        if is_known and field is not None:
            if field.is_path and isinstance(rendered, str):
                rendered = self._locate(rendered, value)
            self._tried(lambda: _check(field, rendered, value), None)
        return rendered, is_known

    async def _items(self, items: PlannedItems, most: int | None) -> ItemsPreview:
        written = {name or items.kind: part.raw for name, part in items.parts.items()}
        preview = ItemsPreview(written["list"] if items.kind == "list" else written)
        batch_size = self._task.settings["batch-size"]
        values = [*items.parts.values(), *([batch_size.value] if batch_size.value else [])]
        if not all(self._known.has_truly(value) for value in values):
            return preview
        try:
            if items.kind not in _COUNTABLE and not self._is_file(items.parts[""]):
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
            return await self._beginning(source, preview, to_the_end=items.kind in _COUNTABLE)
        except AttemptError as error:
            self._problems.append(str(error))
            return preview

    def _is_file(self, path: Value) -> bool:
        """Whether there is a file to look at: a task before may write it, and a pipe is no file."""
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


def _check(field: ActionField, rendered: Any, value: Value) -> None:
    """Raise `InputError` if the action doesn't take what its input would be."""
    if field.check is not None:
        try:
            field.check(rendered)
        except InputError as error:
            raise error.at(value.place) from None


def _is_finally(plan: Plan, task: PlannedTask) -> bool:
    return task.number >= len(plan.graph.names)


def _names_before(plan: Plan, task: PlannedTask) -> tuple[str, ...]:
    """The tasks that lead to this one, each once."""
    if _is_finally(plan, task):
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
    if _is_finally(plan, later):
        return not _is_finally(plan, earlier) or earlier.number < later.number
    return not _is_finally(plan, earlier) and plan.graph.precedes(earlier.number, later.number)
