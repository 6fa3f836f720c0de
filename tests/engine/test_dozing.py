"""A submitted run that sleeps for long is nobody's meanwhile, and loses no time and no try."""

from __future__ import annotations

from pathlib import Path

import pytest
from crashing import Case, Life, Stage, When

from fanwise.engine.answers import answer_question
from fanwise.model import GivenAnswer, Status, VisitRecord, Wait, WaitKind, WaitState

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S
DAYS = """
tasks:
  - {name: nap, action: core.sleep, needs: [], input: {seconds: 30h}}
  - name: ask
    action: core.ask
    needs: []
    timeout: 3d
    input: {prompt: "?", default: {choice: reject}}
  - name: poll
    action: test.do
    needs: []
    input: {tries: 3}
    retry: {count: 4, delay: 10h, backoff: constant, jitter: false}
  - name: each
    action: ./steps.yaml
    needs: []
    with-items: [1, 2]
    input: {n: "{{ item }}"}
  - {name: end, action: test.do, needs: [nap, ask, poll, each], delay: 5h, input: {value: 1}}
"""
STEPS = {
    "steps.yaml": """
parameters: {n: {required: true}}
tasks:
  - {name: a, action: test.do, input: {value: 1}}
  - {name: s, action: core.sleep, input: {seconds: "{{ parameters.n * 3600 * 20 }}"}}
  - {name: b, action: test.do, input: {value: 2}}
"""
}
HOURS = """
tasks:
  - {name: call, action: ./steps.yaml, needs: [], input: {n: 0.1}}
  - name: poll
    action: test.do
    needs: []
    input: {tries: 3}
    retry: {count: 4, delay: 30m, backoff: constant, jitter: false}
"""
NAP = "tasks: [{name: nap, action: core.sleep, input: {seconds: %s}}]"
SIDE = """
tasks:
  - {name: nap, action: core.sleep, needs: [], input: {seconds: 1h}}
  - {name: work, action: test.do, needs: [], input: {takes: 60}}
"""
RATED = """
tasks:
  - {name: nap, action: core.sleep, needs: [], input: {seconds: 1h}}
  - {name: work, action: test.do, needs: [], with-items: [1, 2, 3], rate: 1/m, input: {value: 1}}
"""
LATER = """
tasks:
  - name: nap
    action: test.do
    input: {sleeps: [600], tries: 2}
    retry: {count: 3, delay: 1s}
"""
WITHIN = """
tasks:
  - name: poll
    action: test.do
    input: {tries: 3}
    retry: {count: 4, delay: 10m, within: 1h, backoff: constant}
"""
TIMED = """
tasks:
  - {name: nap, action: core.sleep, timeout: 20s, input: {seconds: 1h}}
"""
TIMED_CHILD = Case(
    "tasks: [{name: call, action: ./timed.yaml}]",
    {"timed.yaml": "timeout: 20s\ntasks: [{name: nap, action: core.sleep, input: {seconds: 1h}}]"},
)
ITEMS = """
tasks:
  - name: poll
    action: test.do
    with-items: [1, 2, 3]
    concurrency: 1
    input: {tries: 3, value: "{{ item }}"}
    retry: {count: 4, delay: 10m, backoff: constant, jitter: false}
"""


def served(life: Life, hours: int, **death: object) -> None:
    """Have a process come each hour, which lives for a minute and is killed."""
    for _ in range(hours):
        life.serve(60.0, **death)
        life.pass_time(HOUR_S - (life.now() % HOUR_S))


def ended_after(life: Life, path: str) -> float:
    """The hours after the run's beginning at which a task ended."""
    row = next(row for row in life.rows() if row.path == path)
    created = life.record().created_at
    assert row.ended_at is not None
    return (row.ended_at - created) / HOUR_S


def test_a_run_that_waits_for_three_days_is_served_by_processes_killed_each_hour(
    tmp_path: Path,
) -> None:
    """Each of its sleeps, tries and questions ends within the hour in which it is due."""
    life = Stage(Case(DAYS, STEPS), tmp_path).new_life()
    life.submit()
    served(life, 80)
    assert life.record().status is Status.SUCCEEDED
    due = {"nap": 30, "poll": 20, "each[0].b": 20, "each[1].b": 40, "ask": 72, "end": 77}
    for path, hours in due.items():
        assert hours <= ended_after(life, path) <= hours + 2.1, path
    rows = {row.path: row for row in life.rows()}
    assert rows["poll"].attempts == 3
    assert life.world.calls["poll/1"] == 3  # each try was made once
    assert life.world.done_again == life.world.strangers == []
    assert [
        each
        for each in life.store.export("r")
        if isinstance(each, Wait) and each.state is WaitState.OPEN
    ] == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_dies_while_a_run_falls_asleep_loses_nothing(
    tmp_path: Path, when: When
) -> None:
    """Wherever it dies; the next ones wait just for the rest."""
    stage = Stage(Case(HOURS, STEPS), tmp_path)
    for at in range(1, 12):
        life = stage.new_life()
        life.submit()
        life.serve(60.0, at=at, when=when)
        life.pass_time(60.0)
        served(life, 4)
        assert life.record().status is Status.SUCCEEDED
        assert ended_after(life, "call.b") <= 3.1, at
        assert life.world.calls["poll/1"] <= 4  # one of three may be repeated


def test_a_run_that_sleeps_is_waiting_and_owned_by_nobody(tmp_path: Path) -> None:
    """It is due when its first sleep is over, and its wait is no question."""
    life = Stage(Case(NAP % "10m"), tmp_path).new_life()
    life.submit()
    life.serve(5.0)
    record = life.record()
    assert record.status is life.replayed_status() is Status.WAITING
    assert [row.status for row in life.rows()] == [Status.WAITING]
    wake_at = life.store.wake_at(record.run_no)
    assert wake_at == pytest.approx(record.created_at + 600, abs=3)
    assert list(life.store.waits_open()) == list(life.store.unfinished()) == []
    lease = life.store.lease(record.run_no)
    assert lease is not None
    assert lease.engine_no is None
    life.pass_time(600)
    life.serve(5.0)
    assert life.record().status is Status.SUCCEEDED
    assert life.store.wake_at(record.run_no) is None


@pytest.mark.parametrize(
    "text",
    [NAP % "3s", SIDE, RATED, WITHIN],
    ids=["short", "work", "rate", "within"],
)
def test_a_run_with_more_to_do_than_to_sleep_is_driven_on(tmp_path: Path, text: str) -> None:
    """Or whose sleep is short, or that has tries of which a resume would know too little."""
    life = Stage(Case(text), tmp_path).new_life()
    life.submit()
    life.serve(2.5 if text == NAP % "3s" else 30.0)
    assert life.record().status is Status.PENDING  # it was given back, and had not been left


def test_a_later_try_that_sleeps_is_driven_on(tmp_path: Path) -> None:
    """A resume would begin with the first one."""
    life = Stage(Case(LATER), tmp_path).new_life()
    life.submit()
    life.serve(5.0)
    assert life.record().status is Status.WAITING
    life.pass_time(600)
    life.serve(30.0)
    assert life.record().status is Status.PENDING


@pytest.mark.parametrize("case", [Case(TIMED), TIMED_CHILD], ids=["task", "child"])
def test_a_timeout_that_counts_is_kept(tmp_path: Path, case: Case) -> None:
    """It strikes while the sleep lasts."""
    life = Stage(case, tmp_path).new_life()
    life.submit()
    life.serve(30.0)
    record = life.record()
    assert record.status is Status.FAILED
    assert record.error is not None
    assert "timeout" in record.error.message


def test_a_run_by_hand_is_driven_through_its_sleeps(tmp_path: Path) -> None:
    """Nobody else would resume it."""
    life = Stage(Case(NAP % "10h"), tmp_path).new_life()
    run = life.start()
    assert run is not None
    assert run.status is Status.SUCCEEDED


def test_items_wait_for_their_tries_where_they_were(tmp_path: Path) -> None:
    """Each try has its number, and is made once."""
    life = Stage(Case(ITEMS), tmp_path).new_life()
    life.submit()
    for _ in range(4):
        life.serve(60.0)
        assert life.record().status in (Status.WAITING, Status.SUCCEEDED)
        life.pass_time(600)
    assert life.record().status is Status.SUCCEEDED
    assert [item.attempts for _, item in life.items()] == [3, 3, 3]
    assert set(life.world.calls.values()) == {3}


def test_an_answer_wakes_a_run_that_sleeps_as_well(tmp_path: Path) -> None:
    """It takes the answer in, and sleeps on."""
    life = Stage(Case(DAYS, STEPS), tmp_path).new_life()
    life.submit()
    life.serve(5.0)
    given = GivenAnswer(choice="approve", by="ada", via="t")
    answer_question(life.store, life.record(), "ask", given)
    assert life.record().status is Status.PENDING
    life.serve(5.0)
    rows: dict[str, VisitRecord] = {row.path: row for row in life.rows()}
    assert rows["ask"].status is Status.SUCCEEDED
    assert life.record().status is Status.WAITING
    (open_one,) = [
        each
        for each in life.store.export("r")
        if isinstance(each, Wait) and each.state is WaitState.OPEN
    ]
    assert open_one.waits_for is WaitKind.TIME
