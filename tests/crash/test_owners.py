"""Two processes never drive one run, whatever happens to the first of them."""

from __future__ import annotations

import signal
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from processes import items, records, status, wait_for


def test_an_owner_that_was_stopped_writes_nothing_once_its_run_was_taken(folder, start) -> None:
    """It says so in one line and ends with 2; the results of the new owner stand."""
    first = start("run", "flow.yaml", "--run-id", "r", WAIT_AT="3")
    wait_for(first, "3")
    assert first.stop()

    refused = start("resume", "r")
    if refused.end() == 2:  # it was faster than the lease has run out
        assert f"run r is driven by process {first.pid}" in refused.said[-1]
        assert "is stopped; in" in refused.said[-1]
        assert "the run can be taken over" in refused.said[-1]
        time.sleep(1.0)  # the lease runs out: that is a matter of time
        assert start("resume", "r").end() == 0
    assert status(folder) == "succeeded"
    before = records(folder)

    first.strike(signal.SIGCONT)
    assert first.end() == 2
    assert "run r was taken over by another process while this process was" in first.said[-1]
    assert "It writes nothing more" in first.said[-1]
    assert records(folder) == before


def test_of_two_processes_that_resume_a_run_at_once_one_drives_it(folder, start) -> None:
    """The other says by whom the run is driven."""
    killed = start("run", "flow.yaml", "--run-id", "r", WAIT_AT="3")
    wait_for(killed, "3")
    killed.strike(signal.SIGKILL)
    assert killed.end() == -signal.SIGKILL
    recorded = items(folder)

    rivals = [start("resume", "r", WAIT_AT="5") for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        ends = {threads.submit(life.end): life for life in rivals}
        (lost,), _ = wait(ends, return_when=FIRST_COMPLETED)
        loser = ends[lost]
        (winner,) = [life for life in rivals if life is not loser]
        (folder / "go").touch()
        assert lost.result() == 2
        assert f"run r is driven by process {winner.pid} on" in loser.said[-1]
    assert winner.end() == 0
    assert loser.begun == []
    assert winner.begun == [str(n) for n in range(6) if n not in recorded] + ["100"]
