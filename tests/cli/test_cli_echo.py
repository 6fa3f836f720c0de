"""Long arguments and those of several lines: what is told of one are lines that can be read."""

from __future__ import annotations

import pytest
from typer.main import get_command

from fanwise.cli.app import app

LONG = 5_000
LINE = 1_000
FLOW = "tasks: [{name: each, action: core.noop}]\n"
GIVEN = {"file": "flow.yaml", "files": "flow.yaml", "run_id": "r1", "task": "each", "name": "x"}


def commands(command=None, path=""):
    """Each command, with its name, but for those that never end: `work` and `serve`."""
    command = command or get_command(app)
    found = [(path, command)]
    for name, sub in getattr(command, "commands", {}).items():
        found += commands(sub, f"{path} {name}".strip())
    return [each for each in found if each[0] not in ("work", "serve")]


def arguments(path, command, long):
    """Command lines of a command, each with one argument that is long."""
    places = [each for each in command.params if each.param_type_name == "argument"]
    needed = [GIVEN.get(each.name, "x") for each in places if each.required]
    for number, _ in enumerate(places):
        yield [*path, *needed[:number], long, *needed[number + 1 :]]
    for each in command.params:
        if each.param_type_name == "option" and not each.is_flag:
            joined = f"{each.opts[0]}={long}"
            yield [*path, *needed, *([joined] if " " in long else [each.opts[0], long])]
    yield [*path, *needed, f"--{long}"]
    yield [*path, long]


@pytest.mark.parametrize(("name", "command"), commands())
def test_long_arguments_are_told_in_short(fanwise, write, name, command):
    """Of each only the beginning, in lines that can be read."""
    write(**{"flow.yaml": FLOW})
    fanwise("run", "flow.yaml", "--run-id", "r1")
    for long in ("9" * LONG, "a b'\t" * (LONG // 5)):
        for words in arguments(name.split(), command, long):
            told = fanwise(*words)
            shown = [each[:40] for each in words]
            assert "internal error" not in told.err, (shown, told.err[:300])
            lines = [*told.err.splitlines(), *told.out.splitlines()]
            assert max(map(len, lines), default=0) <= LINE, shown


@pytest.mark.parametrize(("name", "command"), commands())
def test_an_argument_of_two_lines_is_told_in_one(fanwise, write, name, command):
    """As of an id that was copied with its line end; a command to copy needs both lines."""
    write(**{"flow.yaml": FLOW})
    fanwise("run", "flow.yaml", "--run-id", "r1")
    for words in arguments(name.split(), command, "first\nsecond"):
        if words[0] == "demo" and words[-2] == "--store":
            continue  # it is a file's name like any other, and the demos take their time
        told = fanwise(*words)
        assert "\nsecond" not in told.err.replace("'first\nsecond'", ""), words
