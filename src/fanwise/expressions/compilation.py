"""Compiles the nodes of one template into closures, with a table that it is given.

This module knows no node: `template.py` hands in the table, and the compilers of nodes call back
with the parts of theirs. How deep an expression may be nested is checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeAlias

from jinja2 import nodes

from fanwise.errors import AttemptError, Place
from fanwise.expressions.fixed import Parts
from fanwise.expressions.frame import Frame
from fanwise.expressions.refusal import REFUSALS, located
from fanwise.expressions.syntax import TemplateText
from fanwise.expressions.variables import Variables

Closure: TypeAlias = Callable[[Frame], Any]

MAX_DEPTH = 100
"""The most levels of an expression, and the most operators or filters in a row."""


class Compiler:
    """Compiles one template, and collects which names and functions it uses."""

    def __init__(
        self, source: TemplateText, places: Sequence[Place | None], table: NodeTable
    ) -> None:
        """`places` are those of the text and its tags in its file."""
        self.source = source
        self._places = places
        self.variables = Variables()
        self.known: dict[int, Parts] = {}
        """The fixed parts of variables, by their places in `Frame.local`."""
        self.references: dict[tuple[str, ...], Place | None] = {}
        self.functions: dict[str, Place | None] = {}
        self.loops_named: set[int] = set()
        """The places in `Frame.local` of the loops whose `loop` is named."""
        self.nodes = 0
        """The expressions of the block that is compiled: steps that each run of it takes."""
        self._table = table
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
        compile_node = self._table.get(type(node))
        if compile_node is None:
            self.fail(node, f"a {type(node).__name__.lower()} can't stand here.")
        self.nodes += 1
        with self.nested(node):
            return compile_node(self, node)

    def place_of(self, node: nodes.Node) -> Place | None:
        """The place of the tag around a node."""
        return self._places[self.source.number_of_tag(node.lineno) + 1]

    def fault(self, node: nodes.Node) -> Callable[[Exception], AttemptError]:
        """A converter of `REFUSALS` into errors that name the file and quote the node's tag."""
        tag, place = self.source.tag_at(node.lineno), self.place_of(node)
        return lambda error: located(error, tag, place)

    def located(self, node: nodes.Node, finish: Callable[[Any], Any] | None = None) -> Closure:
        """The closure of a whole tag's expression, whose errors name the file and quote the tag.

        `finish` is applied to the value, and may raise one of `REFUSALS` too.
        """
        run, fault = self.expression(node), self.fault(node)

        def evaluate(frame: Frame) -> object:
            try:
                value = run(frame)
                return value if finish is None else finish(value)
            except REFUSALS as error:
                raise fault(error) from None

        return evaluate


NodeTable: TypeAlias = Mapping[type[nodes.Node], Callable[[Compiler, Any], Closure]]
"""For each kind of node, the function that compiles it."""
