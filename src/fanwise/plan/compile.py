"""Makes a plan of a definition: compiles its templates, looks up its actions, checks what it names.

All problems of a file are told at once. Nothing is run, and nothing outside the arguments is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from fanwise.catalog import CORE_SCRIPTS, ActionSpec, Runs
from fanwise.definition import (
    FAIL,
    RetryDefinition,
    TaskDefinition,
    TransitionDefinition,
    WorkflowDefinition,
    did_you_mean,
    has_template,
    reader,
)
from fanwise.definition.yaml.spots import spots_within
from fanwise.errors import DefinitionError, Diagnostic, Place, TemplateSyntaxError, UsageError
from fanwise.expressions import quoted, script_text, template_in
from fanwise.model import Limits, NamedLimit
from fanwise.plan.checks import Checker
from fanwise.plan.keys import keys_named, values_of
from fanwise.plan.model import (
    Plan,
    PlannedInput,
    PlannedItems,
    PlannedLimit,
    PlannedRepeat,
    PlannedTask,
    PlannedTransition,
)
from fanwise.plan.number_warnings import lost_digits
from fanwise.plan.order import Order
from fanwise.plan.settings import PlannedRetry, PlannedSettings, Setting, Template
from fanwise.plan.values import Value, compile_value, constant
from fanwise.plan.warnings import waits_with_secret, warnings_of
from fanwise.ports import Catalog
from fanwise.source_kinds import SOURCE_KINDS

if TYPE_CHECKING:
    from fanwise.plan.triggers import PlannedTrigger
    from fanwise.triggers.written import ReadDates

_UNRESOLVED = ActionSpec(
    name="", function=lambda: None, runs=Runs.ASYNC, fields={}, open_input=True
)
"""Stands for an action while a plan has problems, or isn't to be run."""


def compile_plan(
    definition: WorkflowDefinition,
    catalog: Catalog | None,
    *,
    limits: Limits | None = None,
    named_limits: Sequence[NamedLimit] = (),
    read_dates: ReadDates | None = None,
) -> Plan:
    """Make a plan. Raises `DefinitionError` with every problem, in the order of the file.

    Without a catalog actions are not looked up, and the plan can be looked at but not run.
    `named_limits` are those that tasks may name. Schedules get dates from elsewhere by
    `read_dates`, and without it none.
    """
    return _Compiler(definition, catalog, limits or Limits(), named_limits, read_dates).compile()


class _Compiler:
    def __init__(
        self,
        definition: WorkflowDefinition,
        catalog: Catalog | None,
        limits: Limits,
        named_limits: Sequence[NamedLimit],
        read_dates: ReadDates | None,
    ) -> None:
        self._definition = definition
        self._catalog = catalog
        self._limits = limits
        self._named_limits = {limit.name: limit for limit in named_limits}
        self._read_dates = read_dates
        self._lines = definition.text.splitlines()
        self._with_items = {
            task.name
            for tasks in definition.task_lists.values()
            for task in tasks
            if task.has_items
        }
        self._problems: list[Diagnostic] = []
        self._broken: set[tuple[str, int]] = set()  # tasks whose action has problems of its own

    def compile(self) -> Plan:
        definition = self._definition
        order = Order(definition)
        listed = [
            ((key, at), task)
            for key, tasks in definition.task_lists.items()
            for at, task in enumerate(tasks)
        ]
        tasks = [self._task(number, *each) for number, each in enumerate(listed)]
        plan = Plan(
            name=definition.name,
            description=definition.description,
            file=definition.file,
            text=definition.text,
            graph=order.graph,
            tasks=tuple(tasks),
            on_failure=len(definition.on_failure),
            numbers={task.name: task.number for task in tasks},
            parameters=definition.parameters,
            variables=self._values(definition.vars, "vars"),
            timeout=self._setting(definition.timeout, ("timeout",)),
            concurrency=self._limit(),
            priority=self._setting(definition.priority, ("priority",)),
            dedupe=self._repeat(),
            output=None if definition.output is None else self._value(definition.output, "output"),
        )
        checker = Checker(plan, definition, self._catalog, self._broken)
        self._problems += order.problems()
        self._problems += checker.problems()
        if definition.triggers:
            self._problems += waits_with_secret(plan, definition.key_place("on"))
        triggers, trigger_warnings = self._triggers()
        if self._problems:
            # One mistake may be met from several sides; the file's author needs it once.
            unique = dict.fromkeys(self._problems)
            raise DefinitionError(tuple(sorted(unique, key=lambda problem: problem.place)))
        found = (*warnings_of(plan), *lost_digits(plan, definition), *trigger_warnings)
        warnings = tuple(sorted(found, key=lambda warning: warning.place))
        keys = keys_named([*plan.variables.values(), *([plan.output] if plan.output else [])])
        return replace(
            plan, secrets=checker.secrets, keys=keys, warnings=warnings, triggers=triggers
        )

    def _triggers(self) -> tuple[tuple[PlannedTrigger, ...], Sequence[Diagnostic]]:
        if not self._definition.triggers:
            return (), ()
        # Zones and cron take their time to import.
        from fanwise.plan.triggers import Triggers
        from fanwise.triggers.written import no_dates

        definition = self._definition
        triggers = Triggers(
            definition,
            definition.name,
            definition.parameters,
            self._value,
            self._read_dates or no_dates,
        )
        planned = tuple(
            triggers.compile_one(each, at) for at, each in enumerate(definition.triggers)
        )
        self._problems += triggers.problems
        return planned, triggers.warnings

    def _limit(self) -> PlannedLimit | None:
        given = self._definition.concurrency
        if given is None:
            return None
        key = self._value(given.key, "concurrency", "key") if given.key else None
        most = self._setting(given.limit, ("concurrency", "limit"))
        keeps_slot = given.while_waiting == "keep"
        place = self._definition.place("concurrency")
        return PlannedLimit(most, key, given.when_full, keeps_slot, given.children, place)

    def _repeat(self) -> PlannedRepeat | None:
        given = self._definition.dedupe
        if given is None:
            return None
        return PlannedRepeat(self._value(given.key, "dedupe", "key"), given.for_)

    def _task(self, number: int, path: tuple[str, int], task: TaskDefinition) -> PlannedTask:
        spec = self._action(path, task)
        retry = task.retry
        planned = PlannedTask(
            number=number,
            name=task.name,
            path=path,
            place=self._definition.place(*path, "name"),
            spec=spec or replace(_UNRESOLVED, name=task.action or ""),
            inputs=tuple(
                self._input(task, spec, _field_name(task, spec, name), raw, *path, "input", name)
                for name, raw in task.input.items()
            ),
            settings=self._settings(task, *path),
            items=self._items(task, *path) if task.has_items else None,
            when=self._condition(task.when, *path, "when"),
            publish=self._values(task.publish, *path, "publish"),
            label=self._value(task.label, *path, "label") if task.label else None,
            retry_when=self._condition(retry.when, *path, "retry", "when") if retry else None,
            retry_until=self._until(retry, *path) if retry else None,
            transitions=tuple(
                self._transition(each, *path, "next", at) for at, each in enumerate(task.next or ())
            ),
            max_visits=task.max_visits,
            limit=self._named_limit(task, spec, *path),
            runs_on=task.runs_on,
        )
        return replace(planned, keys=keys_named(values_of(planned)))

    def _named_limit(
        self, task: TaskDefinition, spec: ActionSpec | None, *path: str | int
    ) -> NamedLimit | None:
        name = task.limit
        if name is None:
            return None
        place = self._definition.place(*path, "limit")
        if spec is not None and spec.workflow is not None:
            text = f'task "{task.name}" calls a workflow, whose steps might wait for its own slot.'
            hint = "Give the limit to the tasks of that workflow."
            self._problems.append(Diagnostic(place, "limit-of-workflow", text, hint))
        elif name not in self._named_limits:
            text = f'task "{task.name}" names the limit "{name}", which no fanwise.yaml has.'
            hint = did_you_mean(name, self._named_limits) or (
                f"Add it beside the workflow or above: limits: {{{name}: 10}}."
            )
            self._problems.append(Diagnostic(place, "unknown-limit", text, hint))
        return self._named_limits.get(name)

    def _input(
        self,
        task: TaskDefinition,
        spec: ActionSpec | None,
        name: str,
        raw: object,
        *path: str | int,
    ) -> PlannedInput:
        field = spec.fields.get(name) if spec else None
        is_script = field.is_script if field else (task.action, name) in CORE_SCRIPTS
        if not is_script or not isinstance(raw, str):
            value = self._value(raw, *path)
            return PlannedInput(name, value, self._reads_pages(value))
        place = self._definition.place(*path)
        if found := template_in(raw):
            offset, tag = found
            [place] = self._within(place, raw, [offset])
            self._problems.append(
                Diagnostic(
                    place,
                    "template-in-script",
                    f'the script of task "{task.name}" has the template {quoted(tag)} in its text, '
                    "so that a value could change what the script does.",
                    'Pass values as environment variables, as in `env: {HOST: "{{ item.host }}"}`, '
                    'and write "$HOST" in the script. If it is the script\'s own, put it between '
                    "{% raw %} and {% endraw %}.",
                )
            )
        return PlannedInput(name, constant(script_text(raw), place))

    def _settings(self, task: TaskDefinition, *path: str | int) -> PlannedSettings:
        retry = task.retry
        return PlannedSettings(
            concurrency=self._setting(task.concurrency, (*path, "concurrency")),
            rate=self._setting(task.rate, (*path, "rate")),
            batch_size=self._setting(task.batch_size, (*path, "batch-size")),
            tolerate=self._setting(task.tolerate, (*path, "tolerate")),
            bad_records=self._setting(task.bad_records, (*path, "bad-records")),
            on_item_error=self._setting(task.on_item_error, (*path, "on-item-error")),
            keep_output=self._setting(task.keep_output, (*path, "keep-output")),
            on_error=self._setting(task.on_error, (*path, "on-error")),
            timeout=self._setting(task.timeout, (*path, "timeout")),
            delay=self._setting(task.delay, (*path, "delay")),
            executor=self._setting(task.executor, (*path, "executor")),
            retry=None if retry is None else self._retry(retry, *path, "retry"),
        )

    def _retry(self, retry: RetryDefinition, *path: str | int) -> PlannedRetry:
        return PlannedRetry(
            count=self._setting(retry.count, (*path, "count")),
            delay=self._setting(retry.delay, (*path, "delay")),
            backoff=self._setting(retry.backoff, (*path, "backoff")),
            max_delay=self._setting(retry.max_delay, (*path, "max-delay")),
            jitter=self._setting(retry.jitter, (*path, "jitter")),
            within=self._setting(retry.within, (*path, "within")),
        )

    def _until(self, retry: RetryDefinition, *path: str | int) -> Value | None:
        return None if retry.until is None else self._value(retry.until, *path, "retry", "until")

    def _transition(self, each: TransitionDefinition, *path: str | int) -> PlannedTransition:
        return PlannedTransition(
            when=None if each.when is None else self._value(each.when, *path, "when"),
            publish=self._values(each.publish, *path, "publish"),
            fails=FAIL in each.do,
            message=self._value(each.message, *path, "message") if each.message else None,
        )

    def _action(self, path: tuple[str, int], task: TaskDefinition) -> ActionSpec | None:
        """The action of the task. Problems of a called workflow are reported with the caller's."""
        if self._catalog is None or task.action is None:
            return None
        try:
            return self._catalog.get(task.action)
        except DefinitionError as error:
            self._problems += error.problems
            self._broken.add(path)
        except UsageError as error:
            place = self._definition.place(*path, "action")
            text = f'task "{task.name}" calls a workflow: {error.message}'
            self._problems.append(Diagnostic(place, "unknown-workflow", text, error.hint))
            self._broken.add(path)
        return None

    def _items(self, task: TaskDefinition, *path: str | int) -> PlannedItems:
        raw = task.with_items
        path = (*path, "with-items")
        place = self._definition.place(*path)
        if not isinstance(raw, Mapping):
            return PlannedItems("list", {"": self._value(raw, *path)}, place)
        parts = self._values(raw, *path)
        kind = next((key for key in raw if key in SOURCE_KINDS), None)
        if kind is None:
            return PlannedItems("zip", parts, place)
        return PlannedItems(kind, {"": parts.pop(kind), **parts}, place)

    def _condition(self, raw: bool | str, *path: str | int) -> Value | None:
        """A condition, or None for one that always holds."""
        return None if raw is True else self._value(raw, *path)

    def _setting(self, literal: object, path: tuple[str | int, ...]) -> Setting[Any]:
        # A definition's field is of its literal's type, or text with a template.
        key = ".".join(step for step in path[2:] or path if isinstance(step, str))
        if isinstance(literal, str) and has_template(literal):
            return Setting(key, Template(self._value(literal, *path), reader(key)))
        return Setting(key, literal)

    def _values(self, raw: Mapping[str, Any], *path: str | int) -> dict[str, Value]:
        return {name: self._value(part, *path, name) for name, part in raw.items()}

    def _value(self, raw: object, *path: str | int) -> Value:
        return compile_value(
            raw,
            partial(self._definition.place, *path),
            self._limits,
            self._refuse,
            self._within,
        )

    def _reads_pages(self, value: Value) -> bool:
        """True if `value` names the output of a task with items, which is read in pages."""
        return any(
            path[0] == "task" and len(path) > 1 and path[1] in self._with_items
            for path in value.references
        )

    def _refuse(self, place: Place, error: TemplateSyntaxError) -> None:
        """Note a template that can't be compiled."""
        self._problems.append(Diagnostic(place, error.code, error.message, error.hint))

    def _within(self, place: Place, text: str, offsets: Sequence[int]) -> list[Place]:
        """The places of offsets, in ascending order, in the text at `place`."""
        spots = spots_within(self._lines, place[1:], text, offsets)
        return [Place(place.file, *spot) for spot in spots]


def _field_name(task: TaskDefinition, spec: ActionSpec | None, name: str) -> str:
    """The field that an input names, also with hyphens, as the keys of workflows have."""
    field = name.replace("-", "_")
    is_field = spec is not None and name not in spec.fields and field in spec.fields
    return field if is_field and field not in task.input else name
