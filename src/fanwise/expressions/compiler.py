"""Expressions compiled into closures: each takes a `Frame` and gives the expression's value.

Everything that can be known before an evaluation is checked here: names, filters, tests, functions,
how many arguments they take, and how deep an expression is nested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeAlias

from jinja2 import nodes

from fanwise.errors import AttemptError, Place
from fanwise.expressions import calls
from fanwise.expressions.budget import ELEMENT_BYTES, REFERENCE_BYTES
from fanwise.expressions.flow import NUMBERS, SCALARS, Undefined, kind
from fanwise.expressions.frame import UNSET, Frame
from fanwise.expressions.functions import FUNCTIONS
from fanwise.expressions.lookup import element, part
from fanwise.expressions.loops import LOOP, loop_part
from fanwise.expressions.missing import nearest, nothing
from fanwise.expressions.operators import COMPARISONS, MAX_INT_BITS, calculate
from fanwise.expressions.references import ROOTS, context_path, path_of, step_of, take
from fanwise.expressions.refusal import REFUSALS, EvaluationError, located
from fanwise.expressions.scopes import Scope
from fanwise.expressions.syntax import Source
from fanwise.expressions.walks import to_text

Closure: TypeAlias = Callable[[Frame], Any]

MAX_DEPTH = 100
"""How deep an expression may be nested, and how many operators or filters may follow each other."""


class Compiler:
    """Compiles one template, and collects which names and functions it uses."""

    def __init__(self, source: Source, place: Place | None) -> None:
        self.source = source
        self.place = place
        self.scope = Scope()
        self.references: set[tuple[str, ...]] = set()
        self.functions: set[str] = set()
        self.loops_named: set[int] = set()
        """The places in `Frame.local` of the loops whose `loop` is named."""
        self._depth = 0

    def fail(self, node: nodes.Node, reason: str, hint: str = "") -> NoReturn:
        """Raise the `TemplateSyntaxError` for something that is wrong with this node."""
        raise self.source.error(reason, node.lineno or 0, hint=hint)

    @contextmanager
    def nested(self, node: nodes.Node) -> Iterator[None]:
        """Count a level of nesting for as long as a `with` statement lasts."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail(
                node,
                f"it has more than {MAX_DEPTH} operators, filters or blocks inside each other.",
                "Split it up, with set or with vars.",
            )
        yield
        self._depth -= 1

    def expression(self, node: nodes.Node) -> Closure:
        """The closure that gives the node's value. Raises `TemplateSyntaxError`."""
        compile_node = _EXPRESSIONS.get(type(node))
        if compile_node is None:
            self.fail(node, f"a {type(node).__name__.lower()} can't stand here.")
        with self.nested(node):
            return compile_node(self, node)

    def fault(self, node: nodes.Node) -> Callable[[Exception], AttemptError]:
        """What makes one of `REFUSALS` an error that names the file and quotes the node's tag."""
        tag, place = self.source.tag_at(node.lineno), self.place
        return lambda error: located(error, tag, place)

    def located(self, node: nodes.Node, finish: Callable[[Any], Any] | None = None) -> Closure:
        """The closure of a whole tag's expression, whose errors name the file and quote the tag.

        `finish` is applied to the value, and may raise one of `REFUSALS` too.
        """
        run, fault = self.expression(node), self.fault(node)

        def evaluate(frame: Frame) -> Any:
            try:
                value = run(frame)
                return value if finish is None else finish(value)
            except REFUSALS as error:
                raise fault(error) from None

        return evaluate


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

    def run(frame: Frame) -> tuple[Any, ...]:
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
            name = key(frame)
            if type(name) not in SCALARS:
                raise EvaluationError(f"{kind(name)} can't be a key.")
            result[name] = value(frame)
        return result

    return run


def _name(compiler: Compiler, node: nodes.Name) -> Closure:
    name = node.name
    if name == LOOP:
        return loop_part(compiler, node, [])
    places = compiler.scope.find(name)
    if places:
        return _variable(name, places)
    if name in ROOTS:
        return _path(compiler, node)
    if name in FUNCTIONS or name in calls.OUTCOMES:
        compiler.fail(node, f'"{name}" is a function.', f"Call it: {name}()")
    known = [*ROOTS, *calls.OUTCOMES, *FUNCTIONS, *compiler.scope.names()]
    return compiler.fail(node, f'there is no name "{name}".', nearest(name, known))


def _variable(name: str, places: list[int]) -> Closure:
    def run(frame: Frame) -> Any:
        for place in places:
            value = frame.local[place]
            if value is not UNSET:
                return value
        return nothing(f'"{name}" isn\'t set.')

    return run


def _path(compiler: Compiler, node: nodes.Expr) -> Closure:
    """A constant path, or a part of whatever stands before the last step."""
    found = path_of(node, compiler.source, MAX_DEPTH)
    if found is not None:
        name, steps = found
        if name.name == LOOP:
            return loop_part(compiler, name, steps)
        if name.name in ROOTS and not compiler.scope.find(name.name):
            path = context_path(name, steps, compiler.source)
            compiler.references.add(path.reference)
            return path.reader()
    assert isinstance(node, nodes.Getattr | nodes.Getitem)
    step, inner, owner = step_of(node), compiler.expression(node.node), described(node.node)
    if step is not None:
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
    """What messages call the value of a node."""
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

    def run(frame: Frame) -> Any:
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

    def run(frame: Frame) -> Any:
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
            yes(frame) if test(frame) else nothing("its if is false, with no else.")
        )
    no = compiler.expression(node.expr2)
    return lambda frame: yes(frame) if test(frame) else no(frame)


def _compare(compiler: Compiler, node: nodes.Compare) -> Closure:
    first = compiler.expression(node.expr)
    rest = [(COMPARISONS[it.op], compiler.expression(it.expr)) for it in node.ops]
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


_EXPRESSIONS: dict[type[nodes.Node], Callable[[Compiler, Any], Closure]] = {
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
