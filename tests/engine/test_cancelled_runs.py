"""A run that is cancelled cuts off what runs and cleans up, wherever it stood."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from crashing import Cast

import fanwise
from fanwise.errors import StoreError
from fanwise.model import Status
from fanwise.stores import open_store
from fanwise.testing.stores import FailingStore

FLOW = """
vars: {n: 1}
tasks:
  - {name: a, action: test.do, input: {of: a}}
  - {name: b, action: test.do, with-items: [1, 2, 3], input: {of: "b{{ item }}"}}
  - {name: c, action: test.do, when: "{{ vars.n == 1 }}", input: {of: c}}
finally:
  - {name: clean, action: test.do, input: {of: clean}}
  - {name: tidy, action: test.do, input: {of: tidy}}
output: {a: "{{ task.a.output }}"}
"""


class Doing:
    """Notes what its action is called for."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def action(self) -> Any:
        @fanwise.action("test.do")
        async def do(of: str) -> str:
            self.done.append(of)
            return of

        return do


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_died_at_any_commit_and_is_cancelled_runs_its_clean_up_only(
    loom, tmp_path, when: Literal["before", "after"]
) -> None:
    """What was in flight isn't started again, and what was recorded by then stays."""
    at = 0
    while True:
        at += 1
        doing = Doing()
        loom.processes = Cast()
        failing = FailingStore(open_store(str(tmp_path / f"{at}.db")), at, when)
        loom.store = failing
        try:
            loom.run(FLOW, doing.action())
        except StoreError:
            pass
        else:
            break
        loom.store = open_store(str(tmp_path / f"{at}.db"))
        if loom.record().status is Status.SUCCEEDED:  # it died after its very last commit
            break
        before = {row.path: row for row in loom.rows()}
        doing.done.clear()
        run = loom.resume(FLOW, doing.action(), cancel=True)
        assert run.status is Status.CANCELLED or not doing.done
        cleaned = [name for name in ("clean", "tidy") if name in doing.done]
        assert doing.done == cleaned
        for path, row in before.items():
            if row.status.is_final:
                assert run.tasks[path].status is row.status
        assert all(task.status.is_final for task in run.tasks.values())
    assert at > 8
