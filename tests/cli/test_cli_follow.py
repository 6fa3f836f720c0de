"""`fanwise show --follow`: a run that another process drives, watched by its records."""

from __future__ import annotations

from msgspec.structs import replace

from fanwise.cli.live.follow import Follower
from fanwise.cli.live.progress import LineDisplay
from fanwise.model import ErrorInfo, Status
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


def test_a_run_is_followed_by_what_is_recorded_of_it():
    """Running tasks with their counts, then their ends; tasks that had ended before aren't told."""
    store, told = MemoryStore(), Told()
    run_no = store.create_run(a_run(status=Status.RUNNING))
    run = store.run("run-1")
    visit = a_task(
        run_no, 2, path="each", status=Status.RUNNING, has_items=True, items_total=9, started_at=1.0
    )
    store.commit([a_task(run_no, 1, path="before", status=Status.SUCCEEDED), visit])
    follower = Follower(runs_of(store), told)
    store.commit([an_item(run_no, no, visit_no=2) for no in range(3)])
    follower.look(run)
    told.refresh()
    assert told.lines == ["each  3/9 done"]
    store.commit([an_item(run_no, 3, visit_no=2, status=Status.FAILED)])
    error = ErrorInfo("ItemsFailed", "1 of 9 items failed")
    store.commit([replace(visit, status=Status.FAILED, error=error)])
    follower.look(run)
    follower.look(run)
    assert told.lines[1].startswith("each  failed  4/9 done, 1 failed  in ")
    assert told.lines[1].endswith("ItemsFailed: 1 of 9 items failed")
    assert len(told.lines) == 2


def test_following_a_run_that_is_over_shows_it(fanwise, write):
    """There is nothing to wait for."""
    write(**{"flow.yaml": "tasks: [{name: a, action: core.noop}]\n"})
    fanwise("run", "flow.yaml", "--run-id", "r")
    told = fanwise("show", "r", "--follow")
    assert (told.status, told.err) == (0, "")
    assert told.out == fanwise("show", "r").out
