"""Warnings of numbers of the file whose value is written otherwise: `3.10` is the number 3.1."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Final

from fanwise.definition import NUMBERS, Node, Spot, WorkflowDefinition
from fanwise.errors import AttemptError, Diagnostic, Place
from fanwise.plan.model import Plan

_TEXT: Final = "a text"  # that is no number in any way

_Check = Callable[[object], object]
_Found = tuple[tuple[str | int, ...], bool | _Check]
"""The path of a value, and whether it may be text: known, or as the check of an action says."""


def lost_digits(plan: Plan, definition: WorkflowDefinition) -> Iterator[Diagnostic]:
    """Find numbers among the values of a workflow that may be meant as text.

    Where only a number is taken, only leading zeros are told, which may be meant as octal.
    """
    if not any(each.written for each in definition.root.scalars()):
        return
    told: set[Spot] = set()  # a value with aliases is met several times
    for path, may_be_text in _values(plan, definition):
        node = definition.root.find(path)
        numbers = [] if node is None else [each for each in node.scalars() if each.written]
        if node is None or not numbers:
            continue
        is_text = may_be_text if isinstance(may_be_text, bool) else _takes_text(node, may_be_text)
        for number in numbers:
            if number.spot not in told and (is_text or _has_leading_zero(number.written)):
                told.add(number.spot)
                yield _warning(Place(definition.file, *number.spot), number)


def _warning(place: Place, number: Node) -> Diagnostic:
    value = json.dumps(number.value)
    return Diagnostic(
        place,
        "rewritten-number",
        f"YAML reads {number.written} as the number {value}.",
        f"Write it in quotes if it is text, or as {value} if it is a number.",
    )


def _values(plan: Plan, definition: WorkflowDefinition) -> Iterator[_Found]:
    """Yield all values that are the workflow's own."""
    for name, parameter in definition.parameters.items():
        may_be_text = parameter.accepted.type not in NUMBERS
        yield ("parameters", name, "default"), may_be_text
        yield ("parameters", name, "choices"), may_be_text
    yield ("vars",), True
    for task in plan.tasks:
        yield (*task.path, "with-items"), True
        for entry in task.inputs:
            field = task.spec.fields.get(entry.name)
            check = None if field is None else field.check
            yield (*task.path, "input", entry.name), True if check is None else check
        yield (*task.path, "publish"), True
        for at, _ in enumerate(task.transitions):
            yield (*task.path, "next", at, "publish"), True
    yield ("output",), True


def _takes_text(node: Node, check: _Check) -> bool:
    """True unless an action takes an input as it is, and refuses it with text for its numbers."""
    try:
        check(node.value)
    except AttemptError:  # such as a template, of whose result nothing is known
        return True
    try:
        check(_with_text(node))
    except AttemptError:
        return False
    return True


def _with_text(node: Node) -> object:
    if isinstance(node.children, dict):
        return {key: _with_text(each) for key, each in node.children.items()}
    if isinstance(node.children, list):
        return [_with_text(each) for each in node.children]
    return _TEXT if node.written else node.value


def _has_leading_zero(written: str | None) -> bool:
    digits = (written or "").lstrip("+-")
    return digits.isdecimal() and digits.startswith("0")
