"""Every command line that the documentation shows exists, and every link leads somewhere.

Pages are read on a code host and as a site (`mkdocs.yml`), and links work in both.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pages import PAGES, ROOT, Section, all_sections, prose, sections, slug
from sessions import commands

from fanwise.cli.app import app


def command_lines(section: Section) -> Iterator[str]:
    """What stands in sessions, in fences of the language `sh`, and in the text as `fanwise ...`."""
    for block in section.blocks:
        if block.language == "console":
            yield from (command.line for command in commands(block.text))
        elif block.language == "sh":
            yield from block.text.splitlines()
    yield from re.findall(r"`([^`]+)`", prose(section))


LINES = sorted(
    {
        re.split(r" 2?>| \| ", line[found.start(1) :])[0]
        for section in all_sections()
        for line in command_lines(section)
        if (found := re.search(r"(?:^|[ /])(fanwise [a-z])", line))
    }
)


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_exists(line: str) -> None:
    """Its command, its options and its arguments are those of `fanwise`."""
    words = shlex.split(line, comments=True)[1:]
    group = typer.main.get_command(app)
    with group.make_context("fanwise", words, resilient_parsing=True) as context:
        name, command, rest = group.resolve_command(context, words)  # type: ignore[attr-defined]
        if (
            hasattr(command, "resolve_command") and rest and rest[0] in command.commands
        ):  # a group, such as `fanwise db`
            name, command, rest = command.resolve_command(context, rest)
        try:
            command.make_context(name, rest).close()
        except typer.BadParameter as error:
            # In the text an argument may be left out, as in "`fanwise validate` finds them".
            if type(error).__name__ != "MissingParameter":
                raise


DOCS = ROOT / "docs"
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def slugs(page: Path) -> list[str]:
    """What the headings of a page are called in links."""
    text = "\n".join(prose(section) for section in sections(page))
    return [slug(title) for title in re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)]


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """The relative links of a page: each file, and the heading in it, or an empty text."""
    for section in sections(page):
        for target in re.findall(r"\]\(([^)]+)\)", prose(section)):
            if not target.startswith("https://"):
                file, _, anchor = target.partition("#")
                yield ((page.parent / file) if file else page).resolve(), anchor


@pages
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link names a file, and a heading if it has a #."""
    for file, anchor in links(page):
        assert file.exists()
        assert not anchor or anchor in slugs(file), anchor


@pages
def test_headings_are_called_the_same_on_the_site(page: Path) -> None:
    """Code hosts and MkDocs make links of headings by rules that agree on plain, unique titles."""
    found = slugs(page)
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"[a-z0-9_]+(-[a-z0-9_]+)*", each) for each in found)


def test_the_site_has_every_page() -> None:
    """Each page of `docs` has its place in the menu of the site."""
    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert sorted(menu_files(menu)) == sorted(
        str(page.relative_to(DOCS)) for page in DOCS.glob("**/*.md")
    )


def menu_files(menu: list[dict[str, Any]]) -> Iterator[str]:
    """The files that a menu names, with those of its parts."""
    for entry in menu:
        for target in entry.values():
            yield from [target] if isinstance(target, str) else menu_files(target)


@pytest.mark.parametrize("page", sorted(DOCS.glob("**/*.md")), ids=lambda page: page.name)
def test_a_page_of_the_site_links_to_nothing_outside_of_it(page: Path) -> None:
    """The site consists of `docs` alone."""
    assert all(file.is_relative_to(DOCS) for file, _ in links(page))
