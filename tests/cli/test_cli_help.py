"""What `--help` tells: a sentence for each option, and examples that work."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from weft.cli.app import app

Command = Any  # Typer brings its own Click, whose classes have no public name


def commands(group: Command, *names: str) -> Iterator[tuple[str, Command]]:
    """All commands by the words that call them, also those within groups."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *names, name)
        else:
            yield " ".join([*names, name]), command


GROUP = typer.main.get_command(app)
COMMANDS = dict(commands(GROUP))


def examples(name: str) -> list[str]:
    return re.findall(rf"^ *(weft {name}\b.*)$", COMMANDS[name].epilog, flags=re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_ends_with_examples(weft, name: str):
    """Two command lines to copy at least, each in a line of its own."""
    told = weft(*name.split(), "--help")
    assert told.status == 0
    assert len(examples(name)) >= 2
    for example in examples(name):
        assert f"\n    {example}\n" in told.out


@pytest.mark.parametrize("example", [each for name in COMMANDS for each in examples(name)])
def test_each_example_can_be_carried_out(example: str):
    """Its command, its options and its arguments exist and take these values."""
    words = shlex.split(re.split(r" \| | >>? ", example)[0])
    command, rest = GROUP, words[1:]
    while hasattr(command, "commands"):
        with command.make_context(words[0], list(rest), resilient_parsing=True) as context:
            _, command, rest = command.resolve_command(context, list(rest))
    command.make_context(command.name, list(rest)).close()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_and_argument_is_explained_in_a_sentence(name: str):
    """From a capital letter to a full stop; so is the command itself."""
    command = COMMANDS[name]
    for text in [command.help, *(param.help for param in command.params)]:
        assert re.match(r"[A-Z-].*\.", text or "", flags=re.DOTALL), text
