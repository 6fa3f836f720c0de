"""What is to be waited for is waited for once, however often a process dies meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from crashing import Case, Life, Stage, When

from fanwise.model import RequestKind, Sleep, Status
from fanwise.testing.jumping_loop import STARTS_AT

HOUR = 3_600.0
SOLO = "tasks: [{name: nap, action: test.do, input: {sleeps: [3600]}}]"
CORE = "tasks: [{name: nap, action: core.sleep, input: {seconds: 3600}}]"
DELAYED = "tasks: [{name: nap, action: test.do, delay: 1h}]"
ITEMS = """
tasks:
  - {name: nap, action: test.do, with-items: [3600, 1800], input: {sleeps: ["{{ item }}"]}}
"""
STEP = """
tasks:
  - {name: first, action: test.do}
  - {name: nap, action: core.sleep, input: {seconds: 3600}}
"""
CALLING = {
    "once": "tasks: [{name: call, action: ./child.yaml}]",
    "per item": "tasks: [{name: call, action: ./child.yaml, with-items: [1, 2]}]",
    "two deep": "tasks: [{name: call, action: ./outer.yaml, with-items: [1, 2]}]",
}
CHILDREN = {"child.yaml": STEP, "outer.yaml": CALLING["per item"]}
CASES = {
    "a task": Case(SOLO),
    "core.sleep": Case(CORE),
    "delay": Case(DELAYED),
    "items": Case(ITEMS),
    **{f"steps: {name}": Case(text, CHILDREN) for name, text in CALLING.items()},
}


def about(seconds: float) -> Any:
    """So long; what threads take when a process ends is real time."""
    return pytest.approx(seconds, abs=1)


def took_s(life: Life) -> float:
    """How long the run took from its start, through all of its processes."""
    record = life.record()
    assert record.started_at is not None
    assert record.ended_at is not None
    return record.ended_at - record.started_at


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", CASES)
def test_a_crash_begins_no_wait_anew(tmp_path: Path, name: str, when: When) -> None:
    """Dying and going on at any commit takes no time here, so the run takes as long as ever."""
    stage = Stage(CASES[name], tmp_path)
    life = stage.new_life()
    life.start()
    assert took_s(life) == about(HOUR)
    for at in range(1, life.commits):
        life = stage.new_life()
        life.start(at=at, when=when)
        life.go_on()
        assert took_s(life) == about(HOUR)
        assert life.record().status is Status.SUCCEEDED


def test_time_that_passes_while_nobody_drives_the_run_counts(tmp_path: Path) -> None:
    """Of what is over by then nothing is left to be waited for."""
    stage = Stage(Case(ITEMS), tmp_path)
    life = stage.new_life()
    life.start(at=3, when="after")
    life.pass_time(HOUR - 600)
    life.go_on()
    assert took_s(life) == about(HOUR)
    life = stage.new_life()
    life.start(at=3, when="after")
    life.pass_time(2 * HOUR)
    life.go_on()
    assert took_s(life) == about(2 * HOUR)


@pytest.mark.parametrize("name", CASES)
def test_a_clock_that_is_set_back_prolongs_no_wait(tmp_path: Path, name: str) -> None:
    """A wait that was begun takes as long as was asked for, at most."""
    stage = Stage(CASES[name], tmp_path)
    life = stage.new_life()
    life.start(at=4, when="after")
    life.pass_time(-10 * HOUR)
    before = life.now()
    life.go_on()
    assert life.now() - before < 2 * HOUR + 1


def test_an_attempt_that_sleeps_several_times_passes_over_those_that_are_over(
    tmp_path: Path,
) -> None:
    """Whatever it does between them is done again."""
    stage = Stage(
        Case("tasks: [{name: nap, action: test.do, input: {sleeps: [1800, 0.5, 1200, 600]}}]"),
        tmp_path,
    )
    life = stage.new_life()
    life.start()
    for at in range(1, life.commits):
        life = stage.new_life()
        life.start(at=at, when="after")
        life.go_on()
        assert took_s(life) == about(HOUR)


def test_an_attempt_that_is_tried_again_sleeps_again(tmp_path: Path) -> None:
    """Only what a crash has cut short is gone on with."""
    stage = Stage(
        Case("""
tasks:
  - {name: nap, action: test.do, retry: {count: 1, delay: 0s}, input: {sleeps: [600], tries: 2}}
"""),
        tmp_path,
    )
    for death in ({}, {"at": 2, "when": "after"}):  # which is in the sleep of the first try
        life = stage.new_life()
        life.start(**death)
        life.go_on()
        assert took_s(life) == about(1_200)


FAILING_STEP = """
tasks:
  - {name: nap, action: core.sleep, input: {seconds: 600}}
  - {name: end, action: test.do, input: {breaks: true}}
"""


@pytest.mark.parametrize(
    ("keys", "slept_s"),
    [
        ("action: test.do, input: {sleeps: [600], breaks: true}", 600),
        ("action: test.do, with-items: [1], input: {sleeps: [600], breaks: true}", 600),
        ("action: ./child.yaml", 0),
        ("action: ./child.yaml, with-items: [1]", 0),
    ],
    ids=["a task", "an item", "a step", "an item's step"],
)
def test_a_retry_of_a_run_sleeps_again(tmp_path: Path, keys: str, slept_s: float) -> None:
    """An attempt that failed does; a step of a child that had succeeded is kept with its sleep."""
    case = Case(f"tasks: [{{name: a, {keys}}}]", {"child.yaml": FAILING_STEP})
    life = Stage(case, tmp_path).new_life()
    life.start()
    life.world.is_mended = True
    before = life.now()
    run = life.retry()
    assert run is not None
    assert run.status is Status.SUCCEEDED
    assert life.now() - before == about(slept_s)


RETRIED = """
tasks:
  - {name: nap, action: test.do, retry: {count: 1, delay: 1h, jitter: false}, input: {calls: 2}}
"""
WAITS = {
    "a task": (Case(SOLO), HOUR),
    "core.sleep": (Case(CORE), HOUR),
    "delay": (Case(DELAYED), HOUR),
    "items": (Case(ITEMS), HOUR),
    "a retry": (Case(RETRIED), 0),
    "a step": (Case(CALLING["per item"], CHILDREN), HOUR),
    "a step two deep": (Case(CALLING["two deep"], CHILDREN), HOUR),
    "a step's delay": (Case(CALLING["per item"], {"child.yaml": DELAYED}), HOUR),
    "a step's retry": (Case(CALLING["once"], {"child.yaml": RETRIED}), 0),
    "a step's items": (Case(CALLING["once"], {"child.yaml": ITEMS}), HOUR),
}


@pytest.mark.parametrize("name", WAITS)
def test_a_pause_waits_for_no_sleep(tmp_path: Path, name: str) -> None:
    """A run that merely waits is paused at once, and waits on where it was when resumed."""
    case, took = WAITS[name]
    life = Stage(case, tmp_path).new_life()
    life.asks_at = (600, RequestKind.PAUSE)
    run = life.start()
    assert run is not None
    assert run.status is Status.PAUSED
    assert life.now() - STARTS_AT == about(600)
    life.pass_time(600)
    life.go_on()
    assert life.record().status is Status.SUCCEEDED
    assert took_s(life) == about(took or 1_200)


def test_a_pause_lets_what_is_at_work_beside_a_sleep_finish(tmp_path: Path) -> None:
    """What sleeps is cut off as soon as nothing else is in flight."""
    case = Case(
        """
tasks:
  - {name: nap, action: core.sleep, needs: [], input: {seconds: 3600}}
  - {name: work, action: test.do, needs: [], input: {takes: 10, sleeps: [0.5]}}
""",
        asks={"work/1": RequestKind.PAUSE},
    )
    life = Stage(case, tmp_path).new_life()
    run = life.start()
    assert run is not None
    assert run.status is Status.PAUSED
    assert life.now() - STARTS_AT == about(10.5)
    assert [row.path for row in life.rows() if row.status is Status.SUCCEEDED] == ["work"]


def test_a_pause_lets_an_action_finish_that_works_beside_its_own_sleep(tmp_path: Path) -> None:
    """An action may sleep in one task of asyncio and work in another."""
    case = Case(
        "tasks: [{name: nap, action: test.do, input: {beside: 20}}]",
        asks={"nap/1": RequestKind.PAUSE},
    )
    life = Stage(case, tmp_path).new_life()
    run = life.start()
    assert run is not None
    assert run.status is Status.SUCCEEDED
    assert life.now() - STARTS_AT == about(20)


def test_a_short_sleep_is_not_recorded(tmp_path: Path) -> None:
    """It would take longer to record it than to sleep."""
    stage = Stage(
        Case("tasks: [{name: nap, action: test.do, input: {sleeps: [0.9, 1]}}]"), tmp_path
    )
    life = stage.new_life()
    life.start()
    sleeps = [each for each in life.store.export("r") if isinstance(each, Sleep)]
    assert [(each.path, each.turn) for each in sleeps] == [("nap", 2)]


def test_the_time_within_which_a_task_is_tried_counts_on_when_a_run_is_resumed(
    tmp_path: Path,
) -> None:
    """It counts from the first start of the task, behind its delay; one try is made at least."""
    text = """
tasks:
  - name: nap
    action: test.do
    delay: 10m
    retry: {count: 99, delay: 10m, backoff: constant, jitter: false, within: 1h}
    input: {breaks: true}
"""
    life = Stage(Case(text), tmp_path).new_life()
    life.asks_at = (HOUR - 60, RequestKind.PAUSE)
    life.start()
    assert life.world.calls["nap/1"] == 5
    life.pass_time(300)
    life.go_on()
    assert life.world.calls["nap/1"] == 6
    assert life.record().status is Status.FAILED
