"""What `--help` tells: a sentence for each option, and examples that work."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from fanwise.cli.app import app

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
    return re.findall(rf"^ *(fanwise {name}\b.*)$", COMMANDS[name].epilog, flags=re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_ends_with_examples(fanwise, name: str):
    """Two command lines to copy at least, each in a line of its own."""
    told = fanwise(*name.split(), "--help")
    assert told.status == 0
    assert len(examples(name)) >= 2
    for example in examples(name):
        assert f"\n    {example}\n" in told.out


@pytest.mark.parametrize("example", [each for name in COMMANDS for each in examples(name)])
def test_each_example_can_be_carried_out(example: str):
    """Its command, its options and its arguments exist and take these values."""
    words = shlex.split(re.split(r" \| | >>? | < ", example)[0])
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


def test_the_lists_of_commands_fit_a_narrow_terminal(fanwise, monkeypatch: pytest.MonkeyPatch):
    """Each command is explained in a whole sentence, none of which is cut off."""
    monkeypatch.setenv("COLUMNS", "80")
    for told in (fanwise("--help"), fanwise("db", "--help")):
        listed = told.out.partition("Commands:\n")[2].splitlines()
        assert listed
        assert all(re.fullmatch(r"  \w+ +[A-Z].*[^.]\.", line) for line in listed), listed


@pytest.mark.parametrize(
    ("line", "command", "fault"),
    [
        ("rnu flow.yaml", "fanwise", "'rnu'. Did you mean 'run'?"),
        ("run", "fanwise run", "'FILE'"),
        ("graph flow.yaml --fromat dot", "fanwise graph", "--fromat"),
        ("graph flow.yaml --format png", "fanwise graph", "'--format': 'png'"),
        ("run flow.yaml --items 0", "fanwise run", "'--items'"),
        ("db chekc", "fanwise db", "'chekc'. Did you mean 'check'?"),
    ],
)
def test_a_command_line_that_does_not_fit_is_one_line(fanwise, line: str, command: str, fault: str):
    """It says which command it is about, what is at fault, and where the help is."""
    status, out, err = fanwise(*line.split())
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"{command}: ")
    assert fault in err
    assert err.endswith(f" Its help: {command} --help\n")


@pytest.mark.parametrize("group", [[], ["db"]])
def test_a_group_alone_tells_what_commands_it_has(fanwise, group: list[str]):
    """As its help does, but nothing was done."""
    told = fanwise(*group)
    assert told.status == 2
    assert "Commands:" in told.err


@pytest.mark.parametrize(
    "words", [("show", "\udcff"), ("runs", "--tag", "\udcff"), ("new", "\udcff"), ("\udcff",)]
)
def test_an_argument_that_is_no_text_is_one_line(fanwise, words):
    """Of every command, and it isn't quoted, since it may be a secret."""
    told = fanwise(*words)
    assert told.status == 2
    assert told.err == (
        f"argument {len(words)} of fanwise isn't text in UTF-8. Write it in UTF-8; "
        "a file whose name is in another encoding has to be renamed.\n"
    )


def test_a_variable_that_is_no_text_is_named(fanwise, monkeypatch):
    """Its value isn't shown."""
    monkeypatch.setenv("FANWISE_SECRET_KEY", "\udcff")
    told = fanwise("runs")
    assert told.status == 2
    assert told.err == "the environment variable FANWISE_SECRET_KEY isn't text in UTF-8.\n"
