"""Filters, tests, functions and methods compiled into closures.

Their names and arguments are checked against the table. The names that `map`, `select` and the like
are given, and the parts that `attribute` names, are constants and are looked up here, too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from jinja2 import nodes

from fanwise.errors import AttemptTimeoutError
from fanwise.expressions.attributes import call_method
from fanwise.expressions.compilation import Closure, Compiler
from fanwise.expressions.filters.dates import zone_of
from fanwise.expressions.filters.patterns import compiled
from fanwise.expressions.frame import Frame
from fanwise.expressions.functions import FILTERS, FUNCTIONS, METHOD_NAMES, TESTS, Function
from fanwise.expressions.known import wrong_attribute
from fanwise.expressions.loops import LOOP, loop_call
from fanwise.expressions.missing import ELSEWHERE, remedy
from fanwise.expressions.refusal import EvaluationError
from fanwise.model import Status, TaskResult


def _timed_out(outcome: TaskResult) -> bool:
    failed = outcome.status is Status.FAILED and outcome.error is not None
    return failed and outcome.error.type == AttemptTimeoutError.type  # type: ignore[union-attr]


OUTCOMES: dict[str, Callable[[TaskResult], Any]] = {
    "result": lambda outcome: outcome.output,
    "error": lambda outcome: None if outcome.error is None else outcome.error.as_value(),
    "succeeded": lambda outcome: outcome.status is Status.SUCCEEDED,
    "failed": lambda outcome: outcome.status is Status.FAILED,
    "timed_out": _timed_out,
    "skipped": lambda outcome: outcome.status is Status.SKIPPED,
}
"""The functions that read the outcome of the task that a template belongs to."""

_LOOKED_UP: dict[str, tuple[str, Mapping[str, Function]]] = {
    "function": ("filter", FILTERS),
    "test": ("test", TESTS),
}
"""The parameters of filters that take the name of a filter or a test."""

_PASSED_ON = {"function": ("attribute", "default")}
"""The parameters of `map` that are its filter's, if it has one."""

_CHECKED: dict[str, Callable[[str], object]] = {"pattern": compiled, "tz": zone_of}
"""The parameters whose constant texts are checked with the workflow."""

_Calling: TypeAlias = nodes.Call | nodes.Filter | nodes.Test


def compile_filter(compiler: Compiler, node: nodes.Filter) -> Closure:
    """The closure of `value | name(...)`. Raises `TemplateSyntaxError`."""
    assert node.node is not None
    return _applied(compiler, node, node.node, _named(compiler, node, node.name, "filter", FILTERS))


def compile_test(compiler: Compiler, node: nodes.Test) -> Closure:
    """The closure of `value is name(...)`. Raises `TemplateSyntaxError`."""
    return _applied(compiler, node, node.node, _named(compiler, node, node.name, "test", TESTS))


def compile_call(compiler: Compiler, node: nodes.Call) -> Closure:
    """The closure of a function's or a method's call. Raises `TemplateSyntaxError`."""
    called = node.node
    if isinstance(called, nodes.Getattr):
        if isinstance(called.node, nodes.Name) and called.node.name == LOOP:
            return loop_call(compiler, node, called.node, called.attr)
        return _method(compiler, node, called)
    if not isinstance(called, nodes.Name):
        compiler.fail(node, "only functions and methods can be called.")
    name = called.name
    if name in OUTCOMES:
        return _outcome(compiler, node, name)
    if name in FUNCTIONS:
        return _function(compiler, node, FUNCTIONS[name])
    return compiler.fail(
        called, f'there is no function "{name}".', _instead(name, [*OUTCOMES, *FUNCTIONS])
    )


def _instead(name: str, known: list[str]) -> str:
    hint = remedy(name, known)
    return f"It is a filter: | {name}" if name in FILTERS and name not in ELSEWHERE else hint


def _outcome(compiler: Compiler, node: nodes.Call, name: str) -> Closure:
    if node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
        compiler.fail(node, f"{name}() takes no arguments.")
    compiler.functions.setdefault(name, compiler.place_of(node))
    read = OUTCOMES[name]

    def run(frame: Frame) -> object:
        if frame.outcome is None:
            raise EvaluationError(
                f"{name}() is known only after a task, in its publish, next or retry."
            )
        return read(frame.outcome)

    return run


def _function(compiler: Compiler, node: nodes.Call, function: Function) -> Closure:
    args, kwargs = _arguments(compiler, node, function, taken=1)

    def run(frame: Frame) -> object:
        given = {name: arg(frame) for name, arg in kwargs.items()}
        return function(frame.budget, *[arg(frame) for arg in args], **given)

    return run


def _method(compiler: Compiler, node: nodes.Call, called: nodes.Getattr) -> Closure:
    name = called.attr
    if name not in METHOD_NAMES:
        known = sorted(METHOD_NAMES)
        compiler.fail(called, f'there is no method "{name}".', _instead(name, known))
    _refuse_unpacking(compiler, node)
    inner = compiler.expression(called.node)
    args = [compiler.expression(arg) for arg in node.args]
    kwargs = {keyword.key: compiler.expression(keyword.value) for keyword in node.kwargs}

    def run(frame: Frame) -> object:
        value, budget = inner(frame), frame.budget
        given = {name: arg(frame) for name, arg in kwargs.items()}
        return call_method(budget, value, name, [arg(frame) for arg in args], given)

    return run


def _applied(
    compiler: Compiler, node: nodes.Filter | nodes.Test, subject: nodes.Expr, function: Function
) -> Closure:
    inner = compiler.expression(subject)
    args, kwargs = _arguments(compiler, node, function, taken=2, subject=subject)
    if not args and not kwargs:
        return lambda frame: function(frame.budget, inner(frame))

    def run(frame: Frame) -> object:
        value = inner(frame)
        given = {name: arg(frame) for name, arg in kwargs.items()}
        return function(frame.budget, value, *[arg(frame) for arg in args], **given)

    return run


def _named(
    compiler: Compiler, node: nodes.Node, name: str, what: str, table: Mapping[str, Function]
) -> Function:
    if name not in table:
        compiler.fail(node, f'there is no {what} "{name}".', remedy(name, table))
    return table[name]


def _arguments(
    compiler: Compiler,
    node: _Calling,
    function: Function,
    *,
    taken: int,
    subject: nodes.Expr | None = None,
) -> tuple[list[Closure], dict[str, Closure]]:
    """The closures of the arguments that follow the `taken` first ones, which fanwise gives.

    `subject` is the value that a filter or a test is applied to.
    """
    _refuse_unpacking(compiler, node)
    keywords: dict[str, Any] = {str(given.key): given.value for given in node.kwargs}
    bound = _bind(compiler, node, function, [None] * taken + node.args, keywords)
    attribute = bound.arguments.get("attribute")
    if attribute is not None and not isinstance(attribute, nodes.Const):
        compiler.fail(node, f'{function.title} needs a constant attribute, such as "name".')
    if attribute is not None and (fault := wrong_attribute(compiler, subject, attribute.value)):
        compiler.fail(node, *fault)
    for parameter in _LOOKED_UP.keys() & bound.arguments.keys():
        _look_up(compiler, node, parameter, bound)

    def closure(argument: object) -> Closure:
        if isinstance(argument, nodes.Node):
            return compiler.expression(argument)
        return lambda _frame: argument

    args = [closure(argument) for argument in bound.args[taken:]]
    return args, {name: closure(argument) for name, argument in bound.kwargs.items()}


def _look_up(
    compiler: Compiler, node: _Calling, parameter: str, bound: inspect.BoundArguments
) -> None:
    """Put the filter or test itself in the place of its name."""
    what, table = _LOOKED_UP[parameter]
    given = bound.arguments[parameter]
    if not isinstance(given, nodes.Const) or not isinstance(given.value, str):
        compiler.fail(node, f"the name of a {what} must be a constant text.")
    function = _named(compiler, node, given.value, what, table)
    if function.signature.parameters.keys() & _LOOKED_UP.keys():
        compiler.fail(node, f"{function.title} can't be applied by name.")
    passed = _PASSED_ON.get(parameter, ())
    shared = {name: bound.arguments[name] for name in passed if name in bound.arguments}
    keywords = {**shared, **bound.arguments.get("kwargs", {})}
    _bind(compiler, node, function, [None, None, *bound.arguments.get("args", ())], keywords)
    bound.arguments[parameter] = function


def _bind(
    compiler: Compiler, node: _Calling, function: Function, args: list[Any], kwargs: dict[str, Any]
) -> inspect.BoundArguments:
    try:
        bound = function.signature.bind(*args, **kwargs)
    except TypeError as error:
        compiler.fail(node, f"{function.title} is called wrongly: {error}.")
    for name, check in _CHECKED.items():
        given = bound.arguments.get(name)
        if isinstance(given, nodes.Const) and isinstance(given.value, str):
            try:
                check(given.value)
            except EvaluationError as error:
                compiler.fail(node, error.reason, error.hint)
    return bound


def _refuse_unpacking(compiler: Compiler, node: _Calling) -> None:
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        compiler.fail(node, "arguments can't be unpacked with * or **.")
    names = [keyword.key for keyword in node.kwargs]
    if len(set(names)) < len(names):
        compiler.fail(node, "an argument is given twice.")
