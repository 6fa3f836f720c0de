"""Templates: text of a workflow that is compiled once and evaluated for many contexts.

A value that a template gives is data: it is never compiled, whatever it holds. What an evaluation
gives follows from the text, the context and the outcome alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from jinja2 import nodes

from fanwise.context import TemplateContext
from fanwise.errors import AttemptError, Place
from fanwise.expressions.compilation import MAX_DEPTH, Closure, Compiler
from fanwise.expressions.fast import text_reader, value_reader
from fanwise.expressions.fixed import wrong_part
from fanwise.expressions.flow import SCALARS, OnePass
from fanwise.expressions.frame import Frame
from fanwise.expressions.known import element_of, parts_of
from fanwise.expressions.nodes import NODES
from fanwise.expressions.references import NAMED, ROOTS, ValuePath, context_path, path_of
from fanwise.expressions.refusal import REFUSALS, located
from fanwise.expressions.statements import Writer, block
from fanwise.expressions.syntax import TemplateText
from fanwise.expressions.traversal import freeze_result
from fanwise.model import Limits, TaskResult
from fanwise.values import LazyList

_DEFAULT_LIMITS = Limits()

Locate: TypeAlias = Callable[[str, Sequence[int]], Sequence[Place | None]]
"""Gives the places of offsets in a text, in ascending order."""


def _nowhere(_text: str, offsets: Sequence[int]) -> Sequence[None]:
    return [None] * len(offsets)


class Template:
    """A compiled text.

    `references` are the constant paths that it names, such as `("task", "fetch", "output", "url")`;
    a constant number ends a path. `functions` are those of `result error succeeded failed
    timed_out skipped` that it calls. Both have the place of the first tag that names them. `places`
    are those of the text itself and of its tags. `is_expression` says that it is one sole
    `{{ expression }}`, whose value keeps its type; everything else gives text.

    `evaluate(context, outcome=None)` gives the frozen value for a `WorkflowContext` or an
    `ItemContext`. `outcome` is the `TaskResult` that `result()` and the like read. A paged list
    that is named alone comes as the `LazyList` that it is. Raises `TemplateError`, or `LimitError`
    where the limits on templates are reached; messages quote the text and never a value.
    """

    __slots__ = (
        "_each",
        "_limits",
        "_run",
        "_size",
        "evaluate",
        "functions",
        "is_expression",
        "places",
        "references",
        "text",
    )

    evaluate: Callable[..., object]

    def __init__(self, text: str, locate: Locate, limits: Limits) -> None:
        source = TemplateText(text)
        body = source.parse()
        self.places = locate(source.text, [0, *source.tags])
        compiler = Compiler(source, self.places, NODES)
        sole = _sole_expression(body)
        self.text = text
        self.is_expression = sole is not None
        self._limits = limits
        self._run = _text(block(compiler, body)) if sole is None else compiler.expression(sole)
        self._each = element_of(parts_of(compiler, sole))
        self._size = next(compiler.variables.numbers)
        self.references = compiler.references
        self.functions = compiler.functions
        if sole is not None:
            path = _path(sole, source)
            self.evaluate = self._evaluate if path is None else value_reader(path, self._evaluate)
        else:
            parts = _text_parts(body, source)
            self.evaluate = self._evaluate if parts is None else text_reader(parts, self._evaluate)

    def __repr__(self) -> str:
        return f"<Template {self.text!r}>"

    def wrong_part_of_item(self, path: Sequence[str]) -> tuple[str, str] | None:
        """The fault of a path into `item` that no element of this list can have, and a hint."""
        return wrong_part(self._each, "item", path)

    def _evaluate(self, context: TemplateContext, outcome: TaskResult | None = None) -> Any:
        frame = Frame(context, outcome, self._limits, self._size)
        try:
            return _given(frame, self._run(frame))
        except REFUSALS as error:
            raise self._located(error) from None

    def _located(self, error: Exception) -> AttemptError:
        return located(error, self.text, self.places[-1 if self.is_expression else 0])

    def stream(self, context: TemplateContext, outcome: TaskResult | None = None) -> Any:
        """As `evaluate`, but a list that is filtered lazily comes as an iterator.

        It reads its list as it is consumed, and starts with a new budget for each element. It
        raises what `evaluate` raises, when an element is asked for.
        """
        frame = Frame(context, outcome, self._limits, self._size)
        try:
            value = self._run(frame)
            if isinstance(value, OnePass):
                return self._elements(frame, value)
            return _given(frame, value)
        except REFUSALS as error:
            raise self._located(error) from None

    def _elements(self, frame: Frame, values: Iterable[object]) -> Iterator[object]:
        try:
            for value in values:
                yield freeze_result(frame.budget, value)
                frame.budget.renew()
        except REFUSALS as error:
            raise self._located(error) from None


def compile_template(
    text: str, *, locate: Locate = _nowhere, limits: Limits = _DEFAULT_LIMITS
) -> Template:
    """Compile a text that may hold templates.

    `locate` gives the places of the text and its tags in its file, for the messages of errors.
    Raises `TemplateSyntaxError`.
    """
    return Template(text, locate, limits)


def _given(frame: Frame, value: object) -> Any:
    # To ask whether a number is a list takes longer than all the rest.
    if type(value) not in SCALARS and isinstance(value, LazyList):
        return value
    return freeze_result(frame.budget, value)


def _sole_expression(body: list[nodes.Node]) -> nodes.Expr | None:
    """The expression that the template consists of, if it is one with only white space around."""
    if len(body) != 1 or not isinstance(body[0], nodes.Output):
        return None
    parts = [
        part
        for part in body[0].nodes
        if not (isinstance(part, nodes.TemplateData) and part.data.isspace())
    ]
    return parts[0] if len(parts) == 1 and not isinstance(parts[0], nodes.TemplateData) else None


def _text(write: Writer) -> Closure:
    def run(frame: Frame) -> str:
        texts: list[str] = []
        write(frame, texts)
        return "".join(texts)

    return run


def _text_parts(body: list[nodes.Node], source: TemplateText) -> list[str | ValuePath] | None:
    """The texts and paths that a template consists of, if it has nothing else."""
    parts: list[str | ValuePath] = []
    for node in body:
        if not isinstance(node, nodes.Output):
            return None
        for part in node.nodes:
            found = part.data if isinstance(part, nodes.TemplateData) else _path(part, source)
            if found is None:
                return None
            parts.append(found)
    return parts


def _path(node: nodes.Expr, source: TemplateText) -> ValuePath | None:
    """The constant path that a node is, if it can be read without more ado."""
    found = path_of(node, source, MAX_DEPTH)
    # A secret or a key that is missing is undefined, which has to be noticed.
    if found is None or found[0].name not in ROOTS or found[0].name in NAMED:
        return None
    return context_path(*found, source)
