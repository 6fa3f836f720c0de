"""Text for people and for programs: cleaned, aligned, bounded."""

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from fanwise.cli.text.kinds import digest_lines
from fanwise.cli.text.output import as_json
from fanwise.cli.text.render import table
from fanwise.model import ErrorKind
from fanwise.reports.kinds import Digest
from fanwise.reports.plain import clean, clean_lines, shorten
from fanwise.units import show_span

hostile = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("\x1b\x9b\x00\r\n\t[31m\u202e\u2028\x7f"),
    )
)


@settings(deadline=None)
@given(hostile)
def test_cleaned_text_holds_no_control_characters(text: str):
    """Nothing that a terminal obeys is left, and one line stays one line."""
    assert not any(unicodedata.category(letter) == "Cc" for letter in clean(text))
    assert len(clean(text).splitlines()) <= 1
    left = clean_lines(text).replace("\n", "")
    assert not any(unicodedata.category(letter) == "Cc" for letter in left)


@settings(deadline=None)
@given(st.dictionaries(hostile, hostile), st.booleans())
def test_json_says_what_it_was_given_without_control_characters(value, pretty: bool):
    """What a terminal obeys is escaped, so the text reads back as the same value."""
    text = as_json(value, pretty=pretty)
    assert json.loads(text) == value
    controls = {letter for letter in text if unicodedata.category(letter) == "Cc"}
    assert controls <= {"\n"}
    assert "\u202e" not in text


@settings(deadline=None)
@given(hostile, st.integers(5, 50))
def test_shortened_text_is_never_longer_than_asked_for(text: str, width: int):
    """Whatever it holds."""
    assert len(shorten(text, width)) <= width


def test_escape_sequences_go_as_a_whole():
    """Not only their first character."""
    assert clean("a \x1b[1;31mred\x1b[0m\tb") == "a red b"


def test_tables_align_by_the_width_on_screen():
    """Wide characters take two columns; headings with `>` are set to the right."""
    lines = table(("NAME", "N>", "REST"), [("日本", "5", "x"), ("a", "1,000", "")])
    assert lines == ["NAME      N  REST", "日本      5  x", "a     1,000"]


@pytest.mark.parametrize(
    ("span_s", "shown"),
    [
        (0.0004, "0 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (59.99, "59.99 s"),
        (59.999, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (None, ""),
    ],
)
def test_spans_read_well(span_s, shown: str):
    """Rounding never gives 1000 ms or 60 s."""
    assert show_span(span_s) == shown


def test_few_kinds_are_shown_however_many_there_are():
    """The others are counted together."""
    kinds = [ErrorKind(number, "E", "no", 1, number, None, "no") for number in range(1, 1_001)]
    lines = digest_lines(Digest(kinds, 2_500, 1_500), None)
    assert len(lines) < 15
    assert lines[-1] == "and 2,490 more of other kinds"


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text("ab_", min_size=1, max_size=60),
            st.text("1234", max_size=4),
            st.text("ab 好é", max_size=200).map(lambda text: " ".join(text.split())),
        ),
        max_size=5,
    ),
    st.integers(40, 200),
)
def test_a_table_fits_its_width_and_loses_no_text(rows, width):
    """Its last column is broken between words; a name keeps its beginning and its end."""
    lines = table(["TASK", "ITEMS>", "ERROR"], rows, width=width)
    assert all(cell_len(line) <= width for line in lines)
    shown = "".join("".join(lines[1:]).split())
    for name, _, text in rows:
        assert name[:4] in shown
        assert name[-4:] in shown
        assert all(word in shown for word in text.split() if len(word) < 10)


@given(st.text("ab_", min_size=1, max_size=40), st.integers(20, 80))
def test_a_table_of_many_columns_fits_its_width_too(name: str, width: int):
    """Where a row doesn't fit a line it takes several, with the names of the columns."""
    headings = ["TASK", "STATUS", "TIME>", "ITEMS>", "FAILED>", "ATTEMPTS>", "ERROR"]
    row = (name, "failed", "1 min 2 s", "500/2,000", "3", "1,500", "")
    lines = table(headings, [row], width=width)
    assert all(cell_len(line) <= width and line.strip() for line in lines)
    shown = "\n".join(lines)
    assert name[:4] in shown
    assert name[-4:] in shown
    assert all(heading.rstrip(">") in shown for heading in headings[1:-1])
    assert all(cell.split()[0] in shown for cell in row[1:-1])


def test_a_table_in_a_pipe_has_a_line_for_each_row():
    """Whatever the length of its texts."""
    assert table(["A", "ERROR"], [("a", "x " * 500)])[1] == f"a  {'x ' * 500}".rstrip()
