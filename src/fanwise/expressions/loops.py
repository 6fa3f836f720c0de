"""The variable `loop` inside a `for`: the position in the loop.

`loop` itself is no value: a template can only name its parts, so it never leaves its loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jinja2 import nodes

from fanwise.expressions.budget import Budget
from fanwise.expressions.compilation import Closure, Compiler
from fanwise.expressions.frame import Frame
from fanwise.expressions.missing import nearest_or_few, undefined
from fanwise.expressions.references import Step, take
from fanwise.expressions.refusal import EvaluationError
from fanwise.expressions.traversal import equal

LOOP = "loop"


class Loop:
    """A loop that runs: all its elements, and the index of the one that it is at."""

    __slots__ = ("elements", "index", "seen")

    def __init__(self, elements: Sequence[object]) -> None:
        self.elements = elements
        self.index = 0
        self.seen: tuple[Any, ...] | None = None


_PARTS: dict[str, Callable[[Any], Any]] = {
    "index": lambda loop: loop.index + 1,
    "index0": lambda loop: loop.index,
    "first": lambda loop: loop.index == 0,
    "last": lambda loop: loop.index == len(loop.elements) - 1,
    "length": lambda loop: len(loop.elements),
    "revindex": lambda loop: len(loop.elements) - loop.index,
    "revindex0": lambda loop: len(loop.elements) - loop.index - 1,
    "previtem": lambda loop: (
        loop.elements[loop.index - 1]
        if loop.index
        else undefined("the first element has none before it.")
    ),
    "nextitem": lambda loop: (
        loop.elements[loop.index + 1]
        if loop.index + 1 < len(loop.elements)
        else undefined("the last element has none after it.")
    ),
}


def _cycle(_budget: Budget, loop: Loop, *values: object) -> Any:
    if not values:
        raise EvaluationError("loop.cycle() needs values to go through.")
    return values[loop.index % len(values)]


def _changed(budget: Budget, loop: Loop, *values: object) -> bool:
    before, loop.seen = loop.seen, values
    return before is None or not equal(budget, before, values)


_METHODS: dict[str, Callable[..., object]] = {"cycle": _cycle, "changed": _changed}


def loop_part(compiler: Compiler, name: nodes.Name, steps: list[Step]) -> Closure:
    """The closure of a path that starts with `loop`. Raises `TemplateSyntaxError`."""
    place = _place(compiler, name)
    wanted = steps[0].key if steps else None
    if wanted not in _PARTS:
        if wanted in _METHODS:
            compiler.fail(name, f'"loop.{wanted}" is a function.', f"Call it: loop.{wanted}()")
        compiler.fail(name, '"loop" is used for what it doesn\'t have.', _parts_like(wanted))
    read, rest = _PARTS[str(wanted)], steps[1:]

    def run(frame: Frame) -> object:
        value, owner = read(frame.local[place]), f"loop.{wanted}"
        for step in rest:
            value = take(value, step, owner)
            owner += str(step)
        return value

    return run


def loop_call(compiler: Compiler, node: nodes.Call, name: nodes.Name, method: str) -> Closure:
    """The closure of `loop.cycle(...)` or `loop.changed(...)`. Raises `TemplateSyntaxError`."""
    place = _place(compiler, name)
    if method not in _METHODS or node.kwargs or node.dyn_args or node.dyn_kwargs:
        compiler.fail(name, f'"loop.{method}" can\'t be called like this.', _parts_like(method))
    call, args = _METHODS[method], [compiler.expression(arg) for arg in node.args]

    def run(frame: Frame) -> object:
        frame.budget.step()
        return call(frame.budget, frame.local[place], *[arg(frame) for arg in args])

    return run


def _place(compiler: Compiler, name: nodes.Name) -> int:
    places = compiler.variables.find(LOOP)
    if not places:
        compiler.fail(name, '"loop" stands for the loop around it, and there is none.')
    compiler.loops_named.add(places[0])
    return places[0]


def _parts_like(name: object) -> str:
    return nearest_or_few(str(name), [*_PARTS, *_METHODS])
