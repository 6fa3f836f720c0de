"""Everything about a workflow that can be found wrong before it runs.

The definition has been read and its templates compiled; what is checked here is what they name:
actions and their inputs, tasks, parameters, variables, items, functions, secrets. Each place where
a template can stand has a `_Scope`, which says what may be named there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

import msgspec

from fanwise.definition import SCALARS, WorkflowDefinition, did_you_mean
from fanwise.errors import Diagnostic, Place
from fanwise.plan.input_checks import input_problems
from fanwise.plan.model import Plan, PlannedItems, PlannedTask
from fanwise.plan.values import Value
from fanwise.plan.warnings import publishers
from fanwise.ports import Catalog
from fanwise.source_kinds import SOURCE_KINDS

CODES: Mapping[str, str] = {
    "bad-input": "An input's literal value doesn't fit the action's parameter.",
    "bad-template": "A template can't be compiled.",
    "bad-condition": "A condition is text with templates in it, which is always true.",
    "bad-schedule": "A schedule has a wrong expression, zone or time, or never fires.",
    "bad-trigger": "A trigger's secret is written in the file, or triggers start each other for "
    "ever.",
    "conflicting-inputs": "Inputs stand together, or are missing, against a rule of the action.",
    "doubtful-schedule": "A warning: a schedule may mean something else than it seems to.",
    "dropped-events": "A warning: a trigger drops events while a run of it is open.",
    "missing-action": "A task names no action.",
    "missing-input": "An input is missing that the action requires.",
    "missing-parameter": "A trigger doesn't give a parameter that the workflow requires.",
    "misplaced-name": "A template names something that can't be known where it stands.",
    "secret-recorded": "A secret would be recorded, in a variable or in the run's output.",
    "impossible-join": "A task joins more ways than lead to it, or can't join where it stands.",
    "needs-and-next": "A task has needs, and another one leads to it with next.",
    "needs-cycle": "A task needs one that comes after it.",
    "no-deadline": "A warning: a task waits for an answer or a signal without a timeout.",
    "old-variable": "A warning: an entry of publish reads a variable that the same publish sets.",
    "racing-variable": "A warning: tasks side by side publish the same variable.",
    "rewritten-number": "A warning: a number's value is written in other digits than in the file.",
    "template-in-script": "A script names something of the run; values are given in env.",
    "unknown-action": "No pack has an action of this name.",
    "unknown-input": "The action has no parameter of this name.",
    "limit-of-workflow": "A task that calls a workflow names a limit, which is for actions.",
    "unknown-limit": "A task names a limit that no fanwise.yaml has.",
    "unknown-parameter": "A template names a parameter that the workflow doesn't declare.",
    "unknown-part": "A template names a part that its value can't have.",
    "unknown-task": "A template, needs or next names a task that the workflow doesn't have.",
    "unknown-workflow": "The workflow that a task calls can't be read.",
    "unknown-variable": "A template names a variable that nothing declares or publishes before.",
    "unplaced-task": "A task doesn't say what it comes after, while others do.",
    "unreachable-task": "Nothing leads to a cycle of tasks from a start of the workflow.",
    "waits-with-secret": "A task waits in a run with a secret parameter; a warning without `on`.",
}
"""Every code that `compile_plan` adds to those of the definition, with its meaning."""

_AFTER_TASK = frozenset({"result", "error", "succeeded", "failed", "timed_out", "skipped"})
_AFTER_SUCCESS = frozenset({"result", "succeeded"})
_AFTER_FAILURE = frozenset({"error", "failed", "timed_out"})


_ALL = -1
_RUN_END_KEYS = frozenset({"status", "error", "cause"})


class _Scope(msgspec.Struct, frozen=True):
    """The names that templates at one place may use, and the messages for all others.

    `before` is the number of the task whose predecessors may be named, None for no task at all, and
    `_ALL` for all of them. `no_item` says why there is no item. `own` are the variables that the
    task itself has published by then. `items` are those of the task.
    """

    before: int | None
    no_item: str = ""
    functions: frozenset[str] = frozenset()
    own: Set[str] = frozenset()
    has_attempt: bool = False
    """True in a task's input, which is made for each attempt if it names one."""
    items: PlannedItems | None = None
    has_batches: bool = False
    no_keys: str = ""
    """The reason why no key of the store is known, or "" if keys are."""
    records: bool = False
    """True if values are recorded, so that no secret may come in."""


class Checker:
    """Checks one plan. Iterate over `problems()`; afterwards `secrets` names those used."""

    def __init__(
        self,
        plan: Plan,
        definition: WorkflowDefinition,
        catalog: Catalog | None,
        broken: Set[tuple[str, int]],
    ) -> None:
        self._plan = plan
        self._definition = definition
        self._catalog = catalog
        self._broken = broken
        self._secrets: set[str] = set()
        self._publishers = publishers(plan)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that templates use, sorted."""
        return tuple(sorted(self._secrets))

    def problems(self) -> Iterator[Diagnostic]:
        """All that is wrong with what the workflow names."""
        plan = self._plan
        declared: set[str] = set()
        for name, value in plan.variables.items():
            scope = _Scope(None, "there is no item before a task", records=True)
            yield from self._check(value, scope, known=declared)
            declared.add(name)
        for task in plan.tasks:
            yield from self._check_action(task)
            yield from self._check_task(task)
        if plan.output is not None:
            at_end = _Scope(_ALL, "a run's output has no item", records=True)
            yield from self._check(plan.output, at_end)
        # These are evaluated before the run is recorded, so no variable has a value yet.
        no_variables: Set[str] = set()
        for value, is_recorded in _of_the_run(plan):
            no_keys = "this is evaluated before the run is recorded"
            scope = _Scope(None, "a run has no item", records=is_recorded, no_keys=no_keys)
            yield from self._check(value, scope, known=no_variables)

    # Actions

    def _check_action(self, task: PlannedTask) -> Iterator[Diagnostic]:
        name = self._action(task)
        if name is None:
            yield Diagnostic(
                task.place,
                "missing-action",
                f'task "{task.name}" has no action.',
                "Add `action: pack.name`; `fanwise actions` lists what there is.",
            )
        elif self._catalog is not None and task.path not in self._broken:
            spec = self._catalog.get(name)
            if spec is None:
                yield self._unknown_action(task, name)
            else:
                yield from input_problems(self._definition, task, spec)
                if spec.workflow is not None and task.runs_on:
                    yield Diagnostic(
                        self._definition.key_place(*task.path, "runs-on"),
                        "conflicting-keys",
                        f'task "{task.name}" calls a workflow, which runs in no executor.',
                        'Give "runs-on" to the steps of that workflow.',
                    )
                elif spec.workflow is not None and task.settings.executor.given is not None:
                    yield Diagnostic(
                        self._definition.key_place(*task.path, "executor"),
                        "conflicting-keys",
                        f'task "{task.name}" calls a workflow, which runs in no executor.',
                        'Give "executor" to the steps of that workflow.',
                    )

    def _action(self, task: PlannedTask) -> str | None:
        key, at = task.path
        return self._definition.task_lists[key][at].action

    def _unknown_action(self, task: PlannedTask, name: str) -> Diagnostic:
        assert self._catalog is not None
        return Diagnostic(
            self._definition.place(*task.path, "action"),
            "unknown-action",
            f'task "{task.name}" calls "{name}", and no pack has an action of that name.',
            did_you_mean(name, self._catalog.names())
            or "Define it in actions.py beside the workflow, or name its pack with --packs (from "
            "Python: packs=[...], or the function itself, actions=[...]).",
        )

    # Templates

    def _check_task(self, task: PlannedTask) -> Iterator[Diagnostic]:
        before = task.number if task.number < len(self._plan.graph.names) else _ALL
        shared = _Scope(before, "this is evaluated once for the task")
        has_batches = task.settings.batch_size.given is not None
        each = _Scope(before, items=task.items, has_batches=has_batches)
        if task.items is None:
            shared = each = _Scope(before, f'task "{task.name}" has no with-items')
        if task.when is not None:
            yield from self._check_condition(task.when, _when_scope(shared, task))
        for part in (task.items.parts if task.items else {}).values():
            yield from self._check(part, shared)
        for entry in task.inputs:
            yield from self._check(entry.value, msgspec.structs.replace(each, has_attempt=True))
        if task.label is not None:
            yield from self._check(task.label, each)
        if task.retry_when is not None:
            yield from self._check_condition(task.retry_when, _with(each, _AFTER_FAILURE))
        if task.retry_until is not None:
            yield from self._check_condition(task.retry_until, _with(each, _AFTER_SUCCESS))
        yield from self._check_transitions(task, shared)
        for key, value in task.settings.templates():
            scope = shared
            if key == "on-error":
                no_keys = "on-error is judged again where a run is taken up"
                scope = msgspec.structs.replace(shared, functions=_AFTER_FAILURE, no_keys=no_keys)
            yield from self._check(value, scope)

    def _check_transitions(self, task: PlannedTask, shared: _Scope) -> Iterator[Diagnostic]:
        after = _with(shared, _AFTER_TASK)
        recorded = msgspec.structs.replace(after, records=True)
        for value in task.publish.values():
            yield from self._check(value, recorded)
        after = msgspec.structs.replace(after, own=task.publish.keys())
        recorded = msgspec.structs.replace(after, records=True)
        for transition in task.transitions:
            if transition.when is not None:
                yield from self._check_condition(transition.when, after)
            for value in transition.publish.values():
                yield from self._check(value, recorded)
            if transition.message is not None:
                yield from self._check(transition.message, recorded)

    def _check_condition(self, value: Value, scope: _Scope) -> Iterator[Diagnostic]:
        yield from self._check(value, scope)
        for template in value.templates:
            if not template.is_expression:
                yield Diagnostic(
                    value.place,
                    "bad-condition",
                    "this condition is text with templates in it, and a text is always true.",
                    'Write one expression, as in "{{ a and b }}".',
                )

    def _check(
        self, value: Value, scope: _Scope, known: Set[str] | None = None
    ) -> Iterator[Diagnostic]:
        """Find names that `value` can't use. `known` are the variables seen, if not the usual."""
        for template in value.templates:
            for path, place in sorted(template.references.items()):
                yield from self._check_path(place or value.place, path, scope, known)
            for name in sorted(template.functions.keys() - scope.functions):
                yield Diagnostic(
                    template.functions[name] or value.place,
                    "misplaced-name",
                    f"{name}() tells how a task ended, which isn't known here.",
                    "It can be used in publish and next, and in retry and on-error in part.",
                )

    def _check_path(
        self, place: Place, path: tuple[str, ...], scope: _Scope, known: Set[str] | None
    ) -> Iterator[Diagnostic]:
        name = path[1] if len(path) > 1 else None
        match path[0]:
            case "item" | "index":
                if scope.no_item:
                    text = f"there is no `{path[0]}` here: {scope.no_item}."
                    yield Diagnostic(place, "misplaced-name", text)
                elif name is not None and path[0] == "item":
                    yield from _check_item_part(place, path[1:], scope)
            case "attempt":
                if not scope.has_attempt:
                    text = "there is no `attempt` here: only a task's input is made for each."
                    yield Diagnostic(place, "misplaced-name", text)
            case "task":
                yield from self._check_task_name(place, name, scope)
                yield from self._check_part_of_items(place, path)
            case "vars" if name is not None:
                if not self._is_known(name, scope, known):
                    seen = self._names_seen(scope) if known is None else known
                    text = f'nothing declares or publishes the variable "{name}" before this.'
                    hint = _suggest(name, sorted(seen), "variables")
                    yield Diagnostic(place, "unknown-variable", text, hint)
            case "parameters":
                yield from self._check_parameter(place, name, scope)
                yield from self._check_parameter_part(place, path)
            case "run" if name in _RUN_END_KEYS and scope.before != _ALL:
                yield Diagnostic(
                    place,
                    "misplaced-name",
                    f"run.{name} isn't known before the run comes to its end.",
                    "It can be named in on-failure, finally and output.",
                )
            case "kv" if scope.no_keys:
                text = f"kv.{name} can't be read here: {scope.no_keys}."
                yield Diagnostic(place, "misplaced-name", text, "Name it in a task.")
            case "secrets":
                if scope.records:
                    yield _secret_recorded(place, "a secret")
                if name is not None:
                    self._secrets.add(name)

    def _is_known(self, name: str, scope: _Scope, known: Set[str] | None) -> bool:
        if known is not None:
            return name in known
        return name in scope.own or name in self._plan.variables or self._is_published(name, scope)

    def _is_published(self, name: str, scope: _Scope) -> bool:
        """True if a task before that of `scope` publishes the variable."""
        publishers = self._publishers.get(name, 0)
        if scope.before is None or scope.before == _ALL:
            return scope.before is not None and bool(publishers)
        return bool(publishers & self._plan.graph.before(scope.before))

    def _names_seen(self, scope: _Scope) -> set[str]:
        """The variables that have a value at `scope`."""
        published = {name for name in self._publishers if self._is_published(name, scope)}
        return published | self._plan.variables.keys() | scope.own

    def _check_parameter(
        self, place: Place, name: str | None, scope: _Scope
    ) -> Iterator[Diagnostic]:
        parameters = self._plan.parameters
        secret = {key for key, parameter in parameters.items() if parameter.secret}
        if name is None:
            if secret and scope.records:
                yield _secret_recorded(place, f'the secret parameter "{min(secret)}"')
        elif name not in parameters:
            text = f'the workflow declares no parameter "{name}".'
            hint = _suggest(name, list(parameters), "parameters")
            yield Diagnostic(place, "unknown-parameter", text, hint)
        elif name in secret and scope.records:
            yield _secret_recorded(place, f'the secret parameter "{name}"')

    def _check_parameter_part(self, place: Place, path: tuple[str, ...]) -> Iterator[Diagnostic]:
        parameter = self._plan.parameters.get(path[1]) if len(path) > 2 else None
        if parameter is not None and parameter.type in SCALARS:
            text = f'parameters.{path[1]} is of type {parameter.type} and has no "{path[2]}".'
            yield Diagnostic(place, "unknown-part", text, "Declare it as an object if it is one.")

    def _check_part_of_items(self, place: Place, path: tuple[str, ...]) -> Iterator[Diagnostic]:
        """Find a part that only tasks with items have."""
        if path[2:3] not in (("items",), ("failures",)):
            return
        number = self._plan.numbers.get(path[1])
        if number is not None and self._plan.tasks[number].items is None:
            text = f'task "{path[1]}" has no with-items, so it has no {path[2]}.'
            hint = f"Its own failure is task.{path[1]}.error." if path[2] == "failures" else ""
            yield Diagnostic(place, "unknown-part", text, hint)

    def _check_task_name(
        self, place: Place, name: str | None, scope: _Scope
    ) -> Iterator[Diagnostic]:
        if name is None or (scope.before == _ALL and name in self._plan.numbers):
            return
        number = self._plan.numbers.get(name)
        if number is None:
            text = f'a template names task "{name}", which does not exist.'
            hint = _suggest(name, list(self._plan.numbers), "tasks")
            yield Diagnostic(place, "unknown-task", text, hint)
        elif scope.before is None:
            text = f'task "{name}" has not run when this is evaluated.'
            yield Diagnostic(place, "misplaced-name", text)
        elif not self._precedes(number, scope.before):
            is_own = scope.before == number and scope.functions
            yield Diagnostic(
                place,
                "misplaced-name",
                f'task "{name}" has not ended when this is evaluated.',
                "Its own result is result()."
                if is_own
                else f'Tasks on the way to "{self._plan.tasks[scope.before].name}" can be named.',
            )

    def _precedes(self, earlier: int, later: int) -> bool:
        graph = self._plan.graph
        return earlier < len(graph.names) and graph.precedes(earlier, later)


def _check_item_part(place: Place, path: Sequence[str], scope: _Scope) -> Iterator[Diagnostic]:
    """Find a part of `item` that the source of the items rules out."""
    items, name = scope.items, path[0]
    if items is None:
        return
    if scope.has_batches:
        text = f'with batch-size `item` is a list and has no "{name}".'
        yield Diagnostic(place, "unknown-part", text, "Its elements are item[0] and so on.")
    elif items.kind in SOURCE_KINDS and (gives := SOURCE_KINDS[items.kind].gives):
        text = f'an item of "{items.kind}" is {gives} and has no "{name}".'
        yield Diagnostic(place, "unknown-part", text, "Write `item` alone.")
    elif items.kind == "zip" and name not in items.parts:
        text = f'`item` has no "{name}": with-items gives it {", ".join(items.parts)}.'
        yield Diagnostic(place, "unknown-part", text, did_you_mean(name, items.parts))
    elif items.kind == "list" and isinstance(items.parts[""].raw, str):
        for template in items.parts[""].templates:
            if fault := template.wrong_part_of_item(path):
                yield Diagnostic(place, "unknown-part", *fault)


def _with(scope: _Scope, functions: frozenset[str]) -> _Scope:
    return msgspec.structs.replace(scope, functions=functions)


def _when_scope(shared: _Scope, task: PlannedTask) -> _Scope:
    if task.items is None:
        return shared
    return msgspec.structs.replace(
        shared,
        no_item="`when` is judged once for the task, before its items; to leave out items, "
        "filter the list with select in with-items, or let each item call a workflow of its own, "
        "action: ./one.yaml, whose task has the condition",
    )


def _of_the_run(plan: Plan) -> Iterator[tuple[Value, bool]]:
    """The values that are evaluated before a run is recorded, and whether they are recorded."""
    if plan.timeout is not None and plan.timeout.template is not None:
        yield plan.timeout.template, False
    if plan.priority is not None and plan.priority.template is not None:
        yield plan.priority.template, True
    if plan.concurrency is not None and plan.concurrency.most.template is not None:
        yield plan.concurrency.most.template, True
    for keyed in (plan.concurrency, plan.dedupe):
        if keyed is not None and keyed.key is not None:
            yield keyed.key, True


def _suggest(name: str, known: list[str] | tuple[str, ...], kind: str) -> str:
    if suggestion := did_you_mean(name, known):
        return suggestion
    some = ", ".join(known[:5])
    return f"There are the {kind} {some}." if some else f"There are no {kind} here."


def _secret_recorded(place: Place, what: str) -> Diagnostic:
    return Diagnostic(
        place,
        "secret-recorded",
        f"{what} would be recorded with this value.",
        "Name secrets only in the inputs of the actions that need them.",
    )
