"""What takes the place of an action: values, exceptions, functions, and choices among them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fanwise
from fanwise.errors import UsageError
from fanwise.testing import Outcome, fails, in_turn, per_item, per_task, rehearse


def run(result: Any, **task: Any) -> Outcome:
    """A rehearsal of one task whose action has this result."""
    only = {"name": "only", "action": "x.y", **task}
    return rehearse({"tasks": [only], "output": "{{ task.only.output }}"}, actions={"x.y": result})


def error(outcome: Outcome) -> fanwise.ErrorInfo:
    """Why the task failed."""
    found = outcome.tasks["only"].error
    assert found is not None
    return found


async def waits(n: int) -> int:
    await asyncio.sleep(60)
    return n + 1


@pytest.mark.parametrize(
    ("result", "output"),
    [
        (None, None),
        ([1, {"a": 2}], [1, {"a": 2}]),
        (lambda n: n + 1, 6),
        (lambda **given: given, {"n": 5}),
        (waits, 6),
        (Mock(return_value=7), 7),
        (AsyncMock(return_value=8), 8),
    ],
    ids=["null", "list", "lambda", "names", "coroutine", "mock", "async mock"],
)
def test_a_value_is_the_result_and_a_function_gives_it(result: Any, output: Any):
    """A function is called with the input, as the action would be; a list is a list."""
    assert run(result, input={"n": 5}).output == output


@pytest.mark.parametrize("result", [ValueError("bad"), ValueError])
def test_an_exception_is_raised_in_each_attempt(result: Any):
    """An instance or a class, as `raise` takes them."""
    outcome = run(result, retry={"count": 2, "delay": "1s"})
    assert (error(outcome).type, outcome.tasks["only"].attempts) == ("ValueError", 3)


def test_a_function_may_ask_for_the_context_of_its_attempt():
    """By a parameter annotated as `fanwise.ActionContext`, whatever its name, as in an action."""

    def answer(n: int, about: fanwise.ActionContext) -> str:
        return f"{about.idempotency_key} {about.attempt} {n}"

    assert run(answer, input={"n": 5}).output == "rehearsal/only/1 1 5"


def test_what_a_function_raises_fails_the_attempt():
    """Also if it doesn't take the input that the workflow gives."""
    assert error(run(lambda: 1, input={"n": 5})).type == "TypeError"


def test_fails_takes_what_an_action_error_takes():
    """Type, message, data, and whether another attempt is worth it."""
    result = fails("Gone", "it has left.", data={"code": 410}, retry=False)
    outcome = run(result, retry={"count": 5})
    assert error(outcome) == fanwise.ErrorInfo("Gone", "it has left.", {"code": 410})
    assert outcome.tasks["only"].attempts == 1


@settings(deadline=None, max_examples=30)
@given(times=st.integers(0, 5), count=st.integers(0, 5), delay_s=st.integers(1, 1_000))
def test_fails_so_many_times_and_then_gives_a_result(times: int, count: int, delay_s: int):
    """A task that is tried often enough succeeds, at the time that its back-off makes."""
    outcome = run(
        fails("Busy", times=times, then="done"), retry={"count": count, "delay": f"{delay_s}s"}
    )
    tries = min(times, count) + 1
    assert outcome.tasks["only"].attempts == tries
    assert outcome.output == ("done" if times <= count else None)
    assert outcome.status == ("succeeded" if times <= count else "failed")
    assert outcome.duration_s == delay_s * (2 ** (tries - 1) - 1)


def test_in_turn_counts_for_each_item_by_itself_and_its_last_result_stays():
    """However the items' attempts mingle."""
    outcome = run(
        in_turn(fails("Busy"), "second", "third"),
        **{"with-items": {"range": 20}, "retry": {"count": 1, "delay": "1s"}},
    )
    assert outcome.output == ["second"] * 20
    assert all(item.attempts == 2 for item in outcome.items["only"])
    assert run(in_turn(fails("Busy")), retry={"count": 3}).tasks["only"].attempts == 4


def test_in_turn_goes_on_counting_when_a_task_is_visited_again():
    """So a workflow that goes back to poll can be rehearsed."""
    flow = """
    tasks:
      - name: poll
        action: job.status
        next:
          - {when: "{{ result() != 'done' }}", do: wait}
          - {when: "{{ result() == 'done' }}", do: fetch}
      - {name: wait, action: core.sleep, input: {seconds: 30}, next: poll}
      - {name: fetch, action: core.noop}
    """
    outcome = rehearse(flow, actions={"job.status": in_turn("queued", "running", "done")})
    assert outcome.order == ["poll", "wait", "poll", "wait", "poll", "fetch"]
    assert outcome.tasks["poll"].output == "done"
    assert outcome.duration_s == 60.0


def test_per_item_takes_a_list_or_a_map_with_a_result_for_the_others():
    """An item's index is its place in the list of items."""
    many = {"with-items": {"range": 3}, "tolerate": 3}
    assert run(per_item(["a", "b", "c"]), **many).output == ["a", "b", "c"]
    assert run(per_item({1: fails("Gone")}, otherwise="ok"), **many).output == ["ok", None, "ok"]
    nested = per_item({0: in_turn(fails("Busy"), "a")}, otherwise=lambda: "b")
    assert run(nested, **many, retry={"count": 1}).output == ["a", "b", "b"]


def test_per_task_tells_the_tasks_apart_that_call_the_same_action():
    """By name, whatever the order."""
    flow = """
    tasks:
      - {name: fetch, action: core.http, input: {url: "http://example.org"}}
      - {name: send, action: core.http, input: {url: "http://example.org", method: POST}}
    output: ["{{ task.fetch.output.status }}", "{{ task.send.error.type }}"]
    """
    stand_in = per_task({"send": fails("Down"), "fetch": {"status": 200}})
    outcome = rehearse(flow, actions={"core.http": stand_in}, only_replaced=True)
    assert outcome.output == [200, "Down"]


def test_in_a_child_workflow_the_item_is_the_nearest_one_above(tmp_path: Any):
    """Tasks of a child are named by their path, without the items."""
    (tmp_path / "child.yaml").write_text(
        "tasks:\n  - {name: login, action: x.call}\n  - {name: fetch, action: x.call}\n"
        "output: '{{ task.fetch.output }}'\n"
    )
    (tmp_path / "flow.yaml").write_text(
        "tasks: [{name: check, action: ./child.yaml, with-items: [5, 6], tolerate: 1}]\n"
        "output: '{{ task.check.output }}'\n"
    )
    stand_in = per_task({"check.login": None, "check.fetch": per_item(["a", fails("Gone")])})
    outcome = rehearse(tmp_path / "flow.yaml", actions={"x.call": stand_in})
    assert outcome.output == ["a", None]
    gone = outcome.items["check"][1].error
    assert gone is not None
    assert (gone.type, gone.data["path"]) == ("RunFailed", "check[1]")


@pytest.mark.parametrize(
    ("result", "task", "message"),
    [
        (
            per_item({0: 1}),
            {"with-items": [1, 2]},
            'no result for item 1 of task "only".*otherwise',
        ),
        (per_item([1]), {}, "has no items"),
        (per_task({"other": 1}), {}, 'no result for task "only". It has: "other"'),
        (in_turn(per_item({0: 1})), {"with-items": [1, 2]}, "no result for item 1"),
    ],
)
def test_a_call_without_a_result_is_an_error_of_the_test(
    result: Any, task: dict[str, Any], message: str
):
    """It is raised, so that no tolerance and no retry hides it."""
    with pytest.raises(UsageError, match=rf'the stand-in of "x\.y" .*{message}'):
        run(result, **task, **{"on-error": "continue"})


def test_in_turn_needs_a_result():
    """Without one it would have nothing to stay with."""
    with pytest.raises(UsageError, match="one result at least"):
        in_turn()


@pytest.mark.parametrize(
    "make", [lambda: fails("Busy", times=1, then=2), lambda: in_turn(fails("Busy"), 2)]
)
def test_a_stand_in_may_be_used_again(make: Callable[[], Any]):
    """It keeps nothing of a rehearsal."""
    stand_in = make()
    for _ in range(2):
        outcome = run(stand_in, retry={"count": 1})
        assert (outcome.output, outcome.tasks["only"].attempts) == (2, 2)
