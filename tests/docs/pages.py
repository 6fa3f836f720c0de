"""Reads the documentation as what it shows: files, workflows, and sessions at a command line.

The convention, which any Markdown viewer passes over: a fence may name a file after its language
(```yaml flow.yaml), and a fence of the language `console` is a session, in which each line that
begins with "$ " is a command and the lines below are all that it prints. What stands under one `##`
heading needs no file of other sections; in a page of `JOURNEYS`, sections build on those above.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

NAVIGATION = re.findall(r"^ +- .+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
"""The pages of docs/ in the order of the site."""

PAGES = list(
    dict.fromkeys(
        [
            ROOT / "README.md",
            *(ROOT / "docs" / name for name in NAVIGATION),
            *sorted(
                [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
            ),
        ]
    )
)
"""All pages, in the order in which a reader comes to them."""

JOURNEYS = [ROOT / "docs" / "tutorial.md", ROOT / "docs" / "demos.md"]
"""Pages whose sections build on one another."""


class Block(NamedTuple):
    """A fenced block. `line` counts from 1; `name` is the file's, or empty."""

    line: int
    language: str
    name: str
    text: str

    def write(self, folder: Path) -> None:
        """Write the file that this block shows."""
        file = folder / self.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.text)


class Section(NamedTuple):
    """What stands under one `##` heading of a page, or above the first of them."""

    page: Path
    title: str
    text: str
    blocks: tuple[Block, ...]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}#{slug(self.title)}"


def sections(page: Path) -> Iterator[Section]:
    """The sections of a page."""
    title, start = "", 1
    lines: list[str] = []
    is_code = False
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        is_code ^= line.lstrip().startswith("```")
        if line.startswith("## ") and not is_code:
            yield _section(page, title, lines, start)
            title, lines, start = line[3:], [], number
        lines.append(line)
    yield _section(page, title, lines, start)


def all_sections() -> list[Section]:
    """The sections of all pages."""
    return [section for page in PAGES for section in sections(page)]


def parts() -> list[Section]:
    """What a reader can follow alone: a section, or a whole journey, under the title of none."""
    return [
        part
        for page in PAGES
        for part in (
            [_section(page, "", page.read_text().splitlines(), 1)]
            if page in JOURNEYS
            else sections(page)
        )
    ]


def _section(page: Path, title: str, lines: list[str], start: int) -> Section:
    return Section(page, title, "\n".join(lines), tuple(_blocks(lines, start)))


def _blocks(lines: list[str], start: int) -> Iterator[Block]:
    opened: tuple[int, str] | None = None
    content: list[str] = []
    for number, line in enumerate(lines, start=start):
        if not line.startswith("```"):
            content.append(line)
        elif opened is None:
            opened, content = (number, line.removeprefix("```").strip()), []
        else:
            at, info = opened
            language, _, name = info.partition(" ")
            yield Block(at, language, name, "\n".join(content) + "\n")
            opened = None


def prose(section: Section) -> str:
    """The section's text without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", section.text, flags=re.MULTILINE | re.DOTALL)


def slug(title: str) -> str:
    """What a heading is called in a link."""
    return re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")
