"""The start-up benchmark measures whole processes."""

import sys
from pathlib import Path

import pytest

from fanwise.bench.start import IMPORT, PYTHON, budgets, compare, compare_commands
from fanwise.errors import UsageError


def test_each_command_runs_once_to_warm_up_and_once_a_round(tmp_path: Path) -> None:
    """What only a first run does isn't measured; an empty Python is the baseline."""
    log = tmp_path / "log"
    script = "import sys; open(sys.argv[1], 'a').write('x')"

    figures = compare_commands({"append": [sys.executable, "-c", script, str(log)]}, rounds=3)

    assert log.read_text() == "xxxx"
    assert list(figures.seconds) == [PYTHON, "append"]
    assert figures.baseline == PYTHON


def test_a_command_that_fails_is_an_error() -> None:
    """A figure for a command that doesn't work would be a lie."""
    with pytest.raises(UsageError, match="exited with 3"):
        compare_commands({"broken": [sys.executable, "-c", "raise SystemExit(3)"]}, rounds=1)


def test_the_commands_of_fanwise_have_budgets() -> None:
    """Importing, help, validation and a run of one task are started for real."""
    figures = compare(rounds=1)

    commands = ["fanwise --help", "fanwise validate", "fanwise run"]
    assert list(figures.seconds) == [PYTHON, IMPORT, *commands]
    import_s = figures.seconds[IMPORT] - figures.seconds[PYTHON]
    measured = [budget.measured for budget in budgets(figures)]
    assert measured == [import_s, *(figures.seconds[command] for command in commands)]
