"""Fragments as text: escaping, bars and fields, without a browser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from fanwise.definition import load
from fanwise.model import Role
from fanwise.server.page import rendering
from fanwise.server.page.addresses import Addresses
from fanwise.server.page.bars import bar
from fanwise.server.page.views.fields import fields_of


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_a_bar_shows_every_part_and_never_more_than_all(ok: int, bad: int, other: int) -> None:
    """The parts of a bar lie within it, and the smallest count can be seen."""
    text = bar(ok + bad + other, ok, bad, other)
    widths = [float(part.split('%"')[0]) for part in text.split('width="')[1:]]
    starts = [float(part.split('%"')[0]) for part in text.split(' x="')[1:]]
    assert len(widths) == sum(count > 0 for count in (ok, bad, other))
    assert all(width >= 0.6 for width in widths)
    assert all(x >= 0 and x + width <= 100.02 for x, width in zip(starts, widths, strict=True))


def test_addresses_keep_every_name_a_name() -> None:
    """A slash, a bracket or a question mark in a name doesn't become part of the path."""
    address = Addresses("/tools/")
    assert address("runs", "a/b", "tasks", "x[1].y?") == "/tools/runs/a%2Fb/tasks/x%5B1%5D.y%3F"
    assert address("runs", q="", before=None) == "/tools/runs"
    assert address("runs", q="tag:a b") == "/tools/runs?q=tag%3Aa%20b"


def test_a_span_that_is_only_estimated_is_told_in_whole_seconds() -> None:
    """Smaller parts of it would change all the time."""
    about = rendering.environment().filters["about"]
    assert [about(each) for each in (0.02, 53.2, 90.4)] == ["1 s", "54 s", "1 min 30 s"]


@pytest.mark.parametrize("text", ["<b>", "a\x00b", "\u202eright", "\x1b[31mred", '"><script>'])
def test_no_text_leaves_its_place(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of others is escaped, and has no control characters left."""
    environment = rendering.environment()
    shown = environment.from_string('<p title="{{ text }}">{{ text }}</p>').render(text=text)
    inside = shown.removeprefix('<p title="').removesuffix("</p>")
    assert "<" not in inside.replace('">', "", 1)
    assert not any(ord(letter) < 32 or letter == "\u202e" for letter in shown)


def test_markup_of_our_own_is_kept() -> None:
    """What a filter makes is markup, whose texts are escaped already."""
    environment = rendering.environment()
    shown = environment.from_string("{{ at|age }}{{ made }}").render(at=0.0, made=Markup("<b/>"))
    assert shown.startswith("<time ")
    assert shown.endswith("<b/>")
    assert Role.READ


def test_fields_have_the_control_of_their_type() -> None:
    """Each declared type has its control, and a value that is given fills it."""
    declared = load(
        """
        parameters:
          name: {type: string, required: true, description: Whose}
          count: {type: integer, minimum: 1}
          on: {type: boolean, default: true}
          colour: {type: string, choices: [red, blue], default: red}
          list: {type: array, default: [1]}
          secret: {type: string, secret: true}
          any: {}
        tasks: [{name: a, action: core.noop}]
        """,
        file="flow.yaml",
    ).parameters
    found = {field.name: field for field in fields_of(declared, {"name": "Ada", "secret": None})}
    assert {name: field.control for name, field in found.items()} == {
        "name": "text",
        "count": "number",
        "on": "check",
        "colour": "choice",
        "list": "json",
        "secret": "secret",
        "any": "json",
    }
    assert found["name"].value == "Ada"
    assert found["name"].is_required
    assert found["on"].value == "true"
    assert found["list"].value == "[1]"
    assert found["colour"].choices == ["red", "blue"]
    assert found["secret"].value == ""
