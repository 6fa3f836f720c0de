"""What the documentation shows works: each workflow runs, and each session prints what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import Section, all_sections, folders
from sessions import KILLED, alike, carry_out, commands


def with_blocks(sections: list[Section], language: str) -> list[Section]:
    """Those of the sections that have blocks of a language."""
    return [
        section
        for section in sections
        if any(block.language == language for block in section.blocks)
    ]


@pytest.mark.parametrize("section", with_blocks(folders(), "console"), ids=str)
def test_a_session_prints_what_the_page_shows(section: Section, tmp_path: Path) -> None:
    """Whoever follows a section from its top, file by file and command by command, sees this."""
    folder = tmp_path / "work"
    folder.mkdir()
    for block in section.blocks:
        if block.name:
            block.write(folder)
        elif block.language == "console":
            for command in commands(block.text):
                is_killed = command.printed.endswith(KILLED)
                printed = carry_out(command.line, folder, is_killed=is_killed)
                assert alike(printed) == alike(command.printed), command.line


@pytest.mark.parametrize("section", with_blocks(all_sections(), "yaml"), ids=str)
def test_every_workflow_that_is_shown_is_tried(section: Section) -> None:
    """It has a name, and a session of its section tries it, or another workflow calls it."""
    for block in section.blocks:
        if block.language == "yaml":
            assert block.name, f"line {block.line}"
            assert any(
                block.name in other.text
                for other in section.blocks
                if other is not block and other.language in ("console", "python", "yaml")
            ), block.name
