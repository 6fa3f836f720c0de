"""`retry.until`: a success that isn't the awaited one is tried again, for polling."""

from __future__ import annotations

import asyncio

import msgspec

import fanwise
from fanwise.errors import ActionError
from fanwise.model import ErrorInfo, Status


def poller(answers: dict[int, int], *, at: list[float] | None = None, loom=None):
    """An action that answers `done` at the call whose number is given, item by item."""
    calls: dict[int, int] = {}

    @fanwise.action("test.poll")
    async def poll(job: int = 0) -> dict:
        if at is not None:
            at.append(loom.clock.monotonic())
        calls[job] = calls.get(job, 0) + 1
        return {"state": "done" if calls[job] >= answers.get(job, 1) else "busy", "job": job}

    return poll


ONE = """
tasks:
  - name: wait
    action: test.poll
    retry: {count: 5, delay: 2s, backoff: constant, jitter: false,
            until: "{{ result().state == 'done' }}"}
output: "{{ task.wait.output.state }}"
"""

EACH = """
tasks:
  - name: wait
    action: test.poll
    with-items: [1, 2, 3]
    tolerate: 1
    input: {job: "{{ item }}"}
    retry: {count: 2, delay: 1s, until: "{{ result().state == 'done' and result().job == item }}"}
output: "{{ task.wait.output }}"
"""


def test_a_task_is_tried_again_until_its_result_is_the_awaited_one(loom) -> None:
    """Between the tries lies the wait that `retry` says, and the last result is the task's."""
    at: list[float] = []
    run = loom.run(ONE, poller({0: 4}, at=at, loom=loom))
    assert run.output == "done"
    assert run.tasks["wait"].attempts == 4
    assert at == [0, 2, 4, 6]


def test_a_first_result_that_is_the_awaited_one_ends_the_task(loom) -> None:
    run = loom.run(ONE, poller({}))
    assert (run.output, run.tasks["wait"].attempts) == ("done", 1)


def test_items_are_polled_one_by_one_and_fail_when_no_try_is_left(loom) -> None:
    """The error names its kind, where `until` stands, and the tries; tolerate counts it."""
    run = loom.run(EACH, poller({1: 1, 2: 3, 3: 4}))
    assert run.status is Status.SUCCEEDED
    assert run.output == [{"state": "done", "job": 1}, {"state": "done", "job": 2}, None]
    (failed,) = loom.items(status=Status.FAILED)
    error = msgspec.json.decode(failed.error, type=ErrorInfo)
    assert (failed.index, failed.attempts, failed.output) == (2, 3, None)
    assert error.type == "UntilNotMet"
    assert error.data == {"result": {"state": "busy", "job": 3}}
    assert "flow.yaml:8:41  retry.until is not true after attempt 3, the last one." in error.message


def test_failures_are_judged_by_when_and_successes_by_until(loom) -> None:
    """Both share the tries that `count` gives; a failure that `when` refuses ends the task."""
    answers = iter([{"state": "busy"}, "Again", {"state": "busy"}, "Fatal", {"state": "done"}])

    @fanwise.action("test.poll")
    async def poll() -> dict:
        answer = next(answers)
        if isinstance(answer, str):
            raise ActionError("no", type=answer)
        return answer

    run = loom.run(
        """
        tasks:
          - name: wait
            action: test.poll
            retry: {count: 9, delay: 0s, when: "{{ error().type == 'Again' }}",
                    until: "{{ result().state == 'done' }}"}
        """,
        poll,
    )
    assert run.tasks["wait"].error.type == "Fatal"
    assert run.tasks["wait"].attempts == 4


def test_an_until_that_cannot_be_evaluated_fails_the_task_at_once(loom) -> None:
    """It would fail the next time as well."""
    run = loom.run(ONE.replace(".state ==", ".status.code =="), poller({}))
    assert run.tasks["wait"].status is Status.FAILED
    assert run.tasks["wait"].error.type == "TemplateError"
    assert run.tasks["wait"].attempts == 1


def test_an_item_that_waits_to_be_polled_again_holds_no_slot(loom) -> None:
    """With one slot, the other items have their first try before the second one of any."""
    calls: list[int] = []

    @fanwise.action("test.poll")
    async def poll(job: int) -> bool:
        calls.append(job)
        return calls.count(job) == 2

    run = loom.run(
        """
        tasks:
          - {name: wait, action: test.poll, with-items: [1, 2, 3], concurrency: 1,
             input: {job: "{{ item }}"}, retry: {count: 1, delay: 1s, until: "{{ result() }}"}}
        """,
        poll,
    )
    assert run.status is Status.SUCCEEDED
    assert calls == [1, 2, 3, 1, 2, 3]


def test_a_pause_keeps_a_task_that_is_polled_for_later(loom) -> None:
    """A result that isn't the awaited one is no success, also when the run is paused."""

    @fanwise.action("test.poll")
    async def poll() -> dict:
        loom.engine.pause()
        return {"state": "busy"}

    run = loom.run(ONE, poll)
    assert (run.status, run.tasks["wait"].status) == (Status.PAUSED, Status.PAUSED)


def test_a_step_of_a_child_workflow_is_polled_too(tmp_path) -> None:
    """Also one that is tried only once: its success must be the awaited one."""
    (tmp_path / "child.yaml").write_text(
        """
        tasks:
          - {name: ask, action: core.echo, input: {state: busy},
             retry: {count: 0, until: "{{ result().state == 'done' }}"}}
        """
    )
    (tmp_path / "main.yaml").write_text("tasks: [{name: call, action: ./child.yaml}]")
    run = fanwise.run(tmp_path / "main.yaml", store=str(tmp_path / "fanwise.db"))
    assert run.tasks["call"].error.data["type"] == "TaskFailed"
    assert "retry.until is not true after attempt 1" in run.tasks["call"].error.message


def test_no_try_starts_after_the_time_that_within_gives(loom) -> None:
    """What would have to wait for longer fails right away, as after the last try."""
    at: list[float] = []
    flow = ONE.replace("count: 5", "count: 1000, within: 5s")
    run = loom.run(flow, poller({0: 99}, at=at, loom=loom))
    assert at == [0, 2, 4]
    assert loom.clock.monotonic() < 5
    error = run.tasks["wait"].error
    assert error.type == "UntilNotMet"
    assert "after attempt 3, the last one. Raise retry.within if" in error.message
    assert error.data == {"result": {"state": "busy", "job": 0}}


def test_within_is_a_template_too_and_bounds_the_retries_of_failures(loom) -> None:
    """Each item has its time, which counts from the start of its own first try."""
    at: list[tuple[int, float]] = []

    @fanwise.action("test.poll")
    async def poll(job: int) -> None:
        at.append((job, loom.clock.monotonic()))
        raise ActionError("not there", type="Away")

    run = loom.run(
        """
        vars: {most: 3s}
        tasks:
          - {name: wait, action: test.poll, with-items: [1, 2], rate: 1/s, tolerate: 2,
             input: {job: "{{ item }}"},
             retry: {count: 9, delay: 2s, backoff: constant, jitter: false,
                     within: "{{ vars.most }}"}}
        """,
        poll,
    )
    assert run.status is Status.SUCCEEDED
    assert at == [(1, 0), (2, 1), (1, 2), (2, 3)]
    failed = loom.items(status=Status.FAILED)
    errors = [msgspec.json.decode(each.error, type=ErrorInfo) for each in failed]
    assert [(each.type, each.message) for each in errors] == [("Away", "not there")] * 2


def test_a_try_that_waits_for_a_slot_beyond_its_time_is_not_made(loom) -> None:
    """Its item fails as it did the last time."""
    calls: list[int] = []

    @fanwise.action("test.poll")
    async def poll(job: int) -> None:
        calls.append(job)
        if job == 1:
            raise ActionError("not there", type="Away")
        done = asyncio.get_running_loop().create_future()
        loom.clock.call_later(10, lambda: done.set_result(None))
        await done

    loom.run(
        """
        tasks:
          - {name: wait, action: test.poll, with-items: [1, 2], concurrency: 1, tolerate: 1,
             input: {job: "{{ item }}"},
             retry: {count: 9, delay: 1s, jitter: false, within: 5s}}
        """,
        poll,
    )
    assert calls == [1, 2]
    (failed,) = loom.items(status=Status.FAILED)
    assert (failed.index, failed.attempts) == (0, 1)
