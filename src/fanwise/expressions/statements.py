"""Texts with `if`, `for` and `set` compiled into writers: each takes a `Frame` and writes text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from jinja2 import nodes

from fanwise.expressions.budget import REFERENCE_BYTES
from fanwise.expressions.calls import OUTCOMES
from fanwise.expressions.compilation import Closure, Compiler
from fanwise.expressions.filters.texts import joined
from fanwise.expressions.fixed import Parts
from fanwise.expressions.flow import elements, kind
from fanwise.expressions.frame import UNSET, Frame
from fanwise.expressions.functions import FUNCTIONS
from fanwise.expressions.known import element_of, parts_of, set_known
from fanwise.expressions.loops import LOOP, Loop
from fanwise.expressions.references import ROOTS
from fanwise.expressions.refusal import REFUSALS, EvaluationError
from fanwise.expressions.traversal import to_text
from fanwise.expressions.variables import Variables

Writer: TypeAlias = Callable[[Frame, list[str]], None]
Assigner: TypeAlias = Callable[[Frame, Any], None]


def block(compiler: Compiler, body: list[nodes.Node]) -> Writer:
    """The writer of some statements and outputs. Raises `TemplateSyntaxError`."""
    writers: list[Writer] = []
    outer, compiler.nodes = compiler.nodes, 0
    for node in body:
        if isinstance(node, nodes.Output):
            writers += [_output(compiler, part) for part in node.nodes]
            continue
        compile_node = _STATEMENTS.get(type(node))
        if compile_node is None:
            compiler.fail(node, f'"{type(node).__name__.lower()}" can\'t be used in a template.')
        with compiler.nested(node):
            writers.append(compile_node(compiler, node))
    steps, compiler.nodes = compiler.nodes + len(writers), outer

    def write(frame: Frame, out: list[str]) -> None:
        frame.budget.step(steps)
        for writer in writers:
            writer(frame, out)

    return write


def _output(compiler: Compiler, node: nodes.Expr) -> Writer:
    if isinstance(node, nodes.TemplateData):
        data = node.data
        value: Closure = lambda _frame: data  # noqa: E731
    else:
        value = compiler.expression(node)
    fault = compiler.fault(node)

    def write(frame: Frame, out: list[str]) -> None:
        try:
            text = to_text(frame.budget, value(frame))
            frame.budget.text(text)
            frame.budget.allocate(REFERENCE_BYTES)
        except REFUSALS as error:
            raise fault(error) from None
        out.append(text)

    return write


def _if(compiler: Compiler, node: nodes.If) -> Writer:
    branches = [
        (compiler.located(branch.test, bool), block(compiler, branch.body))
        for branch in (node, *node.elif_)
    ]
    otherwise = block(compiler, node.else_)

    def write(frame: Frame, out: list[str]) -> None:
        for test, body in branches:
            if test(frame):
                body(frame, out)
                return
        otherwise(frame, out)

    return write


def _for(compiler: Compiler, node: nodes.For) -> Writer:
    if node.recursive:
        compiler.fail(node, '"recursive" can\'t be used in a template.')
    source, fault = compiler.expression(node.iter), compiler.fault(node)
    otherwise = _scoped(compiler, node.else_)
    each = element_of(parts_of(compiler, node.iter))
    outer, compiler.variables = compiler.variables, Variables(compiler.variables)
    assign = _target(compiler, node.target, (), each)
    before = compiler.nodes
    test = None if node.test is None else compiler.located(node.test, bool)
    steps = compiler.nodes - before
    place = compiler.variables.declare(LOOP)
    body, variables = block(compiler, node.body), compiler.variables.places.values()
    is_named = place in compiler.loops_named
    compiler.variables = outer

    def turns(frame: Frame) -> Iterator[object]:
        try:
            for value in elements(source(frame)):
                frame.budget.turn()
                if test is not None:
                    frame.budget.step(steps)
                    assign(frame, value)
                    if not test(frame):
                        continue
                yield value
        except REFUSALS as error:
            raise fault(error) from None

    def write(frame: Frame, out: list[str]) -> None:
        values: Iterable[object] = turns(frame)
        loop = Loop(_kept(frame, values)) if is_named else None
        index = -1
        for index, value in enumerate(values if loop is None else loop.elements):
            _unset(frame, variables)
            assign(frame, value)
            if loop is not None:
                loop.index = index
                frame.local[place] = loop
            body(frame, out)
        if index < 0:
            otherwise(frame, out)

    return write


def _set(compiler: Compiler, node: nodes.Assign) -> Writer:
    value = compiler.located(node.node)
    assign = _target(compiler, node.target, ROOTS, parts_of(compiler, node.node))
    return lambda frame, _out: assign(frame, value(frame))


def _set_block(compiler: Compiler, node: nodes.AssignBlock) -> Writer:
    if node.filter is not None:
        compiler.fail(node, "a block of set can't have a filter.", "Apply it where it is used.")
    body, fault = _scoped(compiler, node.body), compiler.fault(node)
    assign = _target(compiler, node.target, ROOTS)

    def write(frame: Frame, _out: list[str]) -> None:
        texts: list[str] = []
        body(frame, texts)
        try:
            text = joined(frame.budget, "", texts)
        except REFUSALS as error:
            raise fault(error) from None
        assign(frame, text)

    return write


def _target(
    compiler: Compiler, node: nodes.Node, taken: Iterable[str], parts: Parts = None
) -> Assigner:
    """The closure that sets one or more new variables, whose names mustn't be `taken`.

    `parts` are those that the value is known to have.
    """
    if isinstance(node, nodes.Tuple):
        assigners = [_target(compiler, item, taken) for item in node.items]
        fault = compiler.fault(node)

        def unpack(frame: Frame, value: object) -> None:
            if not isinstance(value, list | tuple) or len(value) != len(assigners):
                size = f" of {len(value)}" if isinstance(value, list | tuple) else ""
                raise fault(
                    EvaluationError(f"{kind(value)}{size} has no {len(assigners)} parts to name.")
                )
            frame.budget.step(len(assigners))
            for assign, part in zip(assigners, value, strict=True):
                assign(frame, part)

        return unpack
    if not isinstance(node, nodes.Name):
        compiler.fail(node, "only plain names can be set.")
    name = node.name
    if name in (LOOP, *FUNCTIONS, *OUTCOMES, *taken):
        compiler.fail(node, f'"{name}" has a meaning already and can\'t be set.', "Rename it.")
    place = compiler.variables.declare(name)
    set_known(compiler, place, parts)

    def assign(frame: Frame, value: object) -> None:
        frame.local[place] = value

    return assign


def _scoped(compiler: Compiler, body: list[nodes.Node]) -> Writer:
    """The writer of a block whose variables are its own."""
    outer, compiler.variables = compiler.variables, Variables(compiler.variables)
    write_body, variables = block(compiler, body), compiler.variables.places.values()
    compiler.variables = outer

    def write(frame: Frame, out: list[str]) -> None:
        _unset(frame, variables)
        write_body(frame, out)

    return write


def _unset(frame: Frame, variables: Iterable[int]) -> None:
    for place in variables:
        frame.local[place] = UNSET


def _kept(frame: Frame, values: Iterable[object]) -> list[Any]:
    """All values of a loop whose template asks how many there are, or which comes next."""
    kept = []
    for value in values:
        frame.budget.allocate(REFERENCE_BYTES)
        kept.append(value)
    return kept


_STATEMENTS: dict[type[nodes.Node], Callable[[Compiler, Any], Writer]] = {
    nodes.If: _if,
    nodes.For: _for,
    nodes.Assign: _set,
    nodes.AssignBlock: _set_block,
}
