"""The compilers of literals, names, paths and operators: each gives the node's closure.

Names and constants are checked here, before any evaluation.
"""

from __future__ import annotations

from typing import Any

from jinja2 import nodes

from fanwise.expressions import calls
from fanwise.expressions.budget import ELEMENT_BYTES, REFERENCE_BYTES
from fanwise.expressions.compilation import MAX_DEPTH, Closure, Compiler, NodeTable
from fanwise.expressions.fixed import wrong_part, wrong_text
from fanwise.expressions.flow import NUMBERS, Undefined, kind
from fanwise.expressions.frame import UNSET, Frame
from fanwise.expressions.functions import FUNCTIONS
from fanwise.expressions.known import parts_of
from fanwise.expressions.lookup import element, map_key, part
from fanwise.expressions.loops import LOOP, loop_part
from fanwise.expressions.missing import remedy, undefined
from fanwise.expressions.operators import COMPARISONS, MAX_INT_BITS, calculate
from fanwise.expressions.references import ROOTS, context_path, path_of, step_of, take
from fanwise.expressions.refusal import EvaluationError
from fanwise.expressions.traversal import to_text


def _const(compiler: Compiler, node: nodes.Const) -> Closure:
    value = node.value
    if type(value) is int and value.bit_length() > MAX_INT_BITS:
        compiler.fail(node, "it has a number of more than 4,300 digits.")
    return lambda _frame: value


def _list(compiler: Compiler, node: nodes.List) -> Closure:
    parts = [compiler.expression(item) for item in node.items]
    size = ELEMENT_BYTES + REFERENCE_BYTES * len(parts)

    def run(frame: Frame) -> list[Any]:
        frame.budget.allocate(size)
        return [part(frame) for part in parts]

    return run


def _tuple(compiler: Compiler, node: nodes.Tuple) -> Closure:
    parts = [compiler.expression(item) for item in node.items]
    size = ELEMENT_BYTES + REFERENCE_BYTES * len(parts)

    def run(frame: Frame) -> tuple[object, ...]:
        frame.budget.allocate(size)
        return tuple([part(frame) for part in parts])

    return run


def _dict(compiler: Compiler, node: nodes.Dict) -> Closure:
    pairs = [(compiler.expression(it.key), compiler.expression(it.value)) for it in node.items]
    size = ELEMENT_BYTES * (1 + len(pairs))

    def run(frame: Frame) -> dict[Any, Any]:
        frame.budget.allocate(size)
        result = {}
        for key, value in pairs:
            result[map_key(key(frame))] = value(frame)
        return result

    return run


def _name(compiler: Compiler, node: nodes.Name) -> Closure:
    name = node.name
    if name == LOOP:
        return loop_part(compiler, node, [])
    places = compiler.variables.find(name)
    if places:
        return _variable(name, places)
    if name in ROOTS:
        return _path(compiler, node)
    if name in FUNCTIONS or name in calls.OUTCOMES:
        compiler.fail(node, f'"{name}" is a function.', f"Call it: {name}()")
    known = [*ROOTS, *calls.OUTCOMES, *FUNCTIONS, *compiler.variables.names()]
    hint = remedy(name, known) or f"A parameter is parameters.{name}, and a variable vars.{name}."
    return compiler.fail(node, f'there is no name "{name}".', hint)


def _variable(name: str, places: list[int]) -> Closure:
    def run(frame: Frame) -> object:
        for place in places:
            value = frame.local[place]
            if value is not UNSET:
                return value
        return undefined(f'"{name}" isn\'t set.')

    return run


def _path(compiler: Compiler, node: nodes.Expr) -> Closure:
    """A constant path, or a part of whatever stands before the last step."""
    found = path_of(node, compiler.source, MAX_DEPTH)
    if found is not None:
        name, steps = found
        if name.name == LOOP:
            return loop_part(compiler, name, steps)
        if name.name in ROOTS and not compiler.variables.find(name.name):
            path = context_path(name, steps, compiler.source)
            compiler.references.setdefault(path.reference, compiler.place_of(node))
            return path.reader()
    assert isinstance(node, nodes.Getattr | nodes.Getitem)
    step, inner, owner = step_of(node), compiler.expression(node.node), described(node.node)
    if step is not None:
        if fault := wrong_part(parts_of(compiler, node.node), owner, [step.key]):
            compiler.fail(node, *fault)
        return lambda frame: take(inner(frame), step, owner)
    assert isinstance(node, nodes.Getitem)
    if isinstance(node.arg, nodes.Slice):
        return _slice(compiler, inner, node.arg)
    key = compiler.expression(node.arg)
    return lambda frame: element(inner(frame), key(frame), owner, named=False)


def _slice(compiler: Compiler, inner: Closure, node: nodes.Slice) -> Closure:
    bounds = [
        (lambda _frame: None) if bound is None else compiler.expression(bound)
        for bound in (node.start, node.stop, node.step)
    ]
    return lambda frame: part(frame.budget, inner(frame), *[bound(frame) for bound in bounds])


def described(node: nodes.Expr) -> str:
    """The name of a node's value in messages."""
    if isinstance(node, nodes.Name):
        return str(node.name)
    step = step_of(node)
    if step is not None and isinstance(node, nodes.Getattr | nodes.Getitem):
        return f"{described(node.node)}{step}"
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
        return f"{node.node.name}()"
    return "the value"


def _binary(compiler: Compiler, node: nodes.BinExpr) -> Closure:
    symbol, left, right = (
        node.operator,
        compiler.expression(node.left),
        compiler.expression(node.right),
    )

    def run(frame: Frame) -> object:
        frame.budget.step()
        return calculate(symbol, frame.budget, left(frame), right(frame))

    return run


def _and(compiler: Compiler, node: nodes.And) -> Closure:
    left, right = compiler.expression(node.left), compiler.expression(node.right)
    return lambda frame: left(frame) and right(frame)


def _or(compiler: Compiler, node: nodes.Or) -> Closure:
    left, right = compiler.expression(node.left), compiler.expression(node.right)
    return lambda frame: left(frame) or right(frame)


def _not(compiler: Compiler, node: nodes.Not) -> Closure:
    inner = compiler.expression(node.node)
    return lambda frame: not inner(frame)


def _sign(compiler: Compiler, node: nodes.Neg | nodes.Pos) -> Closure:
    inner, symbol = compiler.expression(node.node), node.operator

    def run(frame: Frame) -> object:
        value = inner(frame)
        if type(value) not in NUMBERS:
            if isinstance(value, Undefined):
                value.refuse()
            raise EvaluationError(f'"{symbol}" can\'t be used with {kind(value)}.')
        return -value if symbol == "-" else +value

    return run


def _condition(compiler: Compiler, node: nodes.CondExpr) -> Closure:
    test, yes = compiler.expression(node.test), compiler.expression(node.expr1)
    if node.expr2 is None:
        return lambda frame: (
            yes(frame) if test(frame) else undefined("its if is false, with no else.")
        )
    no = compiler.expression(node.expr2)
    return lambda frame: yes(frame) if test(frame) else no(frame)


def _compare(compiler: Compiler, node: nodes.Compare) -> Closure:
    first = compiler.expression(node.expr)
    rest = [(COMPARISONS[it.op], compiler.expression(it.expr)) for it in node.ops]
    _check_texts(compiler, node)
    if len(rest) == 1:
        ((compare, second),) = rest
        return lambda frame: compare(frame.budget, first(frame), second(frame))

    def run(frame: Frame) -> bool:
        left = first(frame)
        for compare, expression in rest:
            right = expression(frame)
            if not compare(frame.budget, left, right):
                return False
            left = right
        return True

    return run


def _check_texts(compiler: Compiler, node: nodes.Compare) -> None:
    """Refuse a comparison of a status, or the like, with a text that is none."""
    left = node.expr
    for operand in node.ops:
        right = operand.expr
        if operand.op in ("eq", "ne", "in", "notin"):
            for status, texts in ((left, _members(right)), (right, _members(left))):
                for each in _members(status):
                    parts = parts_of(compiler, each)
                    faults = [
                        wrong_text(parts, it.value) for it in texts if isinstance(it, nodes.Const)
                    ]
                    for fault in filter(None, faults):
                        compiler.fail(node, *fault)
        left = right


def _members(node: nodes.Expr) -> list[nodes.Expr]:
    """The elements of a list that is written out, or the node itself."""
    return list(node.items) if isinstance(node, nodes.List | nodes.Tuple) else [node]


def _concat(compiler: Compiler, node: nodes.Concat) -> Closure:
    parts = [compiler.expression(it) for it in node.nodes]

    def run(frame: Frame) -> str:
        texts = []
        for read in parts:
            text = to_text(frame.budget, read(frame))
            frame.budget.step()
            frame.budget.text(text)
            texts.append(text)
        return "".join(texts)

    return run


NODES: NodeTable = {
    nodes.Const: _const,
    nodes.List: _list,
    nodes.Tuple: _tuple,
    nodes.Dict: _dict,
    nodes.Name: _name,
    nodes.Getattr: _path,
    nodes.Getitem: _path,
    nodes.Add: _binary,
    nodes.Sub: _binary,
    nodes.Mul: _binary,
    nodes.Div: _binary,
    nodes.FloorDiv: _binary,
    nodes.Mod: _binary,
    nodes.Pow: _binary,
    nodes.And: _and,
    nodes.Or: _or,
    nodes.Not: _not,
    nodes.Neg: _sign,
    nodes.Pos: _sign,
    nodes.CondExpr: _condition,
    nodes.Compare: _compare,
    nodes.Concat: _concat,
    nodes.Filter: calls.compile_filter,
    nodes.Test: calls.compile_test,
    nodes.Call: calls.compile_call,
}
"""The compilers of all nodes that an expression may hold."""
