"""Whatever a run is doing when its process dies, it goes on from there and ends the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

import pytest

import weft
from weft.errors import StoreError
from weft.model import Request, Run, Status
from weft.stores import open_store
from weft.testing.stores import FailingStore

FAN_OUT = """
tasks:
  - {name: list, action: test.count, input: {of: list, value: [1, 2, 3, 4, 5, 6, 7]}}
  - name: each
    action: test.count
    with-items: "{{ task.list.output }}"
    concurrency: 2
    label: "no {{ item }}"
    tolerate: 2
    input: {of: each, value: "{{ item }}", fails: "{{ item == 3 }}"}
    publish: {n: "{{ result() | reject('none') | list | length }}"}
  - name: after
    action: test.count
    with-items: "{{ task.each.output }}"
    input: {of: after, value: "{{ [item, vars.n] }}"}
output: {all: "{{ task.after.output }}", failed: "{{ task.each.items.failed }}"}
"""

GRAPH = """
vars: {seen: []}
tasks:
  - name: a
    action: test.count
    input: {of: a, value: 1}
    next:
      - {when: "{{ result() == 1 }}", publish: {seen: "{{ vars.seen + ['a'] }}"}, do: [b, c]}
  - name: b
    action: test.count
    input: {of: b, value: 2, fails: true}
    on-error: continue
    next: [{do: middle}]
  - name: c
    action: test.count
    input: {of: c, value: "{{ vars.seen }}"}
    next: [{when: "{{ result() == [] }}", do: never}, {do: d}]
  - {name: never, action: test.count, input: {of: never, value: 0}}
  - name: d
    action: test.count
    input: {of: d, value: "{{ task.a.output }}"}
    next: [{do: middle}]
  - {name: middle, action: test.count, join: all, input: {of: middle}, next: [{do: poll}]}
  - name: poll
    action: test.count
    input: {of: poll, value: "{{ (task.poll.output or 0) + 1 }}"}
    next: [{when: "{{ result() < 3 }}", do: poll}, {when: "{{ result() >= 3 }}", do: last}]
  - name: last
    action: test.count
    when: "{{ task.poll.output > 2 }}"
    input: {of: last, value: 9}
finally:
  - {name: clean, action: test.count, input: {of: clean, value: "{{ task.last.output }}"}}
output: {polled: "{{ task.poll.output }}", seen: "{{ task.c.output }}"}
"""

FAILING = """
tasks:
  - {name: a, action: test.count, input: {of: a, value: 1}}
  - name: b
    action: test.count
    with-items: [1, 2, 3]
    retry: {count: 1, delay: 1s}
    input: {of: b, value: "{{ item }}", fails: "{{ item == 2 }}"}
  - {name: c, action: test.count, input: {of: c, value: 3}}
finally:
  - {name: clean, action: test.count, input: {of: clean, value: 4}}
"""


class Counted:
    """Counts its calls by the idempotency key; what is recorded must not be called again."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._after: tuple[int, Callable[[], object]] = 0, lambda: None

    def after(self, calls: int, what: Callable[[], object]) -> None:
        """Have `what` called once so many calls have begun."""
        self._after = calls, what

    def action(self) -> Any:
        @weft.action("test.count")
        async def count(
            context: weft.ActionContext, of: str, value: Any = None, fails: bool = False
        ) -> Any:
            self.calls[context.idempotency_key] += 1
            if sum(self.calls.values()) == self._after[0]:
                self._after[1]()
            if fails:
                raise weft.ActionError(f"{of} fails", type="Broken")
            return value

        return count


def what_it_gave(run: Run) -> Any:
    tasks = {
        name: (task.status, task.items, task.attempts, task.error)
        for name, task in run.tasks.items()
    }
    return run.status, run.output, run.error, tasks


@pytest.mark.parametrize("text", [FAN_OUT, GRAPH, FAILING], ids=["fan-out", "graph", "failing"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_dies_at_any_commit_goes_on_and_ends_the_same(
    loom, tmp_path, text: str, when: Literal["before", "after"]
) -> None:
    """Every commit is tried, and so is every one of the run that goes on, up to the end."""
    undisturbed = Counted()
    expected = what_it_gave(loom.run(text, undisturbed.action()))
    at = 1
    while True:
        counted = Counted()
        failing = FailingStore(open_store(str(tmp_path / f"{at}.db")), at, when)
        loom.store = failing
        try:
            run = loom.run(text, counted.action())
        except StoreError:
            loom.store = open_store(str(tmp_path / f"{at}.db"))
            if loom.record().status is expected[0]:  # it died after its very last commit
                break
            done = recorded_keys(loom)
            before = Counter(counted.calls)
            run = loom.resume(text, counted.action())
            again = {key for key in done if counted.calls[key] > before[key]}
            assert not again
        if failing.commits < at:
            break
        assert what_it_gave(run) == expected
        assert loom.record().status is run.status
        at += 1
    assert at > 3


def recorded_keys(loom) -> set[str]:
    """The idempotency keys of all work that is recorded as done."""
    record = loom.record()
    done = set()
    for row in loom.store.tasks(record.run_no):
        if row.has_items:
            for item in loom.store.items(record.run_no, row.task_no):
                done.add(f"{record.id}/{row.path}[{item.index}]/{row.visit}")
        elif row.attempts and row.status not in (Status.RUNNING, Status.PAUSED):
            done.add(f"{record.id}/{row.path}/{row.visit}")
    return done


@pytest.mark.parametrize("text", [FAN_OUT, GRAPH], ids=["fan-out", "graph"])
def test_a_run_that_is_paused_at_any_moment_goes_on_and_ends_the_same(
    loom, tmp_path, text: str
) -> None:
    """After each call of an action the run is asked to pause, and then goes on."""
    expected = what_it_gave(loom.run(text, Counted().action()))
    for calls in range(1, 30):
        loom.store = open_store(str(tmp_path / f"{calls}.db"))
        counted = Counted()
        counted.after(calls, lambda: loom.engine.pause())
        run = loom.run(text, counted.action())
        if run.status is Status.PAUSED:
            run = loom.resume(text, counted.action())
        assert what_it_gave(run) == expected
        assert set(counted.calls.values()) == {1}
        if sum(counted.calls.values()) < calls:
            return
    raise AssertionError("the run never came to its end")


def test_a_cancelled_run_cleans_up_and_starts_nothing_else(loom) -> None:
    """What runs is cut off, `finally` runs, and the run says that it was cancelled."""
    counted = Counted()
    counted.after(1, lambda: next(iter(loom.engine._asked)).ask(Request.CANCEL))
    run = loom.run(FAILING, counted.action())
    assert run.status is Status.CANCELLED
    assert run.error is None
    assert [run.tasks[name].status for name in ("b", "c", "clean")] == [
        Status.CANCELLED,
        Status.CANCELLED,
        Status.SUCCEEDED,
    ]


def test_a_paused_run_that_is_cancelled_runs_nothing_but_its_clean_up(loom) -> None:
    """Its tasks that had not started are cancelled."""
    counted = Counted()
    counted.after(1, lambda: loom.engine.pause())
    assert loom.run(FAILING, counted.action()).status is Status.PAUSED
    run = loom.resume(FAILING, counted.action(), cancel=True)
    assert run.status is Status.CANCELLED
    assert [key.split("/")[1] for key in counted.calls] == ["a", "clean"]
