"""Every figure that was measured names the command that measures it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from pages import ROOT, Section, prose, sections

import benchmarks.__main__
from fanwise.bench.suite import BENCHMARKS

MEASURED = [ROOT / name for name in ("README.md", "docs/index.md", "docs/performance.md")]
"""The pages that tell what something costs."""

ALL = {**BENCHMARKS, **benchmarks.__main__.BENCHMARKS}

FIGURE = re.compile(r"(?<![\w.-])[\d.,]*\d\s?(ns|µs|ms|s|B|KB|MB|GB|bytes)(?![\w-])|\d/s\b")
SOURCE = re.compile(
    r"`(?:(?:fanwise bench|python -m benchmarks) ([a-z]\w*)[^`]*|make demo|fanwise demo[^`]*)`"
)

SECTIONS = [section for page in MEASURED for section in sections(page)]


def tables(section: Section) -> Iterator[list[list[str]]]:
    """The tables of a section, as rows of cells; the first row is the heading."""
    for table in re.findall(r"(?:^\|.*\n?)+", prose(section), flags=re.MULTILINE):
        rows = [row.strip().strip("|").split("|") for row in table.splitlines()]
        cells = [[cell.strip() for cell in row] for row in rows]
        yield [row for row in cells if set("".join(row)) - set("-:")]


def without_code(text: str) -> str:
    """A text without what stands in backquotes, which is set and not measured."""
    return re.sub(r"`[^`]*`", "", text)


@pytest.mark.parametrize("section", SECTIONS, ids=str)
def test_each_row_of_figures_names_its_benchmark(section: Section) -> None:
    """A table with figures has a last column `measured by`, whose benchmarks exist."""
    for heading, *rows in tables(section):
        if any(FIGURE.search(without_code(cell)) for row in rows for cell in row[1:]):
            assert heading[-1] == "measured by"
            for row in rows:
                named = re.fullmatch(r"`(?:fanwise bench|python -m benchmarks) (\w+)`", row[-1])
                assert named, row
                assert named[1] in ALL, row


@pytest.mark.parametrize("section", SECTIONS, ids=str)
def test_each_section_with_figures_names_what_measured_them(section: Section) -> None:
    """So whoever doubts a figure can measure it."""
    text = prose(section)
    if FIGURE.search(without_code(text)):
        assert SOURCE.search(text)
    assert {name for name in SOURCE.findall(text) if name} <= set(ALL)


def test_each_picture_names_the_command_that_drew_it() -> None:
    """A page that shows a picture says how to draw it, and the picture is one."""
    pictures = sorted((ROOT / "docs").glob("*.svg"))
    page = (ROOT / "docs" / "performance.md").read_text()
    command = r"`fanwise bench (\w+) --json \| python (tools/\w+\.py) > docs/([^`]+)`"
    drawn = re.findall(command, page)

    assert pictures
    assert {name for name, _, _ in drawn} <= set(BENCHMARKS)
    assert all((ROOT / tool).exists() for _, tool, _ in drawn)
    assert sorted(picture for _, _, picture in drawn) == [picture.name for picture in pictures]
    for picture in pictures:
        assert f"]({picture.name})" in page
        assert ElementTree.parse(picture).getroot().tag.endswith("svg")
