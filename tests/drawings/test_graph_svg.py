"""Graphs as SVG: texts of others stay texts; words, shapes and bars tell the state of a run."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from fanwise.drawings.graph_svg import graph_svg
from fanwise.drawings.picture import Arrow, Ending, Node, Picture, Shape
from fanwise.drawings.svg import document
from fanwise.drawings.task_states import TaskState
from fanwise.reports.plain import clean
from fanwise.reports.progress import ItemProgress

SVG = "{http://www.w3.org/2000/svg}"


def picture(text: str = "a") -> Picture:
    """A picture in which every text that a workflow's author writes is `text`."""
    nodes = (Node("t0", Shape.TASK, (text, text), text), Node("t1", Shape.FAN_OUT, (text,), "b"))
    ending = Ending("finally", (Node("t2", Shape.TASK, (text,), "c"),))
    return Picture(nodes, (Arrow("t0", "t1", text), Arrow("t1", "t0")), (ending,))


def texts(drawn: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in drawn.iter(f"{SVG}text")]


@given(st.text(max_size=30).map(lambda text: f"<{text}>"))
def test_texts_of_others_are_texts(text: str):
    """Whatever they are, the drawing is well-formed, and no text of theirs becomes an element."""

    def drawn(name: str) -> ElementTree.Element:
        states = {name: TaskState("failed", name)}
        return ElementTree.fromstring(
            graph_svg(picture(name), states, title=name, href=lambda task: f"/{task}")
        )

    found = drawn(text)
    assert [each.tag for each in found.iter()] == [each.tag for each in drawn("a").iter()]
    shown = clean(text).replace("\ufffe", "").replace("\uffff", "")
    assert texts(found).count(shown) == 5


def test_a_fragment_has_no_styles_scripts_or_ids():
    """So it can stand in a page whose policy forbids inline styles, several times."""
    states = {"a": TaskState("running"), "b": TaskState("failed", "", ItemProgress(4, 4, 3, 1, 4))}
    drawn = ElementTree.fromstring(graph_svg(picture(), states, title="t", href=str))
    for each in drawn.iter():
        assert each.tag not in (f"{SVG}style", f"{SVG}script")
        assert not {key for key in each.keys() if key in ("style", "id") or key.startswith("on")}  # noqa: SIM118 - an element has no keys to iterate


def test_a_fan_out_is_one_node_with_a_bar():
    """Its parts are as wide as the shares of items that ended so; one of a million is seen."""
    items = ItemProgress(1_000_000, 500_000, 499_999, 1, 500_000)
    drawn = ElementTree.fromstring(
        graph_svg(picture(), {"b": TaskState("running", "2.00 s", items)}, title="t")
    )
    assert "running, 500,000/1,000,000 items, 1 failed, 2.00 s" in texts(drawn)
    (bar,) = (each for each in drawn.iter(f"{SVG}g") if each.get("class") == "bar")
    widths = {
        each.get("class"): float(next(each.iter(f"{SVG}rect")).get("width", 0)) for each in bar
    }
    assert widths["succeeded"] * 2 - widths["failed"] - 1 <= float(bar[0].get("width", 0))
    assert widths["failed"] == 1.0


def test_items_of_which_the_number_is_unknown_have_no_bar():
    """A bar of a stream would be a share of nothing."""
    items = ItemProgress(None, 5, 5, 0, 5)
    drawn = graph_svg(picture(), {"b": TaskState("running", "", items)}, title="t")
    assert "running, 5/? items" in drawn
    assert 'class="bar"' not in drawn


def test_a_node_is_a_link_and_says_what_comes_before_it():
    """Also to those who don't see lines."""
    drawn = ElementTree.fromstring(
        graph_svg(
            picture(), {"b": TaskState("failed")}, title="t", href=lambda name: f"tasks/{name}"
        )
    )
    links = {each.get("href"): each for each in drawn.iter(f"{SVG}a")}
    assert list(links) == ["tasks/a", "tasks/b", "tasks/c"]
    title = next(links["tasks/b"].iter(f"{SVG}title"))
    assert title.text == "a: failed; after a"


def test_a_document_has_its_colours_for_light_and_dark():
    """A file that is opened by itself has no page's stylesheet."""
    drawn = document(graph_svg(picture("</style>"), title="</desc>"))
    style = next(ElementTree.fromstring(drawn).iter(f"{SVG}style"))
    assert "prefers-color-scheme: dark" in (style.text or "")
