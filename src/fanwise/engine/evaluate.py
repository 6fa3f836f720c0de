"""Evaluates templates for the conductor. A template computes, so this has no effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fanwise.conductor import Evaluate, Evaluated, EvaluationKind
from fanwise.context import WorkflowContext
from fanwise.engine.describe import shortened
from fanwise.errors import AttemptError, LimitError, Place
from fanwise.model import ErrorInfo, Limits, Status, TaskResult
from fanwise.plan import Plan, PlannedTask, PlannedTransition, Value, truth
from fanwise.values import FrozenDict, FrozenList, encode, read_lazy


def evaluate_asked(plan: Plan, command: Evaluate, limits: Limits) -> Any:
    """The value asked for, as frozen JSON with nothing lazy in it. Raises `AttemptError`."""
    context, result = command.context, command.result
    match command.asked:
        case EvaluationKind.VARIABLES:
            return _variables(plan.variables, context, limits)
        case EvaluationKind.WHEN:
            when = plan.tasks[command.task].when
            return when is None or truth(when, when.evaluate(context, None))
        case EvaluationKind.PUBLISH:
            publish = plan.tasks[command.task].publish
            return FrozenDict(
                {name: _value(value, context, result, limits) for name, value in publish.items()}
            )
        case EvaluationKind.NEXT:
            transitions = plan.tasks[command.task].transitions
            taken = [_transition(each, command, limits) for each in transitions]
            return FrozenList([*taken, *_message(transitions, taken, command, limits)])
        case EvaluationKind.OUTPUT:
            return _output(plan.output, context, limits, nullable=command.nullable)


def is_handled(task: PlannedTask, context: WorkflowContext, result: TaskResult) -> bool:
    """True if the task's `on-error` lets the run continue after this failure."""
    try:
        return bool(task.settings.on_error.resolve(context, result) == "continue")
    except AttemptError:
        return False


def is_handled_at(
    plan: Plan, at: Evaluate | Evaluated, context: WorkflowContext, error: ErrorInfo
) -> bool:
    """True if `on-error` lets the workflow continue after this evaluation failed."""
    failed = TaskResult(Status.FAILED, error=error)
    return at.asked in (EvaluationKind.WHEN, EvaluationKind.PUBLISH) and is_handled(
        plan.tasks[at.task], context, failed
    )


def _transition(transition: PlannedTransition, command: Evaluate, limits: Limits) -> Any:
    """The variables that a transition publishes, or None if it isn't taken."""
    context, result = command.context, command.result
    if transition.when is None:
        is_taken = command.passes
    else:
        is_taken = truth(transition.when, transition.when.evaluate(context, result))
    if not is_taken:
        return None
    return FrozenDict(
        {name: _value(each, context, result, limits) for name, each in transition.publish.items()}
    )


def _message(
    transitions: Sequence[PlannedTransition],
    taken: Sequence[object],
    command: Evaluate,
    limits: Limits,
) -> list[str]:
    """The message for the run's failure, of the first transition taken that has one."""
    for transition, published in zip(transitions, taken, strict=True):
        if transition.message is not None and published is not None:
            value = _value(transition.message, command.context, command.result, limits)
            text = value if isinstance(value, str) else encode(value).decode()
            return [shortened(" ".join(text.split()), limits.error_bytes)]
    return []


def _variables(variables: Mapping[str, Value], context: WorkflowContext, limits: Limits) -> Any:
    """Each variable sees those above it."""
    found = {}
    for name, value in variables.items():
        found[name] = _value(value, context, None, limits)
        context = context.with_variables({name: found[name]})
    return FrozenDict(found)


def _output(
    value: Value | None, context: WorkflowContext, limits: Limits, *, nullable: bool
) -> Any:
    """The run's output; with `nullable`, null in place of each entry that can't be computed."""
    if value is None:
        return None
    if value.entries is None or not nullable:
        return (
            _or_null(value, context, limits) if nullable else _value(value, context, None, limits)
        )
    return FrozenDict(
        {name: _or_null(entry, context, limits) for name, entry in value.entries.items()}
    )


def _or_null(value: Value, context: WorkflowContext, limits: Limits) -> Any:
    try:
        return _value(value, context, None, limits)
    except AttemptError:
        return None


def _value(
    value: Value, context: WorkflowContext, outcome: TaskResult | None, limits: Limits
) -> Any:
    return bounded(value.evaluate(context, outcome), value.place, limits)


def bounded(value: object, place: Place, limits: Limits) -> Any:
    """`value` with every lazy list in it read. Raises `LimitError` over `limits.input_bytes`."""
    try:
        value = read_lazy(value)
        size = len(encode(value))
    except AttemptError as error:
        raise error.at(place) from None
    if size > limits.input_bytes:
        raise LimitError(
            f"{place}  this value has {size:,} bytes as JSON; the limit is {limits.input_bytes:,}.",
            setting="limits.input_bytes",
            hint="Go through a long list with with-items, or raise limits.input_bytes.",
        )
    return value
