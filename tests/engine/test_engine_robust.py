"""What could go wrong between the parts: races, stops, broken stores, actions that misbehave."""

from __future__ import annotations

import asyncio
import json
import os
import threading

import pytest

import fanwise
from fanwise.errors import ParameterError, StoreError
from fanwise.model import ItemOutcome, RunRecord, Status
from fanwise.testing.clock import ManualClock
from fanwise.testing.stores import StoreWrapper


@fanwise.action("test.echo")
async def echo(value: object = None) -> object:
    return value


def test_runs_side_by_side_on_one_engine_do_not_disturb_each_other(loom) -> None:
    """They share a journal, and each is recorded whole."""
    chain = "tasks:\n" + "\n".join(f"- {{name: t{n}, action: test.echo}}" for n in range(20))

    async def both() -> list[fanwise.Run]:
        first = await loom.arun("tasks: [{name: a, action: test.echo}]", echo)
        plan = loom.plan(chain, echo)
        return [first, *await asyncio.gather(*(loom.engine.arun(plan) for _ in range(5)))]

    runs = asyncio.run(both())
    assert {run.status for run in runs} == {Status.SUCCEEDED}
    assert [len(loom.store.tasks(no)) for no in range(1, 7)] == [1, 20, 20, 20, 20, 20]


class ExplodingStore(StoreWrapper):
    """Fails in a way that no store should."""

    def commit(self, records, tokens=(), *, at_once_bytes=None) -> bool:
        if any(isinstance(record, ItemOutcome) for record in records):
            raise MemoryError("no memory")
        return super().commit(records, tokens, at_once_bytes=at_once_bytes)


def test_a_store_that_fails_in_an_unknown_way_ends_the_run_with_a_store_error(loom) -> None:
    """Rather than leaving everyone waiting."""
    loom.store = ExplodingStore(loom.store)
    with pytest.raises(StoreError, match="MemoryError"):
        loom.run("tasks: [{name: a, action: test.echo, with-items: {range: 10}}]", echo)


@pytest.fixture
def held_pipe(tmp_path):
    """A FIFO with one line in it, whose writer keeps it open and silent."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    done = threading.Event()

    def hold() -> None:
        with path.open("w") as stream:
            stream.write("only\n")
            stream.flush()
            done.wait()

    writer = threading.Thread(target=hold)
    writer.start()
    yield path
    done.set()
    writer.join()


def test_a_pause_does_not_wait_for_a_source_that_is_silent(loom, held_pipe) -> None:
    @fanwise.action("test.pause")
    async def pause(value: str) -> str:
        asyncio.get_running_loop().call_soon(loom.engine.pause)
        return value

    run = loom.run(
        f"""
        tasks: [{{name: each, action: test.pause, with-items: {{lines: "{held_pipe}"}},
                  input: {{value: "{{{{ item }}}}"}}}}]
        """,
        pause,
    )
    assert run.status is Status.PAUSED
    assert run.tasks["each"].items.succeeded == 1


def test_a_retry_that_is_due_does_not_wait_for_a_source_that_is_silent(loom, held_pipe) -> None:
    tries = 0

    @fanwise.action("test.flaky")
    async def flaky(value: str) -> str:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("again")
        asyncio.get_running_loop().call_soon(loom.engine.pause)
        return value

    run = loom.run(
        f"""
        tasks: [{{name: each, action: test.flaky, with-items: {{lines: "{held_pipe}"}},
                  concurrency: 3, retry: {{count: 1, delay: 10s}},
                  input: {{value: "{{{{ item }}}}"}}}}]
        """,
        flaky,
    )
    assert tries == 2
    assert run.tasks["each"].items.succeeded == 1


def test_an_action_that_cancels_its_own_task_harms_only_itself(loom) -> None:
    @fanwise.action("test.cancel")
    async def cancel(value: int) -> int:
        if value == 1:
            asyncio.current_task().cancel()
            await asyncio.sleep(0)
        if value == 3:
            asyncio.current_task().cancel()
        return value

    run = loom.run(
        """
        tasks: [{name: each, action: test.cancel, with-items: {range: 6}, tolerate: 1,
                 input: {value: "{{ item }}"}}]
        output: "{{ task.each.output }}"
        """,
        cancel,
    )
    assert run.output == [0, None, 2, 3, 4, 5]


def test_a_cancelled_run_stops_though_an_action_swallows_the_cancellation(loom) -> None:
    started: list[int] = []

    @fanwise.action("test.stubborn")
    async def stubborn(value: int) -> None:
        started.append(value)
        if len(started) == 4:
            asyncio.get_running_loop().call_soon(running.cancel)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return

    async def main() -> None:
        nonlocal running
        running = asyncio.create_task(
            loom.arun(
                """
                tasks: [{name: each, action: test.stubborn, with-items: {range: 100},
                         concurrency: 4, input: {value: "{{ item }}"}}]
                """,
                stubborn,
            )
        )
        await running

    running: asyncio.Task
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert started == [0, 1, 2, 3]


def test_an_item_whose_thread_overran_is_recorded_also_if_the_run_is_stopped(loom) -> None:
    """It failed and was to be tried again; then the run came to its end."""
    loom.use_real_time()
    release = threading.Event()

    @fanwise.action("test.block")
    def block() -> None:
        release.wait(60)

    def note(text: str) -> None:
        loom.watcher.notices.append(text)

    loom.watcher.notice = note
    run = loom.run(
        """
        timeout: 1s
        tasks: [{name: each, action: test.block, with-items: [1], timeout: 700ms,
                 retry: {count: 3, delay: 0s}}]
        """,
        block,
    )
    release.set()
    assert run.status is Status.FAILED
    assert [(item.status, item.attempts) for item in loom.items()] == [("cancelled", 1)]


def test_a_run_timeout_that_cannot_be_read_is_refused_before_the_run(loom) -> None:
    text = (
        'timeout: "{{ parameters.t }}"\nparameters: {t: {}}\ntasks: [{name: a, action: test.echo}]'
    )
    with pytest.raises(ParameterError, match="timeout takes a duration"):
        loom.run(text, echo, parameters={"t": "soon"})
    assert loom.store.runs() == []


class PausingStore(StoreWrapper):
    """Has the run paused while it is being created."""

    def create_run(
        self, run: RunRecord, engine_no: int | None = None, waiter_no: int | None = None
    ) -> int:
        self.pause()
        return super().create_run(run, engine_no, waiter_no)


def test_a_pause_while_the_run_is_being_created_is_not_lost(loom) -> None:
    store = PausingStore(loom.store)
    store.pause = lambda: loom.engine.pause()
    loom.store = store
    assert loom.run("tasks: [{name: a, action: test.echo}]", echo).status is Status.PAUSED


def test_what_a_source_says_of_a_bad_line_is_masked(loom, tmp_path) -> None:
    """A secret that is part of a path must not be recorded with the error."""
    folder = tmp_path / "s3cr3t-folder"
    folder.mkdir()
    (folder / "rows.jsonl").write_text("not json\n")
    loom.run(
        """
        parameters: {path: {secret: true}}
        tasks: [{name: each, action: test.echo, with-items: {jsonl: "{{ parameters.path }}"}}]
        """,
        echo,
        parameters={"path": str(folder / "rows.jsonl")},
    )
    loom.store.close()
    assert all(b"s3cr3t-folder" not in file.read_bytes() for file in tmp_path.glob("fanwise.db*"))


def test_a_paged_output_inside_an_item_is_a_list(loom) -> None:
    run = loom.run(
        """
        tasks:
          - {name: one, action: test.echo, with-items: {range: 3}, input: {value: "{{ item }}"}}
          - {name: two, action: test.echo, with-items: [{rows: "{{ task.one.output }}"}],
             input: {value: "{{ item }}"}}
        output: "{{ task.two.output }}"
        """,
        echo,
    )
    assert run.output == [{"rows": [0, 1, 2]}]


def test_a_variable_that_is_replaced_counts_once(loom) -> None:
    """Towards `limits.context_bytes`."""
    loom.limits = fanwise.Limits(context_bytes=1_000)
    steps = "\n".join(
        f"- {{name: t{n}, action: test.echo, publish: {{v: \"{{{{ 'x' * 200 }}}}\"}}}}"
        for n in range(20)
    )
    assert loom.run(f"tasks:\n{steps}", echo).status is Status.SUCCEEDED


def test_a_paused_task_says_how_many_of_its_items_are_recorded(loom) -> None:
    @fanwise.action("test.pause")
    async def pause(value: int) -> None:
        if value == 5:
            loom.engine.pause()

    run = loom.run(
        """
        tasks: [{name: each, action: test.pause, with-items: {range: 100}, concurrency: 1,
                 input: {value: "{{ item }}"}}]
        """,
        pause,
    )
    counts = run.tasks["each"].items
    assert (counts.total, counts.succeeded) == (100, 6)
    assert run.tasks["each"].attempts == 6


def test_a_cancelled_task_has_no_output(loom) -> None:
    loom.clock = clock = ManualClock()

    @fanwise.action("test.hang")
    async def hang() -> None:
        asyncio.get_running_loop().call_soon(clock.advance, 10)
        await asyncio.get_running_loop().create_future()

    run = loom.run(
        """
        timeout: 10s
        tasks: [{name: each, action: test.hang, with-items: [1]}]
        output: {list: "{{ task.each.output }}"}
        """,
        hang,
    )
    assert run.output == {"list": None}


def test_errors_count_towards_what_may_wait_for_the_store(loom) -> None:
    """Many failures with long messages fill the queue as results do."""
    loom.limits = fanwise.Limits(queue_bytes=50_000)
    most = 0

    @fanwise.action("test.fail")
    async def fail() -> None:
        nonlocal most
        most = max(most, len(loom.items()))
        raise fanwise.ActionError("x" * 10_000)

    run = loom.run(
        "tasks: [{name: each, action: test.fail, with-items: {range: 60}, concurrency: 1}]", fail
    )
    assert run.tasks["each"].items.failed == 60
    assert most > 10  # the store was written long before the last item


def test_a_refused_record_leaves_no_trace_of_what_was_decided_on_it(loom) -> None:
    """The follower that would have started is blocked, and never seems to have run."""
    from fanwise.testing.stores import RefusingStore

    loom.store = RefusingStore(
        loom.store, lambda record: getattr(record, "output", None) == b'"poison"'
    )
    loom.run(
        """
        tasks:
          - {name: bad, action: test.echo, input: {value: poison}}
          - {name: next, action: test.echo}
        """,
        echo,
    )
    bad, follower = loom.rows()
    assert (bad.status, follower.status) == (Status.FAILED, Status.BLOCKED)
    assert follower.started_at is None


def test_a_failing_retry_condition_does_not_hide_the_failure(loom) -> None:
    @fanwise.action("test.fail")
    async def fail() -> None:
        raise fanwise.ActionError("the real reason", type="Real")

    run = loom.run(
        """
        tasks: [{name: a, action: test.fail,
                 retry: {count: 1, when: "{{ error().data.missing }}"}}]
        """,
        fail,
    )
    error = run.tasks["a"].error
    assert error.type == "Real"
    assert "the real reason" in error.message
    assert "retry.when" in error.message


def test_secrets_inside_other_parameters_are_not_recorded(loom) -> None:
    loom.run(
        """
        parameters: {token: {secret: true}, url: {}}
        tasks: [{name: a, action: test.echo}]
        """,
        echo,
        parameters={"token": "s3cr3t", "url": "https://s3cr3t@host"},
    )
    assert json.loads(loom.store.runs()[0].parameters)["url"] == "https://***@host"
