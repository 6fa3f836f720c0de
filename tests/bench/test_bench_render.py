"""The rendering benchmark: both sides render the same."""

from io import StringIO

from rich.console import Console

from fanwise.bench.render import FANWISE, ITEM, JINJA, compare, path_renders, render, text_renders


def test_both_sides_render_the_same_paths() -> None:
    """A side that computes something else would be compared with nothing."""
    renders = path_renders()

    expected = [ITEM["name"], ITEM["port"], ITEM["health_endpoint"]]
    assert {side: list(renders[side]()) for side in renders} == {JINJA: expected, FANWISE: expected}


def test_both_sides_render_the_same_texts() -> None:
    """The texts are equal, to the letter."""
    renders = text_renders()

    expected = ["https://web-017/health", "web-017:8443", "server web-017 in eu-central"]
    assert {side: list(renders[side]()) for side in renders} == {JINJA: expected, FANWISE: expected}


def test_the_figures_are_shown() -> None:
    """There is a table for paths and one for texts, with Jinja2 as the baseline."""
    output = StringIO()
    figures = compare(rounds=1)
    Console(file=output, width=100).print(render(figures))

    assert figures.paths.baseline == figures.texts.baseline == JINJA
    assert "three `{{ item.x }}`" in output.getvalue()
    assert "three short texts" in output.getvalue()
