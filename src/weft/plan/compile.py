"""Makes a plan of a definition: compiles its templates, looks up its actions, checks what it names.

All problems of a file are told at once. Nothing is run, and nothing outside the arguments is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace

from weft.catalog import ActionSpec, Runs
from weft.definition import (
    MAX_CONCURRENCY,
    STREAMS,
    TaskDefinition,
    WorkflowDefinition,
    parse_choice,
    parse_count,
    parse_duration,
    parse_flag,
    parse_tolerance,
)
from weft.errors import DefinitionError, Place, Problem, TemplateSyntaxError
from weft.expressions import has_template
from weft.graph import Graph
from weft.model import Limits
from weft.plan.checks import Checker
from weft.plan.model import Plan, PlannedInput, PlannedItems, PlannedTask, Setting
from weft.plan.values import Value, compile_value
from weft.ports import Catalog

_READERS: Mapping[str, Callable[[object], Any]] = {
    "concurrency": partial(parse_count, minimum=1, maximum=MAX_CONCURRENCY),
    "tolerate": parse_tolerance,
    "on-item-error": partial(parse_choice, choices=("continue", "stop")),
    "keep-output": partial(parse_choice, choices=("all", "failed", "none")),
    "on-error": partial(parse_choice, choices=("fail", "continue")),
    "timeout": parse_duration,
    "delay": parse_duration,
    "retry.count": parse_count,
    "retry.delay": parse_duration,
    "retry.backoff": partial(parse_choice, choices=("exponential", "linear", "constant")),
    "retry.max-delay": parse_duration,
    "retry.jitter": parse_flag,
}
"""For each key whose value may be a template: what reads the value that the template gave."""

_UNRESOLVED = ActionSpec(
    name="", function=lambda: None, runs=Runs.ASYNC, fields={}, open_input=True
)
"""Stands for an action while a plan has problems, or isn't to be run."""


def compile_plan(
    definition: WorkflowDefinition, catalog: Catalog | None, *, limits: Limits | None = None
) -> Plan:
    """Make a plan. Raises `DefinitionError` with every problem, in the order of the file.

    Without a catalog actions are not looked up, and the plan can be looked at but not run.
    """
    return _Compiler(definition, catalog, limits or Limits()).compile()


class _Compiler:
    def __init__(
        self, definition: WorkflowDefinition, catalog: Catalog | None, limits: Limits
    ) -> None:
        self._definition = definition
        self._catalog = catalog
        self._limits = limits
        self._lines = definition.text.splitlines()
        self._problems: list[Problem] = []

    def compile(self) -> Plan:
        definition = self._definition
        plan = Plan(
            name=definition.name,
            description=definition.description,
            file=definition.file,
            text=definition.text,
            graph=Graph.chain([task.name for task in definition.tasks]),
            tasks=tuple(self._task(number, task) for number, task in enumerate(definition.tasks)),
            parameters=definition.parameters,
            variables=self._values(definition.vars, "vars"),
            timeout=self._setting(definition.timeout, ("timeout",)),
            output=None if definition.output is None else self._value(definition.output, "output"),
        )
        checker = Checker(plan, definition, self._catalog)
        self._problems += checker.problems()
        if self._problems:
            # One mistake may be met from several sides; the file's author needs it once.
            unique = dict.fromkeys(self._problems)
            raise DefinitionError(tuple(sorted(unique, key=lambda problem: problem.place)))
        return replace(plan, secrets=checker.secrets)

    def _task(self, number: int, task: TaskDefinition) -> PlannedTask:
        path = ("tasks", number)
        spec = self._catalog.get(task.action) if self._catalog and task.action else None
        retry = task.retry
        literals: dict[str, Any] = {
            "concurrency": task.concurrency,
            "tolerate": task.tolerate,
            "on-item-error": task.on_item_error,
            "keep-output": task.keep_output,
            "on-error": task.on_error,
            "timeout": task.timeout,
            "delay": task.delay,
        }
        if retry is not None:
            literals |= {
                "retry.count": retry.count,
                "retry.delay": retry.delay,
                "retry.backoff": retry.backoff,
                "retry.max-delay": retry.max_delay,
                "retry.jitter": retry.jitter,
            }
        return PlannedTask(
            number=number,
            name=task.name,
            place=self._definition.place(*path, "name"),
            spec=spec or _UNRESOLVED,
            inputs=tuple(
                PlannedInput(name, value, self._reads_pages(value))
                for name, value in self._values(task.input, *path, "input").items()
            ),
            settings={
                key: self._setting(literal, (*path, *key.split(".")))
                for key, literal in literals.items()
            },
            items=self._items(task, *path) if task.has_items else None,
            when=self._condition(task.when, *path, "when"),
            publish=self._values(task.publish, *path, "publish"),
            label=self._value(task.label, *path, "label") if task.label else None,
            retry_when=self._condition(retry.when, *path, "retry", "when") if retry else None,
        )

    def _items(self, task: TaskDefinition, *path: str | int) -> PlannedItems:
        raw = task.with_items
        path = (*path, "with-items")
        place = self._definition.place(*path)
        if not isinstance(raw, Mapping):
            return PlannedItems("list", {"": self._value(raw, *path)}, place)
        if len(raw) == 1 and (kind := next(iter(raw))) in STREAMS:
            return PlannedItems(kind, {"": self._value(raw[kind], *path, kind)}, place)
        return PlannedItems("zip", self._values(raw, *path), place)

    def _condition(self, raw: bool | str, *path: str | int) -> Value | None:
        """A condition, or None for one that always holds."""
        return None if raw is True else self._value(raw, *path)

    def _setting(self, literal: Any, path: tuple[str | int, ...]) -> Setting:
        key = ".".join(step for step in path[2:] or path if isinstance(step, str))
        if isinstance(literal, str) and has_template(literal):
            return Setting(key, value=self._value(literal, *path), parse=_READERS[key])
        return Setting(key, literal)

    def _values(self, raw: Mapping[str, Any], *path: str | int) -> dict[str, Value]:
        return {name: self._value(part, *path, name) for name, part in raw.items()}

    def _value(self, raw: Any, *path: str | int) -> Value:
        return compile_value(
            raw, partial(self._definition.place, *path), self._limits, self._refuse
        )

    def _reads_pages(self, value: Value) -> bool:
        """Whether `value` names the output of a task with items, which is read in pages."""
        tasks = {task.name: task for task in self._definition.tasks}
        return any(
            path[0] == "task" and len(path) > 1 and path[1] in tasks and tasks[path[1]].has_items
            for path in value.references
        )

    def _refuse(self, place: Place, error: TemplateSyntaxError) -> None:
        """Note a template that can't be compiled, at its own line and column where they are known.

        A text in quotes or without stands as it is on its line, unless it has escapes; one in a
        block (`|` or `>`) begins on the next line.
        """
        line = self._lines[place.line - 1] if place.line <= len(self._lines) else ""
        first = line[place.column - 1 : place.column]
        if first and first in "|>":
            place = place._replace(line=place.line + error.line)
        elif error.line == 1:
            place = place._replace(column=place.column + error.column - (first not in "'\""))
        self._problems.append(Problem(place, error.code, error.message, error.hint))
