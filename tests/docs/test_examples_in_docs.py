"""What the documentation shows works: each workflow runs, and each session prints what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import Section, all_sections
from sessions import alike, carry_out, commands

SECTIONS = all_sections()


def with_blocks(language: str) -> list[Section]:
    """The sections that have blocks of a language."""
    return [
        section
        for section in SECTIONS
        if any(block.language == language for block in section.blocks)
    ]


@pytest.mark.parametrize("section", with_blocks("console"), ids=str)
def test_a_session_prints_what_the_page_shows(section: Section, tmp_path: Path) -> None:
    """Whoever types the commands of a section, with its files, sees what the page shows."""
    folder = tmp_path / "work"
    section.write_files(folder)
    for block in section.blocks:
        if block.language == "console":
            for command in commands(block.text):
                printed = carry_out(command.line, folder)
                assert alike(printed) == alike(command.printed), command.line


@pytest.mark.parametrize("section", with_blocks("yaml"), ids=str)
def test_every_workflow_that_is_shown_is_tried(section: Section) -> None:
    """It has a name, and a session of its section runs or validates it."""
    tried = "".join(
        block.text for block in section.blocks if block.language in ("console", "python")
    )
    for block in section.blocks:
        if block.language == "yaml":
            assert block.name, f"line {block.line}"
            assert block.name in tried
