"""Real processes that take runs from one store: killed, stopped, ended, and many at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import items, records, status, wait_for

from fanwise.model import ItemOutcome
from fanwise.stores import open_store


def submit(start, *options: str) -> None:
    assert start("submit", "flow.yaml", "--run-id", "r", *options).end() == 0


def place(folder: Path):
    """The place of the run `r` in its queue."""
    with open_store(str(folder / "runs.db"), read_only=True) as store:
        run = store.run("r")
        assert run is not None
        return store.submissions([run.run_no])[run.run_no]


def left(recorded: list[int]) -> list[str]:
    """The items that are still to do."""
    return [str(n) for n in range(6) if n not in recorded]


def wait_until_said(life, text: str) -> None:
    while not any(text in line for line in life.said):
        assert life.read(1), life.said


def stop(*lives) -> None:
    for life in lives:
        life.strike(signal.SIGTERM)
        assert life.end() == 0


def test_the_run_of_a_killed_engine_is_taken_over_by_another(folder, start) -> None:
    """What was recorded isn't done again, and nobody has to ask for it."""
    submit(start)
    first = start("work", WAIT_AT="3")
    wait_for(first, "3")
    second = start("work")
    recorded = {str(index) for index in items(folder)}
    first.strike(signal.SIGKILL)
    assert first.end() == -signal.SIGKILL
    wait_until_said(second, "r  has succeeded")
    stop(second)
    assert any(f"process {first.pid} on" in line and "is gone" in line for line in second.said)
    assert recorded.isdisjoint(second.begun)
    assert second.begun[-4:] == ["3", "4", "5", "100"]
    assert status(folder) == "succeeded"


CLOCK = """
import os, time

time_of_day, ahead_s = time.time, float(os.environ["CLOCK_AHEAD_S"])
time.time = lambda: time_of_day() + ahead_s
"""


@pytest.mark.parametrize("ahead_s", ["0", "3600", "-3600"])
def test_engines_share_a_store_on_a_server(folder, start, postgres_url, ahead_s) -> None:
    """As they share a file: a run is handed on, and taken over from an engine that is killed.

    Also if the clocks of their machines are an hour apart: that of the server counts.
    """
    url = postgres_url()
    (folder / "sitecustomize.py").write_text(CLOCK)
    clock = {"PYTHONPATH": str(folder), "CLOCK_AHEAD_S": ahead_s}
    first = start("work", FANWISE_STORE=url, WAIT_AT="3")
    assert start("submit", "flow.yaml", "--run-id", "r", FANWISE_STORE=url).end() == 0
    wait_for(first, "3")
    second = start("work", FANWISE_STORE=url, **clock)
    wait_until_said(second, "Taking runs")
    assert second.begun == []
    first.strike(signal.SIGKILL)
    assert first.end() == -signal.SIGKILL
    wait_until_said(second, "r  has succeeded")
    stop(second)
    assert second.begun[-4:] == ["3", "4", "5", "100"]
    with open_store(url, read_only=True) as store:
        assert list(store.engines()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_engine_that_is_stopped_hands_its_run_back_at_once(folder, start, number) -> None:
    """It ends with 0, and the run is pending until another one goes on with it; no try counts."""
    submit(start, "--queue", "q")
    first = start("work", "--queue", "q", WAIT_AT="3")
    wait_for(first, "3")
    first.strike(number)
    wait_until_said(first, "Finishing what is in flight")
    (folder / "go").touch()
    assert first.end() == 0
    assert (items(folder), status(folder)) == ([0, 1, 2, 3], "pending")
    waiting = place(folder)
    assert (waiting.is_waiting, waiting.why, waiting.tries) == (True, "engine stopped", 0)
    second = start("work", "--queue", "q")
    wait_until_said(second, "r  has succeeded")
    stop(second)
    assert second.begun == ["4", "5", "100"]


@pytest.mark.parametrize("where", ["file", "server"])
def test_an_engine_that_was_stopped_past_its_lease_writes_nothing_more(
    folder, start, where, request
) -> None:
    """Another one has taken its run, and it goes on taking others when it wakes up."""
    is_file = where == "file"
    url = str(folder / "runs.db") if is_file else request.getfixturevalue("postgres_url")()
    there = {"FANWISE_STORE": url}
    assert start("submit", "flow.yaml", "--run-id", "r", **there).end() == 0
    first = start("work", WAIT_AT="3", **there)
    wait_for(first, "3")
    assert first.stop()
    second = start("work", **there)
    wait_until_said(second, "r  has succeeded")
    before = records(folder, url)
    first.strike(signal.SIGCONT)
    wait_until_said(first, "r  is driven no more")
    assert records(folder, url) == before
    stop(second)
    assert start("submit", "flow.yaml", "--run-id", "next", **there).end() == 0
    wait_until_said(first, "next  of flow is taken")
    (folder / "go").touch()
    wait_until_said(first, "next  has succeeded")
    stop(first)


def test_a_run_that_kills_its_engines_is_given_up(folder, start) -> None:
    """The sixth engine in a row is the last one, and the run fails with the names of all."""
    (folder / "actions.py").write_text(
        "import os, signal, fanwise\n"
        "@fanwise.action('my.work')\n"
        "def work(n: int) -> None:\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    submit(start)
    killed = []
    for _ in range(6):
        killed.append(start("work"))
        assert killed[-1].end() == -signal.SIGKILL
    last = start("work")
    wait_until_said(last, "r  has failed: RunKeepsFailing")
    stop(last)
    with open_store(str(folder / "runs.db"), read_only=True) as store:
        run = store.run("r")
    assert run is not None
    assert run.error is not None
    assert all(f"process {life.pid} on" in run.error.message for life in killed)


def test_of_fifty_processes_that_submit_once_one_makes_the_run(folder) -> None:
    """All others get its id."""
    flow, store, warm = (str(folder / name) for name in ("one.yaml", "runs.db", "warm.db"))
    script = f"""
import os
import fanwise
fanwise.submit({flow!r}, store={warm!r})  # so that all is imported
start, go = os.pipe()
for _ in range(50):
    if not os.fork():
        os.close(go)
        os.read(start, 1)
        run = fanwise.submit({flow!r}, store={store!r}, once="k")
        os.write(1, f"{{run.id}}\\n".encode())
        os._exit(0)
os.close(go)
for _ in range(50):
    assert os.wait()[1] == 0
"""
    (folder / "one.yaml").write_text("tasks: [{name: a, action: core.noop}]")
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    with open_store(store, read_only=True) as opened:
        (only,) = opened.run_ids()
    assert done.stdout.split() == [only] * 50


def test_a_run_of_its_own_process_is_left_to_recover(folder, start) -> None:
    """An engine doesn't take the run of a killed `fanwise run`, and `recover` no submitted run."""
    submit(start)
    own = start("run", "flow.yaml", "--run-id", "own", WAIT_AT="3")
    wait_for(own, "3")
    own.strike(signal.SIGKILL)
    own.end()
    with open_store(str(folder / "runs.db"), read_only=True) as store:
        recorded = [each.index for each in store.export("own") if isinstance(each, ItemOutcome)]
    recover = start("recover")
    assert recover.end() == 0
    assert recover.begun == [*left(recorded), "100"]
    assert place(folder).is_waiting
