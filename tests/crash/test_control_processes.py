"""Other processes pause, cancel and resume a run, and so do signals; nothing is left running."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from processes import have_ended, items, records, status, wait_for

from fanwise.model import LogEntry


def test_a_pause_from_elsewhere_lets_what_is_in_flight_finish(folder, start) -> None:
    """Nothing new starts; resumed by another process, the run does just the rest."""
    run = start("run", "flow.yaml", "--run-id", "r", WAIT_AT="2")
    wait_for(run, "2")
    pause = start("pause", "r", "--no-wait")
    assert pause.end() == 0
    while "Notice: another process asks to pause the run" not in run.said:
        assert run.read(1), run.said
    (folder / "go").touch()
    assert run.end() == 130
    assert (run.begun, items(folder), status(folder)) == (["0", "1", "2"], [0, 1, 2], "paused")
    resume = start("resume", "r")
    assert resume.end() == 0
    assert resume.begun == ["3", "4", "5", "100"]


def test_a_signal_is_told_to_people_and_not_to_the_log_of_an_item(folder, start) -> None:
    """Whichever item is at work in the moment when it comes."""
    run = start("run", "flow.yaml", "--run-id", "r", SIGNAL_AT="1")
    assert run.end() == 130
    assert any(line.startswith("Finishing what is in flight") for line in run.said)
    assert not any(isinstance(each, LogEntry) for each in records(folder))


def test_a_pause_ends_what_is_not_finished_after_the_grace(folder, start) -> None:
    """The command waits for it; what was cut off is done when the run goes on."""
    run = start("run", "flow.yaml", "--run-id", "r", "--grace", "0s", WAIT_AT="2")
    wait_for(run, "2")
    pause = start("pause", "r")
    assert pause.end() == 0
    assert run.end() == 130
    assert (items(folder), status(folder)) == ([0, 1], "paused")
    resume = start("resume", "r")
    assert resume.end() == 0
    assert resume.begun == ["2", "3", "4", "5", "100"]


def test_a_cancellation_from_elsewhere_cuts_off_and_cleans_up(folder, start) -> None:
    """The command waits until the run is cancelled."""
    run = start("run", "flow.yaml", "--run-id", "r", WAIT_AT="2")
    wait_for(run, "2")
    assert start("cancel", "r").end() == 0
    assert status(folder) == "cancelled"
    assert run.end() == 1
    assert run.begun == ["0", "1", "2", "100"]
    assert run.ended == ["0", "1", "100"]
    assert items(folder) == [0, 1, 2]


@pytest.mark.parametrize("how", ["cancel", "SIGTERM", "SIGKILL"])
def test_what_a_shell_has_started_ends_with_the_run(folder: Path, start, how: str) -> None:
    """However the run ends: cancelled, paused without a grace, or with its process killed."""
    os.mkfifo(folder / "ids")
    run = start("run", "shell.yaml", "--run-id", "r", "--grace", "0s")
    ids = (folder / "ids").read_text()
    assert len(ids.split()) == 2
    wait_for(run, "200")
    if how == "cancel":
        assert start("cancel", "r").end() == 0
    else:
        run.strike(signal.Signals[how])
    assert run.end() == {"cancel": 1, "SIGTERM": 130, "SIGKILL": -signal.SIGKILL}[how]
    assert have_ended(ids)
