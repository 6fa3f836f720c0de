"""The benchmarks of runs that are killed, stopped and asked do what they say, at a small size."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from benchmarks import __main__ as runner
from benchmarks import control, resume, torture
from benchmarks.torture_records import Findings
from benchmarks.torture_run import Counts
from fanwise.bench.budget import Budget, at_most, nothing_of
from fanwise.bench.suite import Measured


def test_a_killed_run_is_resumed_from_where_it_was_killed() -> None:
    """Few items and many, of each of which half were recorded."""
    figures = resume.compare(rounds=1, sizes=(20, 200))
    assert [(each.items, each.recorded) for each in figures] == [(20, 10), (200, 100)]
    assert all(0 < each.first_item_s < each.seconds for each in figures)
    assert [budget.unit for budget in resume.budgets(figures)] == ["seconds", "bytes"]


def test_a_run_is_asked_to_pause_and_to_cancel() -> None:
    """Each has a budget of a second."""
    figures = control.compare(rounds=1)
    assert [each.request for each in figures] == ["pause", "cancel"]
    assert [budget.limit for budget in control.budgets(figures)] == [1.0, 1.0]


@pytest.mark.parametrize("postgres", [False, True])
def test_processes_are_killed_as_often_as_is_asked_for(postgres: bool) -> None:
    """Nothing may be found; no other figure is promised."""
    figures = torture.compare(kills=1, postgres=postgres)
    assert figures.counts.kills == 1
    assert figures.counts.runs >= 1
    assert all(budget.strict and budget.met for budget in torture.budgets(figures))


def test_what_torture_finds_is_told_line_by_line() -> None:
    """With the folder in which the run can be looked at."""
    found = Findings(lost=["each[3]"], repeated=["r/each[4]/1"])
    figures = torture.TortureFigures(Counts(kills=3), found, ("/tmp/kept",), 1.0)
    output = StringIO()
    Console(file=output, width=100).print(torture.render(figures))
    assert "lost: each[3]\nrepeated: r/each[4]/1\nkept: /tmp/kept" in output.getvalue()
    assert [budget.met for budget in torture.budgets(figures)][:3] == [False, True, False]


@pytest.mark.parametrize(
    ("budget", "status"),
    [(nothing_of("lost", 1), 1), (nothing_of("lost", 0), 0), (at_most("s", 1, "seconds", 2), 0)],
)
def test_only_what_must_hold_on_any_machine_decides_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, budget: Budget, status: int
) -> None:
    """A machine that is slow is no error; kills go to the benchmark that kills."""
    calls = []

    def measure(path: str, **options: int) -> Measured:
        calls.append((path, options))
        return Measured({}, "", [budget])

    monkeypatch.setattr(runner, "measure_module", measure)
    assert runner.main(["torture", "--rounds", "1", "--kills", "5", "--postgres"]) == status
    assert calls == [("benchmarks.torture", {"rounds": 1, "kills": 5, "postgres": True})]


@pytest.mark.parametrize("arguments", [["nothing"], ["--rounds", "many"]])
def test_what_cannot_be_measured_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With status 2, in the words of the command line."""
    with pytest.raises(SystemExit) as ended:
        runner.main(arguments)
    assert ended.value.code == 2
    assert arguments[-1] in capsys.readouterr().err
