"""What is known of a run at its end, and which tasks of the end run then."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from order_runs import plan_of

from fanwise.conductor import (
    CancelRequested,
    EndRun,
    Event,
    PauseRequested,
    RunResumed,
    RunStarted,
    RunTimedOut,
    SettleTask,
    StartTask,
    State,
    TaskEnded,
    TaskPaused,
    decide,
)
from fanwise.context import WorkflowContext
from fanwise.model import ErrorInfo, Status, TaskResult

PLAN = plan_of("""
tasks: [{name: a, action: x.y, needs: []}, {name: b, action: x.y, needs: []}]
on-failure: [{name: alarm, action: x.y}, {name: page, action: x.y}]
finally: [{name: tidy, action: x.y}]
""")
ALARM, PAGE, TIDY = 2, 3, 4
GOOD = TaskResult(Status.SUCCEEDED)
BAD = TaskResult(Status.FAILED, error=ErrorInfo("Boom", "it broke"))
CUT = TaskResult(Status.CANCELLED)


def drive(results: dict[int, TaskResult], *requests: Event) -> tuple[dict[int, Any], EndRun]:
    """The `run` that each started task saw, and the end; requests come once the first has ended."""
    state = State.initial(PLAN.graph, len(PLAN.tasks) - len(PLAN.graph.names))
    events: list[Event] = [RunStarted(WorkflowContext(run={"id": "r"}))]
    asked = list(requests)
    seen: dict[int, Any] = {}
    ended: EndRun | None = None
    while events:
        event = events.pop(0)
        state, commands = decide(PLAN, state, event)
        if isinstance(event, TaskEnded | TaskPaused) and asked:
            events.insert(0, asked.pop(0))
        for command in commands:
            if isinstance(command, StartTask):
                seen[command.task] = command.context.run
                result = results.get(command.task, GOOD)
                events.append(TaskEnded(command.task, command.visit, result))
            elif isinstance(command, SettleTask) and command.result.status is Status.SKIPPED:
                seen[command.task] = "skipped"
            elif isinstance(command, EndRun):
                ended = command
                if command.status is Status.PAUSED:
                    events.append(RunResumed())
    assert ended is not None
    return seen, ended


def test_on_failure_is_skipped_in_a_run_that_succeeds() -> None:
    """Its tasks have no turn, those of `finally` do, and there is no cause."""
    seen, ended = drive({})
    assert (seen[ALARM], seen[PAGE]) == ("skipped", "skipped")
    assert seen[TIDY] == {"id": "r", "status": "succeeded", "error": None, "cause": None}
    assert ended.status is Status.SUCCEEDED


def test_the_end_of_a_failed_run_sees_what_failed() -> None:
    """Tasks before the end see none of it."""
    seen, ended = drive({1: BAD})
    assert seen[0] == {"id": "r"}
    assert seen[ALARM]["status"] == "failed"
    assert seen[ALARM]["cause"] == {"type": "failed", "by": "b"}
    assert seen[TIDY]["error"]["message"] == ended.error.message


def test_a_cancelled_run_says_who_asked_and_has_no_failure() -> None:
    """Its `on-failure` is skipped."""
    seen, ended = drive({0: CUT, 1: CUT}, CancelRequested("ada"))
    assert seen[ALARM] == "skipped"
    assert seen[TIDY]["cause"] == {"type": "cancelled", "by": "ada"}
    assert seen[TIDY]["error"] is None
    assert ended.status is Status.CANCELLED


def test_a_run_over_its_timeout_has_failed_of_that() -> None:
    """Also if a task has failed before."""
    seen, ended = drive({0: BAD, 1: CUT}, RunTimedOut(5.0))
    assert seen[ALARM]["cause"] == {"type": "timed-out", "by": "timeout"}
    assert seen[ALARM]["error"]["type"] == "Timeout"
    assert ended.status is Status.FAILED


def test_a_failure_of_the_end_shows_from_then_on() -> None:
    """`on-failure` has had its turn by then."""
    seen, ended = drive({TIDY: BAD})
    assert seen[ALARM] == "skipped"
    assert seen[TIDY]["status"] == "succeeded"
    assert ended.status is Status.FAILED


OUTCOMES = st.sampled_from([GOOD, BAD, CUT])
REQUESTS = st.sampled_from([CancelRequested("ada"), RunTimedOut(1.0), PauseRequested()])


@given(st.dictionaries(st.integers(0, 4), OUTCOMES), st.lists(REQUESTS, max_size=3))
def test_on_failure_runs_just_if_the_run_has_failed_by_then(
    results: dict[int, TaskResult], requests: list[Event]
) -> None:
    """Before `finally`, which has its turn in any case; a run that started it never succeeds."""
    seen, ended = drive(results, *requests)
    order = [number for number in seen if number >= ALARM]
    assert sorted(order) == order == [ALARM, PAGE, TIDY]
    for number in (ALARM, PAGE):
        if seen[number] != "skipped":
            assert seen[number]["status"] == "failed"
            assert seen[number]["error"] is not None
            assert ended.status is not Status.SUCCEEDED
    if seen[ALARM] == "skipped":
        assert seen[TIDY]["status"] != "failed" or seen[PAGE] != "skipped"
    cause = seen[TIDY]["cause"]
    assert (cause is None) == (seen[TIDY]["status"] == "succeeded")
