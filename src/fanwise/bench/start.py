"""The time to start whole processes: an empty Python against fanwise, imported and as commands."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from fanwise.bench.budget import Budget, at_most
from fanwise.bench.comparison import Comparison, render
from fanwise.bench.measure import DEFAULT_ROUNDS, alternate, process_seconds

PYTHON = "python -c pass"

IMPORT = "python -c 'import fanwise'"

_IMPORT_S = 0.02  # beyond what an empty Python takes
_BUDGETS_S = {"fanwise --help": 0.12, "fanwise validate": 0.3, "fanwise run": 0.4}

_WORKFLOW = """\
tasks:
  - name: nothing
    action: core.noop
"""


def compare(*, rounds: int = DEFAULT_ROUNDS) -> Comparison:
    """Measure; it takes a few seconds. Raises `UsageError` if a command fails."""
    with TemporaryDirectory() as folder:
        return compare_commands(fanwise_commands(Path(folder)), rounds=rounds)


def fanwise_commands(folder: Path) -> dict[str, list[str]]:
    """The commands of fanwise that are measured, on a workflow and a store in `folder`."""
    workflow = folder / "workflow.yaml"
    workflow.write_text(_WORKFLOW)
    fanwise = [sys.executable, "-m", "fanwise"]
    return {
        IMPORT: [sys.executable, "-c", "import fanwise"],
        "fanwise --help": [*fanwise, "--help"],
        "fanwise validate": [*fanwise, "validate", str(workflow)],
        "fanwise run": [*fanwise, "run", str(workflow), "--store", str(folder / "runs.db")],
    }


def compare_commands(commands: Mapping[str, list[str]], *, rounds: int) -> Comparison:
    """Measure commands by their names against an empty Python.

    Each of them runs once before, so that compiling modules and making a store aren't measured.
    """
    sides = {PYTHON: [sys.executable, "-c", "pass"], **commands}
    for command in sides.values():
        process_seconds(command)
    return Comparison(
        what="Starting, working and ending as a whole process",
        baseline=PYTHON,
        rounds=rounds,
        seconds=alternate(
            {name: partial(process_seconds, command) for name, command in sides.items()}, rounds
        ),
    )


def budgets(figures: Comparison) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    import_s = figures.seconds[IMPORT] - figures.seconds[PYTHON]
    return [
        at_most("`import fanwise`, beyond an empty Python", _IMPORT_S, "seconds", import_s),
        *(
            at_most(f"`{command}`, the whole process", limit_s, "seconds", figures.seconds[command])
            for command, limit_s in _BUDGETS_S.items()
        ),
    ]


__all__ = ["PYTHON", "budgets", "compare", "compare_commands", "fanwise_commands", "render"]
