"""Real processes whose runs may not overlap: they wait, are killed, and give way."""

from __future__ import annotations

import signal

from processes import FLOW, status, wait_for
from test_taking_processes import stop, wait_until_said

from fanwise.stores import open_store


def test_a_run_waits_for_the_one_that_has_the_slot(folder, start) -> None:
    """It says for which, and drives itself once that has ended."""
    (folder / "flow.yaml").write_text(f"concurrency: 1\n{FLOW}")
    first = start("run", "flow.yaml", "--run-id", "first", WAIT_AT="2")
    wait_for(first, "2")
    second = start("run", "flow.yaml", "--run-id", "r")
    wait_until_said(second, "run first has the slot. Waiting for it.")
    assert second.begun == []
    (folder / "go").touch()
    assert (first.end(), second.end()) == (0, 0)
    assert second.begun[0] == "0"


def test_a_run_waits_for_a_slot_in_a_store_on_a_server(folder, start, postgres_url) -> None:
    """As in a file; tasks under a named limit lease their shares there."""
    url = postgres_url()
    (folder / "fanwise.yaml").write_text("limits: {work: {concurrency: 1, rate: 1000/s}}\n")
    flow = FLOW.replace("    concurrency: 1", "    concurrency: 1\n    limit: work")
    (folder / "flow.yaml").write_text(f"concurrency: 1\n{flow}")
    first = start("run", "flow.yaml", "--run-id", "first", WAIT_AT="2", FANWISE_STORE=url)
    wait_for(first, "2")
    second = start("run", "flow.yaml", "--run-id", "r", FANWISE_STORE=url)
    wait_until_said(second, "run first has the slot. Waiting for it.")
    with open_store(url, read_only=True) as store:
        assert [use.waiting for use in store.limits()] == [1]
        assert [share.slots for share in store.shares()] == [1]
    (folder / "go").touch()
    assert (first.end(), second.end()) == (0, 0)
    with open_store(url, read_only=True) as store:
        assert (list(store.limits()), list(store.shares())) == ([], [])


def test_the_slot_of_a_killed_run_is_kept_until_it_is_resumed(folder, start) -> None:
    """Whoever waits is told of it, and goes on once the run is through."""
    (folder / "flow.yaml").write_text(f"concurrency: 1\n{FLOW}")
    first = start("run", "flow.yaml", "--run-id", "r", WAIT_AT="2")
    wait_for(first, "2")
    first.strike(signal.SIGKILL)
    assert first.end() == -signal.SIGKILL
    second = start("run", "flow.yaml", "--run-id", "second")
    wait_until_said(second, "run r was interrupted, and keeps its slot until: fanwise resume r")
    assert start("resume", "r", "--no-queue").end() == 0
    assert second.end() == 0
    assert status(folder) == "succeeded"


def test_a_run_that_waits_is_given_up_by_a_signal(folder, start) -> None:
    """Nothing of it is recorded, and its place is free."""
    (folder / "flow.yaml").write_text(f"concurrency: 1\n{FLOW}")
    first = start("run", "flow.yaml", "--run-id", "first", WAIT_AT="2")
    wait_for(first, "2")
    second = start("run", "flow.yaml", "--run-id", "r")
    wait_until_said(second, "Waiting for it.")
    second.strike(signal.SIGTERM)
    assert second.end() == 130
    with open_store(str(folder / "runs.db"), read_only=True) as store:
        assert list(store.run_ids()) == ["first"]
        assert [use.waiting for use in store.limits()] == [0]
    (folder / "go").touch()
    assert first.end() == 0


def test_the_slots_of_a_killed_engine_come_free_by_themselves(folder, start) -> None:
    """Another engine takes its run first, and then the one that was held back."""
    (folder / "flow.yaml").write_text(f"concurrency: 1\n{FLOW}")
    for run_id in ("r", "next"):
        assert start("submit", "flow.yaml", "--run-id", run_id).end() == 0
    first = start("work", WAIT_AT="3")
    wait_for(first, "3")
    second = start("work")
    first.strike(signal.SIGKILL)
    assert first.end() == -signal.SIGKILL
    wait_until_said(second, "next  has succeeded")
    stop(second)
    ended = [line.split()[0] for line in second.said if "has succeeded" in line]
    assert ended == ["r", "next"]


def test_of_processes_with_one_key_at_once_one_makes_a_run(folder, start) -> None:
    """The others give the same id."""
    (folder / "flow.yaml").write_text(f"dedupe: {{key: nightly, for: 1h}}\n{FLOW}")
    lives = [start("submit", "flow.yaml") for _ in range(8)]
    assert {life.end() for life in lives} == {0}
    with open_store(str(folder / "runs.db"), read_only=True) as store:
        assert len(store.run_ids()) == 1
