"""Everything about a workflow that can be found wrong before it runs.

The definition has been read and its templates compiled; what is checked here is what they name:
actions and their inputs, tasks, parameters, variables, items, functions, secrets. Each place where
a template can stand has a `_Scope`, which says what may be named there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from weft.catalog import ActionSpec
from weft.definition import WorkflowDefinition, did_you_mean
from weft.errors import AttemptError, Place, Problem
from weft.plan.model import Plan, PlannedInput, PlannedTask
from weft.plan.values import Value
from weft.ports import Catalog

CODES: Mapping[str, str] = {
    "bad-input": "An input's literal value doesn't fit the action's parameter.",
    "bad-template": "A template can't be compiled.",
    "bad-condition": "A condition is text with templates in it, which is always true.",
    "missing-action": "A task names no action.",
    "missing-input": "An input is missing that the action requires.",
    "misplaced-name": "A template names something that can't be known where it stands.",
    "secret-recorded": "A secret would be recorded, in a variable or in the run's output.",
    "template-in-script": "A script's text has a template; pass values as environment variables.",
    "unknown-action": "No pack has an action of this name.",
    "unknown-input": "The action has no parameter of this name.",
    "unknown-parameter": "A template names a parameter that the workflow doesn't declare.",
    "unknown-task": "A template names a task that the workflow doesn't have.",
    "unknown-variable": "A template names a variable that nothing declares or publishes before.",
}
"""Every code that `compile_plan` adds to those of the definition, with its meaning."""

_AFTER_TASK = frozenset({"result", "error", "succeeded", "failed", "timed_out", "skipped"})
_AFTER_FAILURE = frozenset({"error", "failed", "timed_out"})


class _Scope(msgspec.Struct, frozen=True):
    """What templates at one place may name, and what to say of the rest.

    `before` is the number of the task whose predecessors may be named, None for no task at all, and
    -1 for all of them. `no_item` says why there is no item.
    """

    variables: frozenset[str]
    before: int | None
    no_item: str = ""
    functions: frozenset[str] = frozenset()
    records: bool = False
    """Whether values are recorded, so that no secret may come in."""


class Checker:
    """Checks one plan. Iterate over `problems()`; afterwards `secrets` names those used."""

    def __init__(self, plan: Plan, definition: WorkflowDefinition, catalog: Catalog | None) -> None:
        self._plan = plan
        self._definition = definition
        self._catalog = catalog
        self._secrets: set[str] = set()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that templates use, sorted."""
        return tuple(sorted(self._secrets))

    def problems(self) -> Iterator[Problem]:
        """All that is wrong."""
        plan = self._plan
        declared: set[str] = set()
        for name, value in plan.variables.items():
            scope = _Scope(
                frozenset(declared), None, "there is no item before a task", records=True
            )
            yield from self._check(value, scope)
            declared.add(name)
        known = frozenset(declared)
        for task in plan.tasks:
            yield from self._check_action(task)
            yield from self._check_task(task, known)
            known |= task.publish.keys()
        at_end = _Scope(known, -1, "a run's output has no item", records=True)
        if plan.output is not None:
            yield from self._check(plan.output, at_end)
        if plan.timeout is not None and plan.timeout.value is not None:
            no_task = _Scope(frozenset(plan.variables), None, "a run has no item")
            yield from self._check(plan.timeout.value, no_task)

    # Actions

    def _check_action(self, task: PlannedTask) -> Iterator[Problem]:
        name = self._definition.tasks[task.number].action
        place = self._definition.place("tasks", task.number, "action")
        if name is None:
            yield Problem(
                task.place,
                "missing-action",
                f'task "{task.name}" has no action.',
                "Add `action: pack.name`; `weft actions` lists what there is.",
            )
        elif self._catalog is not None:
            spec = self._catalog.get(name)
            if spec is None:
                yield self._unknown_action(place, task, name)
            else:
                yield from self._check_inputs(task, spec)

    def _unknown_action(self, place: Place, task: PlannedTask, name: str) -> Problem:
        assert self._catalog is not None
        return Problem(
            place,
            "unknown-action",
            f'task "{task.name}" calls "{name}", and no pack has an action of that name.',
            did_you_mean(name, self._catalog.names())
            or "Define it in actions.py beside the workflow, or name its pack with --packs.",
        )

    def _check_inputs(self, task: PlannedTask, spec: ActionSpec) -> Iterator[Problem]:
        given = {entry.name for entry in task.inputs}
        missing = [
            field.name
            for field in spec.fields.values()
            if field.required and field.name not in given
        ]
        if missing:
            names = ", ".join(f'"{name}"' for name in missing)
            yield Problem(
                task.place,
                "missing-input",
                f'task "{task.name}" calls {spec.name} without {names}.',
                f"Add to its input: {', '.join(missing)}.",
            )
        for entry in task.inputs:
            yield from self._check_input(task, spec, entry)

    def _check_input(
        self, task: PlannedTask, spec: ActionSpec, entry: PlannedInput
    ) -> Iterator[Problem]:
        place = self._definition.key_place("tasks", task.number, "input", entry.name)
        field = spec.fields.get(entry.name)
        if field is None:
            if not spec.open_input:
                known = ", ".join(spec.fields) or "none"
                yield Problem(
                    place,
                    "unknown-input",
                    f'{spec.name} has no parameter "{entry.name}".',
                    did_you_mean(entry.name, spec.fields) or f"Its parameters: {known}.",
                )
        elif entry.value.is_constant:
            try:
                if field.check is not None:
                    field.check(entry.value.raw)
            except AttemptError as error:
                yield Problem(entry.value.place, "bad-input", error.message, error.hint)
        elif field.is_script:
            yield Problem(
                entry.value.place,
                "template-in-script",
                f'the script of task "{task.name}" has a template in its text, so that a value '
                "could change what the script does.",
                'Pass values as environment variables, as in `env: {HOST: "{{ item.host }}"}`, '
                'and write "$HOST" in the script.',
            )

    # Templates

    def _check_task(self, task: PlannedTask, known: frozenset[str]) -> Iterator[Problem]:
        shared = _Scope(known, task.number, "this is evaluated once for the task")
        items = shared if task.items is None else msgspec.structs.replace(shared, no_item="")
        if task.items is None:
            shared = items = msgspec.structs.replace(
                shared, no_item=f'task "{task.name}" has no with-items'
            )
        if task.when is not None:
            when = msgspec.structs.replace(
                shared,
                no_item="`when` is judged once for the task, before its items; to leave out items, "
                "filter the list with select in with-items",
            )
            yield from self._check_condition(task.when, when if task.items else shared)
        for part in (task.items.parts if task.items else {}).values():
            yield from self._check(part, shared)
        for entry in task.inputs:
            yield from self._check(entry.value, items)
        if task.label is not None:
            yield from self._check(task.label, items)
        if task.retry_when is not None:
            failed = msgspec.structs.replace(items, functions=_AFTER_FAILURE)
            yield from self._check_condition(task.retry_when, failed)
        after = msgspec.structs.replace(shared, functions=_AFTER_TASK, records=True)
        for value in task.publish.values():
            yield from self._check(value, after)
        for key, setting in task.settings.items():
            if setting.value is not None:
                functions = _AFTER_FAILURE if key == "on-error" else frozenset()
                yield from self._check(
                    setting.value, msgspec.structs.replace(shared, functions=functions)
                )

    def _check_condition(self, value: Value, scope: _Scope) -> Iterator[Problem]:
        yield from self._check(value, scope)
        for template in value.templates:
            if not template.is_expression:
                yield Problem(
                    value.place,
                    "bad-condition",
                    "this condition is text with templates in it, and a text is always true.",
                    'Write one expression, as in "{{ a and b }}".',
                )

    def _check(self, value: Value, scope: _Scope) -> Iterator[Problem]:
        for template in value.templates:
            for path in sorted(template.references):
                yield from self._check_path(value.place, path, scope)
            for name in sorted(template.functions - scope.functions):
                yield Problem(
                    value.place,
                    "misplaced-name",
                    f"{name}() tells how a task ended, which isn't known here.",
                    "It can be used in publish, and in retry.when and on-error for a failure.",
                )

    def _check_path(self, place: Place, path: tuple[str, ...], scope: _Scope) -> Iterator[Problem]:
        name = path[1] if len(path) > 1 else None
        match path[0]:
            case "item" | "index":
                if scope.no_item:
                    text = f"there is no `{path[0]}` here: {scope.no_item}."
                    yield Problem(place, "misplaced-name", text)
            case "task":
                yield from self._check_task_name(place, name, scope)
            case "vars" if name is not None and name not in scope.variables:
                known = sorted(scope.variables)
                text = f'nothing declares or publishes the variable "{name}" before this.'
                yield Problem(place, "unknown-variable", text, _suggest(name, known, "variables"))
            case "parameters":
                yield from self._check_parameter(place, name, scope)
            case "secrets":
                if scope.records:
                    yield _secret_recorded(place, "a secret")
                if name is not None:
                    self._secrets.add(name)

    def _check_parameter(self, place: Place, name: str | None, scope: _Scope) -> Iterator[Problem]:
        parameters = self._plan.parameters
        secret = {key for key, parameter in parameters.items() if parameter.secret}
        if name is None:
            if secret and scope.records:
                yield _secret_recorded(place, f'the secret parameter "{min(secret)}"')
        elif name not in parameters:
            text = f'the workflow declares no parameter "{name}".'
            hint = _suggest(name, list(parameters), "parameters")
            yield Problem(place, "unknown-parameter", text, hint)
        elif name in secret and scope.records:
            yield _secret_recorded(place, f'the secret parameter "{name}"')

    def _check_task_name(self, place: Place, name: str | None, scope: _Scope) -> Iterator[Problem]:
        graph = self._plan.graph
        if name is None:
            return
        if name not in graph.numbers:
            text = f'a template names task "{name}", which does not exist.'
            yield Problem(place, "unknown-task", text, _suggest(name, graph.names, "tasks"))
        elif scope.before is None:
            text = f'task "{name}" has not run when this is evaluated.'
            yield Problem(place, "misplaced-name", text)
        elif scope.before >= 0 and not graph.precedes(graph.numbers[name], scope.before):
            own = scope.before == graph.numbers[name]
            yield Problem(
                place,
                "misplaced-name",
                f'task "{name}" has not ended when this is evaluated.',
                "Its own result is result()."
                if own and scope.functions
                else f'Tasks before "{graph.names[scope.before]}" can be named here.',
            )


def _suggest(name: str, known: list[str] | tuple[str, ...], kind: str) -> str:
    if suggestion := did_you_mean(name, known):
        return suggestion
    some = ", ".join(known[:5])
    return f"There are the {kind} {some}." if some else f"There are no {kind} here."


def _secret_recorded(place: Place, what: str) -> Problem:
    return Problem(
        place,
        "secret-recorded",
        f"{what} would be recorded with this value.",
        "Name secrets only in the inputs of the actions that need them.",
    )
