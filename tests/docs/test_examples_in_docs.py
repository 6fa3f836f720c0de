"""What the documentation shows works: each workflow runs, and each session prints what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import Section, all_sections, parts
from sessions import KILLED, alike, carry_out, commands

PARTS = parts()


def with_blocks(sections: list[Section], language: str) -> list[Section]:
    """Those of the sections that have blocks of a language."""
    return [
        section
        for section in sections
        if any(block.language == language for block in section.blocks)
    ]


def until(part: Section) -> list[Section]:
    """The parts of a page until one of them, and that one."""
    of_page = [each for each in PARTS if each.page == part.page]
    return of_page[: of_page.index(part) + 1]


@pytest.mark.parametrize("part", with_blocks(PARTS, "console"), ids=str)
def test_sessions_print_what_the_pages_show(part: Section, tmp_path: Path) -> None:
    """To a reader of one part, with a new store, and with the files of the page until there."""
    folder = tmp_path / "work"
    folder.mkdir()
    differing = []
    for block in (block for each in until(part) for block in each.blocks):
        if block.name:
            block.write(folder)
        elif block.language == "console" and block in part.blocks:
            for command in commands(block.text):
                is_killed = command.printed.endswith(KILLED)
                printed = carry_out(command.line, folder, is_killed=is_killed)
                if alike(printed) != alike(command.printed):
                    differing.append(f"line {block.line}\n$ {command.line}\n{printed}")
    assert not differing, "\n".join(differing)


@pytest.mark.parametrize("part", with_blocks(PARTS, "console"), ids=str)
def test_a_reader_of_one_part_has_its_files(part: Section) -> None:
    """A file that a session names is shown or copied in the same part, or its code writes it."""
    lines = [
        command.line
        for block in part.blocks
        if block.language == "console"
        for command in commands(block.text)
    ]
    shown = "".join(
        f"{block.name}\n{block.text}" for block in part.blocks if block.language != "console"
    )
    copied = re.findall(r"--copy (\S+)", " ".join(lines))
    for line in lines:
        for file in re.findall(r" ([\w./-]+\.(?!db)\w+)(?= |$)", line):
            assert file in shown or file.split("/")[0] in copied, line


@pytest.mark.parametrize("part", with_blocks(PARTS, "yaml"), ids=str)
def test_a_reader_of_one_part_has_its_actions(part: Section) -> None:
    """An action that a workflow calls is fanwise's, or in code that the same part shows."""
    code = "".join(block.text for block in part.blocks if block.language == "python")
    for block in part.blocks:
        if block.language == "yaml":
            for action in re.findall(r"\baction: (\w+\.\w+)", block.text):
                assert action.startswith("core.") or f'"{action}"' in code, action


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
