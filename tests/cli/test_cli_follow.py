"""`fanwise show --follow`: a run that another process drives, watched by its records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial

from msgspec.structs import replace

from fanwise.cli.live.follow import Follower
from fanwise.cli.live.progress import LineDisplay
from fanwise.definition import Tolerance
from fanwise.model import ErrorInfo, Limits, RecordedEvent, RequestKind, Status, VisitProgress
from fanwise.reports.questions import driven_time, followed_run, shown_run
from fanwise.reports.sight import Sight
from fanwise.system import SystemProcesses
from fanwise.testing.records import a_run, a_task, an_item
from fanwise.testing.stores import MemoryStore
from fanwise.wiring import runs_of


class Told(LineDisplay):
    """Keeps the lines that it would print."""

    def __init__(self) -> None:
        super().__init__(lambda: 100.0)
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def a_sight(store: MemoryStore) -> Sight:
    """The store as it is seen at second 100."""
    return Sight(store, runs_of(store), Limits(), 100.0, "ada")


def a_follower(
    told: Told, store: MemoryStore, tolerances: Mapping[str, Tolerance] | None = None
) -> Follower:
    """A follower of the store's run."""
    return Follower(told, tolerances or {}, partial(driven_time, a_sight(store), "run-1"))


def look(follower: Follower, store: MemoryStore) -> None:
    """Have a follower look at the run once more."""
    follower.look(followed_run(a_sight(store), "run-1"))


def test_a_run_is_followed_by_what_is_recorded_of_it():
    """Running tasks with their counts, then their ends; tasks that had ended before aren't told."""
    store, told = MemoryStore(), Told()
    run_no = store.create_run(a_run(status=Status.RUNNING))
    visit = a_task(
        run_no, 2, path="each", status=Status.RUNNING, has_items=True, items_total=9, started_at=1.0
    )
    store.commit([a_task(run_no, 1, path="before", status=Status.SUCCEEDED), visit])
    follower = a_follower(told, store)
    store.commit([an_item(run_no, no, visit_no=2) for no in range(3)])
    look(follower, store)
    told.refresh()
    assert told.lines == ["each  3/9 done"]
    store.commit([an_item(run_no, 3, visit_no=2, status=Status.FAILED)])
    error = ErrorInfo("ItemsFailed", "1 of 9 items failed")
    store.commit([replace(visit, status=Status.FAILED, error=error)])
    look(follower, store)
    look(follower, store)
    assert told.lines[1].startswith("each  failed  4/9 done, 1 failed  in ")
    assert told.lines[1].endswith("ItemsFailed: 1 of 9 items failed")
    assert len(told.lines) == 2


def test_a_task_that_was_paused_took_the_time_that_the_table_tells():
    """From 1 to 10 and from 60 to 65, while its record lasts from 1 to 65."""
    store, told = MemoryStore(), Told()
    run_no = store.create_run(a_run(status=Status.RUNNING, started_at=0.5))
    store.commit(
        RecordedEvent(run_no, seq, kind, json.dumps({"at": at, "since_s": since_s}).encode())
        for seq, (kind, at, since_s) in enumerate(
            [("RunStarted", 0.5, 0.0), ("RunResumed", 60.0, 9.5)], 1
        )
    )
    visit = a_task(run_no, 1, path="a", status=Status.RUNNING, started_at=1.0)
    store.commit([visit])
    follower = a_follower(told, store)
    look(follower, store)
    store.commit([replace(visit, status=Status.SUCCEEDED, ended_at=65.0)])
    look(follower, store)
    assert told.lines == ["a  succeeded  in 14.00 s"]
    assert shown_run(a_sight(store), "run-1").seen.duration_s("a") == 14.0


def test_items_that_run_and_wait_are_shown_while_a_process_drives_the_run():
    """As its engine has recorded them; what is recorded of a process that is gone means nothing."""
    store, told = MemoryStore(), Told()
    engine_no = store.enroll(SystemProcesses().this())
    run_no = store.create_run(a_run(status=Status.RUNNING), engine_no)
    visit = a_task(run_no, 1, path="each", has_items=True, items_total=9, started_at=1.0)
    store.commit([visit, an_item(run_no, 0), VisitProgress(run_no, 1, 2.0, 9, 4, 2, 1.0)])
    follower = a_follower(told, store)
    look(follower, store)
    told.refresh()
    store.release(run_no, 1)
    look(follower, store)
    told.refresh()
    assert told.lines == ["each  1/9 done, 4 running, 2 to retry", "each  1/9 done"]


def test_that_a_run_is_being_stopped_or_fails_is_shown_as_its_own_process_shows_it():
    """Once for each request, without an estimate of the time left; a task that fails is red."""
    store, told = MemoryStore(), Told()
    engine_no = store.enroll(SystemProcesses().this())
    run_no = store.create_run(a_run(status=Status.RUNNING), engine_no)
    each = {"status": Status.RUNNING, "has_items": True, "items_total": 100, "started_at": 1.0}
    store.commit([a_task(run_no, 1, path="some", **each), a_task(run_no, 2, path="none", **each)])
    runs, run = runs_of(store), store.run("run-1")
    tolerances = {"some": Tolerance(count=1), "none": Tolerance(count=0)}
    follower = a_follower(told, store, tolerances)
    failed = [an_item(run_no, 0, visit_no=no, status=Status.FAILED) for no in (1, 2)]
    store.commit(failed)
    look(follower, store)
    shown = {name: meter.progress for name, meter in told.shown()}
    assert {name: progress.is_failing for name, progress in shown.items()} == {
        "some": False,
        "none": True,
    }
    assert not any(progress.is_stopping for progress in shown.values())
    for _ in range(2):
        runs.send(run, RequestKind.PAUSE)
        look(follower, store)
        runs.send(run, RequestKind.CANCEL)
        look(follower, store)
    assert all(progress.is_stopping for progress in shown.values())
    assert told.lines == [
        "Notice: run-1 was asked to pause, and is being stopped.",
        "Notice: run-1 was asked to cancel, and is being stopped.",
    ]


def test_following_a_run_that_is_over_shows_it(fanwise, write):
    """There is nothing to wait for."""
    write(**{"flow.yaml": "tasks: [{name: a, action: core.noop}]\n"})
    fanwise("run", "flow.yaml", "--run-id", "r")
    told = fanwise("show", "r", "--follow")
    assert (told.status, told.err) == (0, "")
    assert told.out == fanwise("show", "r").out
