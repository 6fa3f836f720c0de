"""Every command line that the documentation shows exists, and every link leads somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest
import typer
from pages import PAGES, ROOT, Section, all_sections, prose, slug
from sessions import commands

from weft.cli.app import app


def command_lines(section: Section) -> Iterator[str]:
    """What stands in sessions, in fences of the language `sh`, and in the text as `weft ...`."""
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
        if (found := re.search(r"(?:^|[ /])(weft [a-z])", line))
    }
)


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_exists(line: str) -> None:
    """Its command, its options and its arguments are those of `weft`."""
    words = shlex.split(line, comments=True)[1:]
    group = typer.main.get_command(app)
    with group.make_context("weft", words, resilient_parsing=True) as context:
        name, command, rest = group.resolve_command(context, words)  # type: ignore[attr-defined]
        if hasattr(command, "resolve_command") and rest:  # a group, such as `weft db`
            name, command, rest = command.resolve_command(context, rest)
        try:
            command.make_context(name, rest).close()
        except typer.BadParameter as error:
            # In the text an argument may be left out, as in "`weft validate` finds them".
            if type(error).__name__ != "MissingParameter":
                raise


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: object) -> None:
    """A relative link names a file, and a heading if it has a #."""
    for section in all_sections():
        if section.page != page:
            continue
        for target in re.findall(r"\]\(([^)]+)\)", prose(section)):
            if target.startswith(("http://", "https://")):
                continue
            file, _, anchor = target.partition("#")
            path = (section.page.parent / file) if file else section.page
            assert path.exists(), target
            if anchor:
                titles = re.findall(r"^#+ (.*)$", path.read_text(), flags=re.MULTILINE)
                assert anchor in {slug(title) for title in titles}, target
