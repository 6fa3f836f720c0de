"""Called workflows that take slots: these are free again, however a child comes to stop."""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from crashing import Case, Life, Stage, When
from msgspec.structs import replace

import fanwise
from fanwise.engine.answers import answer_question
from fanwise.engine.child_slots import ChildSlots
from fanwise.model import ChildSlot, GivenAnswer, RequestKind, RunLimit, SlotWish, Status
from fanwise.stores import Store

CALLS = """
tasks:
  - {name: call, action: ./child.yaml, with-items: [1, 2, 3], input: {n: "{{ item }}"}}
output: "{{ task.call.output }}"
"""
WORKS = """
concurrency: {limit: 1, children: true}
parameters: {n: {type: integer}}
tasks: [{name: do, action: test.do, input: {value: "{{ parameters.n }}", takes: 60}}]
output: "{{ task.do.output }}"
"""
ASKS = """
concurrency: {limit: 1, children: true}
parameters: {n: {type: integer}}
tasks:
  - {name: ask, action: core.ask, input: {prompt: "{{ parameters.n }}?"}}
  - {name: do, action: test.do, input: {value: "{{ parameters.n }}"}}
output: "{{ task.do.output }}"
"""


def stage(folder: Path, child: str, text: str = CALLS) -> Stage:
    return Stage(Case(text, {"child.yaml": child}), folder)


def require_turns(life: Life) -> None:
    """Of the steps of children that have succeeded no two were at work at the same time."""
    steps = sorted(
        (row.started_at, row.ended_at)
        for row in life.rows()
        if row.path.endswith(".do") and row.status is Status.SUCCEEDED
    )
    assert len(steps) == 3
    assert all(ended <= began for (_, ended), (began, _) in pairwise(steps))


def test_a_child_that_waits_for_an_answer_lets_the_next_one_have_its_slot(tmp_path: Path) -> None:
    """All of them ask, and each takes a slot again once it is answered."""
    life = stage(tmp_path, ASKS).new_life()
    life.start()
    assert life.record().status is Status.WAITING
    assert list(life.store.limits()) == []
    asked = [each.wait.path for each in life.store.waits_open(run_no=life.record().run_no)]
    assert sorted(asked) == [f"call[{index}].ask" for index in range(3)]
    for path in asked:
        given = GivenAnswer(choice="approve", by="ada", via="test")
        answer_question(life.store, life.record(), path, given)
    run = life.resume()
    assert run is not None
    assert run.output == [1, 2, 3]
    assert list(life.store.limits()) == []


@pytest.mark.parametrize("request_", [RequestKind.PAUSE, RequestKind.CANCEL])
def test_a_run_that_is_stopped_keeps_no_slot_of_a_child(
    tmp_path: Path, request_: RequestKind
) -> None:
    """Neither of one that works nor of those in line; what is left goes on one by one."""
    life = stage(tmp_path, WORKS).new_life()
    life.asks_at = (30.0, request_)
    run = life.start()
    assert run is not None
    assert list(life.store.limits()) == []
    if request_ is RequestKind.CANCEL:
        assert run.status is Status.CANCELLED
        return
    assert run.status is Status.PAUSED
    run = life.resume()
    assert run is not None
    assert run.output == [1, 2, 3]
    require_turns(life)
    assert list(life.store.limits()) == []


def test_a_child_whose_time_is_up_gives_its_slot_to_the_next_one(tmp_path: Path) -> None:
    """Those in line when theirs is up had none."""
    text = CALLS.replace("with-items", "timeout: 30s, tolerate: 100%, with-items")
    life = stage(tmp_path, WORKS, text).new_life()
    life.start()
    errors = [None if item.error is None else b"imeout" in item.error for _, item in life.items()]
    assert errors == [True, True, True]
    assert list(life.store.limits()) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_whoever_takes_over_the_run_of_a_killed_process_frees_its_slots(
    tmp_path: Path, when: When
) -> None:
    """At whatever commit that was; the children that are left take their turns again."""
    case = stage(tmp_path, WORKS)
    life = case.new_life()
    life.start()
    for at in range(1, life.commits + 1):
        life = case.new_life()
        life.start(at=at, when=when)
        if life.store.run("r") is None:
            continue
        life.go_on()
        assert life.record().status is Status.SUCCEEDED
        require_turns(life)
        assert list(life.store.limits()) == []


@fanwise.action("test.nothing")
def _nothing() -> None: ...


class _SlowSlots:
    """The slots of a store, which give one to a child only once they are told to."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_asked = asyncio.Event()
        self.goes_on = threading.Event()
        self._loop = asyncio.get_running_loop()

    def take_child(self, child: ChildSlot, wish: SlotWish) -> None:
        self._loop.call_soon_threadsafe(self.is_asked.set)
        self.goes_on.wait()
        self._store.take_child(child, wish)

    def free_child(self, child: ChildSlot, limit: RunLimit) -> None:
        self._store.free_child(child, limit)


def test_a_child_that_is_cut_off_while_it_takes_a_slot_leaves_none_behind(loom: Any) -> None:
    """The store may have given it by then, or give it a little later."""
    loom.use_real_time()

    async def cut_off() -> None:
        slots = _SlowSlots(loom.store)
        services = replace(loom.services(), run_slots=slots)
        record = loom.record()
        told: list[str] = []
        of_run = ChildSlots(services, record.id, record.run_no, 1, told.append)

        async def enter(path: str) -> None:
            async with of_run.entered(RunLimit("child"), path):
                raise AssertionError(path)

        first, second = (asyncio.create_task(enter(f"call[{index}]")) for index in range(2))
        await slots.is_asked.wait()
        for task in (first, second):
            task.cancel()
        await asyncio.wait([second])  # which has nothing to wait for
        slots.goes_on.set()
        await asyncio.wait([first, second])
        assert first.cancelled()
        assert second.cancelled()
        assert told == []

    loom.run("tasks: [{name: a, action: test.nothing}]", _nothing)
    asyncio.run(cut_off())
    assert list(loom.store.limits()) == []
