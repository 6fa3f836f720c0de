"""JSON values of a workflow's text whose texts may be templates, made ready to evaluate.

A `Value` is compiled once, with the workflow. Its constant parts are frozen then and shared by
every evaluation; only the parts that hold templates are built for each evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from fanwise.context import TemplateContext
from fanwise.definition import has_template
from fanwise.errors import Place, TemplateError, TemplateSyntaxError
from fanwise.expressions import Template, compile_template
from fanwise.model import Limits, TaskResult
from fanwise.values import FrozenDict, FrozenList, freeze

Evaluate = Callable[[TemplateContext, TaskResult | None], Any]

Within: TypeAlias = Callable[[Place, str, Sequence[int]], Sequence[Place | None]]
"""Gives the places of offsets, in ascending order, in a text that begins at a place."""


def _at_start(place: Place, _text: str, offsets: Sequence[int]) -> Sequence[Place]:
    return [place] * len(offsets)


class Value:
    """A JSON value, some texts of which may be templates.

    `evaluate(context, outcome)` gives frozen JSON, in which lazy lists are still lazy, and raises
    `TemplateError` or `LimitError`. `templates` are the templates in it, in the order of the text.
    `entries` are the parts of a map that holds templates, else None. `differs_by_item` says that
    its value can be another one for each item or attempt, and `names_attempt` that it reads facts
    of the attempt. `is_broken` says that its template can't be compiled.
    """

    __slots__ = (
        "differs_by_item",
        "entries",
        "evaluate",
        "is_broken",
        "names_attempt",
        "place",
        "raw",
        "templates",
    )

    def __init__(
        self,
        raw: object,
        evaluate: Evaluate,
        templates: tuple[Template, ...],
        place: Place,
        entries: Mapping[str, Value] | None = None,
        *,
        is_broken: bool = False,
    ) -> None:
        self.raw = raw
        self.is_broken = is_broken
        self.evaluate = evaluate
        self.templates = templates
        self.place = place
        self.entries = entries
        roots = {path[0] for path in self.references}
        self.names_attempt = "attempt" in roots
        self.differs_by_item = self.names_attempt or not roots.isdisjoint(("item", "index"))

    @property
    def is_constant(self) -> bool:
        """True if it holds no template, so that `raw` is its value."""
        return not self.templates and not self.is_broken

    @property
    def references(self) -> Iterator[tuple[str, ...]]:
        """The paths that its templates name."""
        for template in self.templates:
            yield from template.references

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and (self.raw, self.place) == (other.raw, other.place)

    __hash__ = None  # type: ignore[assignment]


def truth(condition: Value, value: object) -> bool:
    """True if the condition, which gave `value`, holds. Raises `TemplateError` for a text.

    A text such as `false`, which a command prints or a file holds, would hold.
    """
    if isinstance(value, str):
        raise TemplateError(
            f"{condition.place}  this condition gave a text, which is neither true nor false.",
            hint="Compare it, as in \"{{ x == 'yes' }}\".",
        )
    return bool(value)


def compile_value(
    raw: object,
    place: Callable[..., Place],
    limits: Limits,
    refuse: Callable[[Place, TemplateSyntaxError], None],
    within: Within = _at_start,
) -> Value:
    """Compile `raw`, whose part at a path stands at `place(*path)` in the file.

    `within` tells places in the texts that stand there. Each template that can't be compiled is
    told to `refuse`, and reads as null.
    """
    if isinstance(raw, str):
        return _compile_text(raw, place(), limits, refuse, within)
    if isinstance(raw, Mapping):
        parts = {
            key: compile_value(part, _below(place, key), limits, refuse, within)
            for key, part in raw.items()
        }
        return _combine(raw, tuple(parts.values()), _dict_builder(parts), place(), parts)
    if isinstance(raw, Sequence):
        values = [
            compile_value(part, _below(place, index), limits, refuse, within)
            for index, part in enumerate(raw)
        ]
        return _combine(raw, values, _list_builder(values), place())
    return constant(raw, place())


def _compile_text(
    text: str,
    place: Place,
    limits: Limits,
    refuse: Callable[[Place, TemplateSyntaxError], None],
    within: Within,
) -> Value:
    if not has_template(text):
        return constant(text, place)
    try:
        template = compile_template(text, locate=partial(within, place), limits=limits)
    except TemplateSyntaxError as error:
        [spot] = within(place, text, [error.offset])
        refuse(spot or place, error)
        return Value(None, constant(None, place).evaluate, (), place, is_broken=True)
    return Value(text, template.evaluate, (template,), place)


def constant(raw: object, place: Place) -> Value:
    """The value that `raw` is, whatever its texts hold."""
    frozen = freeze(raw)

    def give(context: TemplateContext, outcome: TaskResult | None = None) -> Any:
        return frozen

    return Value(frozen, give, (), place)


def _combine(
    raw: object,
    parts: Sequence[Value],
    evaluate: Evaluate,
    place: Place,
    entries: Mapping[str, Value] | None = None,
) -> Value:
    templates = tuple(template for part in parts for template in part.templates)
    if not templates:
        return constant(raw, place)
    return Value(raw, evaluate, templates, place, entries)


def _dict_builder(parts: Mapping[str, Value]) -> Evaluate:
    pairs = [(key, part.evaluate) for key, part in parts.items()]

    def build(context: TemplateContext, outcome: TaskResult | None = None) -> Any:
        return FrozenDict({key: evaluate(context, outcome) for key, evaluate in pairs})

    return build


def _list_builder(parts: Sequence[Value]) -> Evaluate:
    evaluators = [part.evaluate for part in parts]

    def build(context: TemplateContext, outcome: TaskResult | None = None) -> Any:
        return FrozenList([evaluate(context, outcome) for evaluate in evaluators])

    return build


def _below(place: Callable[..., Place], step: str | int) -> Callable[..., Place]:
    return lambda *path: place(step, *path)
