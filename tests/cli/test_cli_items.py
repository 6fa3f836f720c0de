"""`fanwise items`: choosing items, going on page by page, CSV."""

from __future__ import annotations

import csv
import io
import json
import shlex
import shutil
from pathlib import Path
from unicodedata import category

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fanwise as library
from fanwise.errors import UsageError
from fanwise.model import ItemOutcome, Status
from fanwise.reports.item_csv import CSV_COLUMNS, csv_lines
from fanwise.reports.items import read_spans
from fanwise.values import encode

FLOW = """\
name: flow
tasks:
  - name: each
    action: my.check
    with-items: {range: 300}
    label: "no {{ item }}"
    tolerate: 100%
    input: {n: "{{ item }}"}
"""
ACTIONS = """\
import fanwise

@fanwise.action("my.check")
async def check(n: int) -> str:
    if n % 100 == 7:
        raise {0: KeyError, 1: ValueError, 2: ValueError}[n // 100](n)
    return "ok"
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A store with a run of 300 items."""
    folder = tmp_path_factory.mktemp("items")
    (folder / "flow.yaml").write_text(FLOW)
    (folder / "actions.py").write_text(ACTIONS)
    library.run(folder / "flow.yaml", store=str(folder / "runs.db"), run_id="r")
    return folder / "runs.db"


@pytest.fixture
def fanwise(recorded, folder, fanwise):
    """The command line where this run is recorded."""
    shutil.copy(recorded, folder)
    return fanwise


def found(fanwise, *words: str) -> list[int]:
    told = fanwise("items", "r", "each", "--json", *words)
    assert told.status == 0, told.err
    return [json.loads(line)["index"] for line in told.out.splitlines()]


@pytest.mark.parametrize(
    ("words", "indexes"),
    [
        (["17", "18-20", "298-"], [17, 18, 19, 20, 298, 299]),
        (["20", "5-7", "6-8", "5"], [5, 6, 7, 8, 20]),
        (["100-", "299"], range(100, 300)),
        (["3-9", "--after", "7"], [8, 9]),
        (["--error", "ValueError"], [107, 207]),
        (["--error", "ValueError", "--status", "failed", "150-"], [207]),
        (["--error", "Value"], []),
        (["--status", "failed", "--limit", "2"], [7, 107]),
        (["--label", "o 29", "--status", "succeeded", "--after", "200"], range(290, 300)),
        (["--label", ""], range(300)),
        (["--slower", "1h"], []),
        (["--slower", "0", "--limit", "3"], [0, 1, 2]),
        (["9999"], []),
    ],
)
def test_items_are_found_by_what_is_true_of_them(fanwise, words: list[str], indexes):
    """By their indexes, status, error, label and time, also all together."""
    assert found(fanwise, *words) == list(indexes)


def test_the_last_line_leads_to_the_next_page(fanwise):
    """It is a command with the same options; following it shows each item once."""
    line, shown = "fanwise items r each 5-9 7 107- --status failed --limit 1", []
    while line:
        rows = fanwise(*shlex.split(line)[1:]).out.splitlines()
        shown.append(int(rows[1].split()[0]))
        assert len(shown) <= 3
        line = rows[-1].removeprefix("More: ") if rows[-1].startswith("More: ") else ""
    assert shown == [7, 107, 207]


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["9-3"], "names no items"),
        (["x"], "names no items"),
        (["1-2-3"], "names no items"),
        (["9" * 30], "names no items"),
        (["--slower", "fast"], "--slower takes a duration"),
        (["--error", "E", "--status", "succeeded"], "only failed items have an error"),
        (["--csv", "--json"], "exclude each other"),
    ],
)
def test_what_makes_no_sense_is_one_line(fanwise, words: list[str], cause: str):
    """And ends with 2."""
    told = fanwise("items", "r", "each", *words)
    assert told.status == 2
    assert told.err.count("\n") == 1
    assert cause in told.err


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10))), st.integers(-1, 35))
def test_spans_name_each_index_once(pairs, after: int):
    """However they overlap, in order, and only those behind the last one seen."""
    texts = [f"{first}-{first + more}" if more else f"{first}" for first, more in pairs]
    wanted = {index for first, more in pairs for index in range(first, first + more + 1)}
    named = (
        [
            index
            for low, high in read_spans(texts, after=after)
            for index in range(low + 1, high + 1)
        ]
        if texts
        else []
    )
    assert named == sorted(index for index in wanted if index > after)


def test_csv_has_a_heading_and_a_row_for_each_item(fanwise):
    """Each row reads back, outputs as JSON."""
    rows = list(csv.DictReader(io.StringIO(fanwise("items", "r", "each", "--csv").out)))
    assert [int(row["index"]) for row in rows] == list(range(300))
    assert list(rows[0]) == list(CSV_COLUMNS)
    assert (rows[8]["label"], json.loads(rows[8]["output"])) == ("no 8", "ok")
    assert (rows[7]["status"], rows[7]["output"]) == ("failed", "")
    assert (rows[7]["error_type"], rows[7]["error_message"]) == ("KeyError", "7")


def test_csv_without_items_is_its_heading(fanwise):
    """A program finds the columns in any case."""
    told = fanwise("items", "r", "each", "9999", "--csv")
    assert told.out == ",".join(CSV_COLUMNS) + "\n"


def item(index: int, label: str, message: str, output: object) -> ItemOutcome:
    error = encode({"type": "E", "message": message})
    return ItemOutcome(1, 1, index, Status.FAILED, 1, 0.0, 0.5, encode(output), error, label)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@settings(deadline=None)
@given(st.lists(st.tuples(texts, texts, texts), max_size=5))
def test_csv_is_one_line_for_each_item_whatever_texts_hold(told):
    """No text starts a line or a formula, and none is obeyed by a terminal."""
    items = [item(index, *each) for index, each in enumerate(told)]
    lines = [line for page in csv_lines([items]) for line in page]
    assert not any(category(letter) == "Cc" for line in lines for letter in line)
    rows = list(csv.DictReader(lines))
    assert [int(row["index"]) for row in rows] == list(range(len(told)))
    for row, (_, _, output) in zip(rows, told, strict=True):
        assert json.loads(row["output"]) == output
        for cell in (row["label"], row["error_message"]):
            assert not cell.startswith(("=", "+", "-", "@"))
            assert "\n" not in cell


def test_csv_marks_what_a_spreadsheet_would_compute():
    """With an apostrophe, which spreadsheets take as the sign of text."""
    lines = [line for page in csv_lines([[item(0, "=1+1", "-2", -3)]]) for line in page]
    (row,) = csv.DictReader(lines)
    assert (row["label"], row["error_message"], row["output"]) == ("'=1+1", "'-2", "-3")


def test_spans_are_refused_before_anything_is_read():
    """The error quotes the word as it was given, escaped."""
    with pytest.raises(UsageError, match=r'"a\\n" names no items'):
        read_spans(["a\n"], after=-1)
