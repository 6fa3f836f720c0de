"""The picture of memory: it shows the measured points at their places, and can be read anywhere."""

import subprocess
import sys
from collections.abc import Iterator
from xml.etree import ElementTree

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from source import ROOT

from fanwise.bench.context import compare
from fanwise.bench.contexts import DEEP_COPY, FANWISE, JSON_COPY
from fanwise.units import show_bytes
from tools.memory_picture import Points, log_plot

SVG = "{http://www.w3.org/2000/svg}"


def draw(curves: dict[str, Points], **words: str) -> ElementTree.Element:
    texts = {"title": "A plot", "x_title": "items", "y_title": "memory", **words}
    return ElementTree.fromstring(log_plot(curves, show_y=show_bytes, **texts))


def texts(picture: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in picture.iter(f"{SVG}text")]


def places(picture: ElementTree.Element) -> Iterator[list[tuple[float, float]]]:
    """Where the points of each curve stand."""
    for line in picture.iter(f"{SVG}polyline"):
        pairs = (pair.split(",") for pair in line.attrib["points"].split())
        yield [(float(x), float(y)) for x, y in pairs]


def test_axes_have_their_decades_with_units_and_titles() -> None:
    """Each power of ten is labelled, memory with its unit."""
    shown = texts(draw({"flat": [(1, 40), (1_000, 40)]}))

    assert {"1", "10", "100", "1,000", "10 B", "100 B", "items", "memory", "flat"} <= set(shown)


def test_a_decade_is_as_long_anywhere() -> None:
    """On logarithmic axes ten times as much is always the same step, to the right and upwards."""
    (points,) = places(draw({"rising": [(1, 10), (10, 100), (100, 1_000)]}))
    (x0, y0), (x1, y1), (x2, y2) = points

    assert x1 - x0 == x2 - x1 > 0
    assert y1 - y0 == y2 - y1 < 0


def test_each_point_is_drawn_and_no_other() -> None:
    """What isn't measured isn't shown: as many marks as points, each on its curve's line."""
    picture = draw({"few": [(1, 10), (5, 50)], "many": [(1, 20), (5, 40), (100, 60)]})
    marks = [(float(m.attrib["cx"]), float(m.attrib["cy"])) for m in picture.iter(f"{SVG}circle")]

    assert marks == [point for curve in places(picture) for point in curve]
    assert len(marks) == 5


def test_names_are_text_and_no_markup() -> None:
    """A name with signs of XML stands in the picture as it is."""
    assert "a < b & c" in texts(draw({"a < b & c": [(1, 1)]}, title="<title>"))


def test_it_has_a_background_and_colours_for_the_dark() -> None:
    """It can be read on a light and on a dark page."""
    drawn = log_plot({"a": [(1, 1)]}, title="", x_title="", y_title="", show_y=str)

    assert 'class="paper"' in drawn
    assert "prefers-color-scheme: dark" in drawn


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 10**7), st.integers(1, 10**12)), min_size=1),
        min_size=1,
        max_size=3,
    )
)
def test_every_point_is_within_the_picture(curves: list[list[tuple[int, int]]]) -> None:
    """Whatever the sizes, nothing is drawn outside."""
    picture = draw({str(number): curve for number, curve in enumerate(curves)})
    _, _, width, height = map(float, picture.attrib["viewBox"].split())

    for curve in places(picture):
        assert all(0 < x < width and 0 < y < height for x, y in curve)


def test_the_tool_draws_the_figures_that_the_benchmark_prints() -> None:
    """Each way by its name and the size of the context, without the page around it."""
    small = compare(
        rounds=1,
        items=2,
        context_bytes=100_000,
        sizes_bytes=(1_000,),
        copied=(1, 3),
        shared=(1, 10),
    )
    printed = msgspec.json.encode({"context": {"figures": small, "budgets": []}})
    command = [sys.executable, "tools/memory_picture.py"]
    drawn = subprocess.run(command, input=printed, capture_output=True, check=True, cwd=ROOT).stdout
    shown = texts(ElementTree.fromstring(drawn))
    assert {DEEP_COPY, JSON_COPY, FANWISE} <= set(shown)
    assert any("100 KB of task results" in text for text in shown)
