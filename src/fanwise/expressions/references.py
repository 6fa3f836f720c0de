"""Names that a template uses, and readers of the constant paths that start with them.

A path is a name of the context with constant parts after it, such as `task.fetch.output.url` or
`item[0].id`. What follows a path's first computed part isn't known until the template is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from jinja2 import nodes

from fanwise.context import WITHHELD
from fanwise.expressions.attributes import attribute
from fanwise.expressions.fixed import TASK_PARTS, root_parts, wrong_part
from fanwise.expressions.flow import Undefined
from fanwise.expressions.lookup import element
from fanwise.expressions.missing import nearest_or_few, undefined
from fanwise.expressions.refusal import EvaluationError
from fanwise.expressions.syntax import TemplateText
from fanwise.values import EMPTY_LIST

Reader: TypeAlias = Callable[[Any], Any]
"""Reads a value out of a `Frame`, or out of a context, which has what a path needs."""

NOT_DIRECT = (AttributeError, LookupError, EvaluationError, TypeError, ValueError)
"""The errors of `ValuePath.direct`, after which a path is read part by part."""

ROOTS = (
    "parameters",
    "vars",
    "task",
    "item",
    "index",
    "attempt",
    "secrets",
    "run",
    "trigger",
    "kv",
)
"""The names of the context that a template may start a path with."""

NAMED = frozenset({"secrets", "kv"})
"""Roots whose parts may be missing, and are named by a constant."""

_READERS: dict[str, Reader] = {
    "output": lambda result: result.output,
    "status": lambda result: str(result.status),
    "error": lambda result: None if result.error is None else result.error.as_value(),
    "items": lambda result: None if result.items is None else result.items.as_value(),
    "failures": lambda result: EMPTY_LIST if result.failures is None else result.failures,
}

_WHOLE: dict[str, Reader] = {
    "parameters": lambda frame: frame.shared.parameters,
    "vars": lambda frame: frame.shared.variables,
    "run": lambda frame: frame.shared.run,
    "trigger": lambda frame: frame.shared.trigger,
    "item": lambda frame: frame.item,
    "index": lambda frame: frame.index,
    "attempt": lambda frame: frame.attempt,
}


class Step(NamedTuple):
    """One part of a path: `.key` if it is `dotted`, else `[key]`."""

    key: str | int
    dotted: bool

    def __str__(self) -> str:
        return f".{self.key}" if self.dotted else f"[{self.key!r}]"


class ValuePath(NamedTuple):
    """A constant path: `start` reads its first part, which `owner` names, `steps` are the rest."""

    start: Reader
    owner: str
    steps: tuple[Step, ...]
    reference: tuple[str, ...]

    def direct(self) -> Reader:
        """A reader that gives the value or raises one of `NOT_DIRECT`."""
        start, keys = self.start, tuple(step.key for step in self.steps)
        if not keys:
            return start
        if len(keys) == 1:
            (only,) = keys
            return lambda frame: start(frame)[only]

        def read(frame: object) -> object:
            value = start(frame)
            for key in keys:
                value = value[key]
            return value

        return read

    def reader(self) -> Reader:
        """A reader of a `Frame` that gives the value, perhaps undefined. Raises on a refusal."""
        direct, start, steps = self.direct(), self.start, self.steps

        def read(frame: object) -> object:
            try:
                return direct(frame)
            except NOT_DIRECT:
                try:
                    value, owner = start(frame), self.owner
                except EvaluationError as error:
                    return Undefined(partial(_same, error))
                for step in steps:
                    value = take(value, step, owner)
                    owner += str(step)
                return value

        return read


def _same(error: EvaluationError) -> EvaluationError:
    return error


def take(value: object, step: Step, owner: str) -> Any:
    """The part of a value that a step names."""
    if isinstance(step.key, str) and step.dotted:
        return attribute(value, step.key, owner)
    return element(value, step.key, owner, named=True)


def step_of(node: nodes.Expr) -> Step | None:
    """The step that a node takes from the node inside it, or None if it isn't a constant one."""
    if isinstance(node, nodes.Getattr):
        return Step(node.attr, dotted=True)
    if (
        isinstance(node, nodes.Getitem)
        and isinstance(node.arg, nodes.Const)
        and type(node.arg.value) in (str, int)
    ):
        return Step(node.arg.value, dotted=False)
    return None


def path_of(
    node: nodes.Expr, source: TemplateText, longest: int
) -> tuple[nodes.Name, list[Step]] | None:
    """The name and the steps of a constant path, or None if the node isn't one.

    Raises `TemplateSyntaxError` if it has more than `longest` steps.
    """
    steps: list[Step] = []
    while (step := step_of(node)) is not None:
        steps.append(step)
        if len(steps) > longest:
            raise source.error(f"it has a path of more than {longest} parts.", node.lineno)
        assert isinstance(node, nodes.Getattr | nodes.Getitem)
        node = node.node
    return (node, steps[::-1]) if isinstance(node, nodes.Name) else None


def context_path(name: nodes.Name, steps: list[Step], source: TemplateText) -> ValuePath:
    """The path that starts with a name of the context. Raises `TemplateSyntaxError`."""
    root = name.name
    reference = [root]
    for step in steps:
        if isinstance(step.key, int):
            break
        reference.append(step.key)
    fault = wrong_part(root_parts(root), root, [step.key for step in steps])
    if fault is not None:
        raise source.error(fault[0], name.lineno, hint=fault[1])
    if root == "task":
        start = _task_part(name, reference, source)
    elif root in NAMED:
        start = _by_name(name, reference, source)
    else:
        start = _WHOLE[root]
    taken = 2 if root == "task" else int(root in NAMED)
    owner = root + "".join(str(step) for step in steps[:taken])
    return ValuePath(start, owner, tuple(steps[taken:]), tuple(reference))


def _task_part(name: nodes.Name, reference: list[str], source: TemplateText) -> Reader:
    if len(reference) < 3:
        raise source.error(
            "a task is read as task.NAME.output, with a constant name.",
            name.lineno,
            hint=f"Its parts are {', '.join(TASK_PARTS)}.",
        )
    task, read = reference[1], _READERS[reference[2]]

    def start(frame: Any) -> Any:
        results = frame.shared.task_results
        if task not in results:
            raise EvaluationError(
                f'task "{task}" has no result here.', nearest_or_few(task, results)
            )
        return read(results[task])

    return start


def _by_name(name: nodes.Name, reference: list[str], source: TemplateText) -> Reader:
    """A reader of a secret, or of the value that a visit has read of a key of the store."""
    root = name.name
    if len(reference) < 2:
        what = "a secret" if root == "secrets" else "a key"
        raise source.error(f"{what} is read as {root}.NAME, with a constant name.", name.lineno)
    key = reference[1]

    def start(frame: Any) -> Any:
        values = frame.shared.secrets if root == "secrets" else frame.shared.kv
        if key not in values:
            if root == "secrets":
                return undefined(f'there is no secret "{key}".')
            return undefined(
                f'the store has no key "{key}".',
                f"Set it with `fanwise kv set {key} VALUE`, or give a value with default().",
            )
        value = values[key]
        if value is WITHHELD:
            raise EvaluationError(
                f'the value of the key "{key}" is secret, and would be recorded here.',
                "Name it only in the inputs of the actions that need it.",
            )
        return value

    return start
