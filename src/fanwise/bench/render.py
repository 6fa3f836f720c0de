"""The cost of rendering an item's input, against Jinja2's own compiled expressions and templates.

Both sides compile once and render three values for one item, over and over. Jinja2 is given the
item alone; fanwise renders in an item's context, as a fan-out does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from fanwise.bench.budget import Budget, at_least, at_most
from fanwise.bench.comparison import Comparison
from fanwise.bench.comparison import render as render_comparison
from fanwise.bench.measure import DEFAULT_ROUNDS, alternate, seconds
from fanwise.context import WorkflowContext
from fanwise.values import JsonObject, freeze

if TYPE_CHECKING:
    from rich.console import RenderableType

PATHS = ("item.name", "item.port", "item.health_endpoint")
TEXTS = (
    "https://{{ item.name }}/health",
    "{{ item.name }}:{{ item.port }}",
    "server {{ item.name }} in {{ item.region }}",
)
ITEM: JsonObject = {
    "name": "web-017",
    "region": "eu-central",
    "port": 8443,
    "health_endpoint": "https://web-017.eu-central.example.org/health",
}

FANWISE = "fanwise"
JINJA = "Jinja2"

_RENDERINGS_A_ROUND = {FANWISE: 20_000, JINJA: 2_000}

Render = Callable[[], Sequence[object]]
"""Renders three values for the item."""


class RenderFigures(msgspec.Struct, frozen=True):
    """The time of rendering three paths, and of rendering three texts."""

    paths: Comparison
    texts: Comparison


def compare(*, rounds: int = DEFAULT_ROUNDS) -> RenderFigures:
    """Measure; it takes a second or two."""
    return RenderFigures(
        paths=_compare("Rendering three `{{ item.x }}`", path_renders(), rounds),
        texts=_compare("Rendering three short texts", text_renders(), rounds),
    )


def path_renders() -> dict[str, Render]:
    """Functions by which each side renders `PATHS`."""
    from jinja2 import Environment

    environment = Environment(autoescape=False)
    one, two, three = [environment.compile_expression(path) for path in PATHS]
    item = ITEM
    return {
        JINJA: lambda: (one(item=item), two(item=item), three(item=item)),
        FANWISE: _fanwise_render([f"{{{{ {path} }}}}" for path in PATHS]),
    }


def text_renders() -> dict[str, Render]:
    """Functions by which each side renders `TEXTS`."""
    from jinja2 import Environment

    environment = Environment(autoescape=False)
    one, two, three = [environment.from_string(text).render for text in TEXTS]
    item = ITEM
    return {
        JINJA: lambda: (one(item=item), two(item=item), three(item=item)),
        FANWISE: _fanwise_render(TEXTS),
    }


def _fanwise_render(texts: Sequence[str]) -> Render:
    from fanwise.expressions import compile_template

    one, two, three = [compile_template(text) for text in texts]
    context = WorkflowContext().for_item(freeze(ITEM), 0)
    return lambda: (one.evaluate(context), two.evaluate(context), three.evaluate(context))


def _compare(what: str, renders: dict[str, Render], rounds: int) -> Comparison:
    def timed(side: str) -> Callable[[], float]:
        render, count = renders[side], _RENDERINGS_A_ROUND[side]

        def job() -> None:
            for _ in range(count):
                render()

        return lambda: seconds(job) / count

    return Comparison(
        what=what,
        baseline=JINJA,
        rounds=rounds,
        seconds=alternate({side: timed(side) for side in renders}, rounds),
    )


def render(figures: RenderFigures) -> RenderableType:
    """A table for the paths and one for the texts."""
    from rich.console import Group

    return Group(render_comparison(figures.paths), render_comparison(figures.texts))


def budgets(figures: RenderFigures) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    paths, texts = figures.paths, figures.texts
    return [
        at_most("rendering three `{{ item.x }}`", 0.5e-6, "seconds", paths.seconds[FANWISE]),
        at_most("rendering three short texts", 3e-6, "seconds", texts.seconds[FANWISE]),
        at_least(
            "speed of rendering three `{{ item.x }}` against Jinja2",
            15,
            "times",
            paths.speed(FANWISE),
        ),
    ]
