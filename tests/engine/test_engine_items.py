"""Fan-out: items, concurrency, retries, tolerance, stopping, streams, and what stays bounded."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sqlite3
import threading

import msgspec
import pytest

import fanwise
from fanwise.context import ItemContext
from fanwise.errors import StoreError
from fanwise.model import ErrorInfo, ItemOutcome, Status
from fanwise.testing.clock import ManualClock
from fanwise.testing.stores import FailingStore, GatedStore, RefusingStore


@fanwise.action("test.echo")
async def echo(value: object = None) -> object:
    return value


@fanwise.action("test.odd")
async def odd(value: int) -> int:
    """Fails for odd numbers."""
    if value % 2:
        raise fanwise.ActionError(f"{value} is odd", type="Odd", data={"value": value})
    return value


EACH = """
tasks:
  - {name: each, action: test.echo, with-items: {range: 2500}, input: {value: "{{ item * 2 }}"}}
  - {name: sum, action: test.echo, input: {value: "{{ task.each.output | sum }}"}}
output:
  items: "{{ task.each.items }}"
  sum: "{{ task.sum.output }}"
  last: "{{ task.each.output[-1] }}"
"""


def test_a_task_runs_once_per_item_and_its_output_is_theirs_in_order(loom) -> None:
    """Also when there are more items than fit in a page."""
    run = loom.run(EACH, echo)
    assert run.output == {
        "items": {"total": 2500, "succeeded": 2500, "failed": 0},
        "sum": sum(range(0, 5000, 2)),
        "last": 4998,
    }
    assert [item.index for item in loom.items()] == list(range(2500))


def test_an_empty_list_succeeds_at_once_with_an_empty_output(loom) -> None:
    run = loom.run(
        """
        tasks: [{name: each, action: test.echo, with-items: []}]
        output: ["{{ task.each.output }}", "{{ task.each.items.total }}"]
        """,
        echo,
    )
    assert run.output == [[], 0]


def test_failed_items_fail_the_task_after_all_have_run(loom) -> None:
    """The task keeps its list, null where an item failed, and its error counts them."""
    run = loom.run(
        """
        tasks:
          - {name: each, action: test.odd, with-items: [0, 1, 2, 3], input: {value: "{{ item }}"},
             on-error: continue}
        output: {list: "{{ task.each.output }}", error: "{{ task.each.error.type }}"}
        """,
        odd,
    )
    assert run.output == {"list": [0, None, 2, None], "error": "ItemsFailed"}
    error = run.tasks["each"].error
    assert error.message.startswith("2 of 4 items failed; the first recorded, [1]: Odd: 1 is odd")
    failed = [
        msgspec.json.decode(item.error, type=ErrorInfo) for item in loom.items() if item.error
    ]
    assert [error.data for error in failed] == [{"value": 1}, {"value": 3}]


@pytest.mark.parametrize(
    ("tolerate", "status"),
    [("1", "failed"), ("2", "succeeded"), ('"49%"', "failed"), ('"50%"', "succeeded")],
)
def test_tolerate_accepts_so_many_failed_items(loom, tolerate, status) -> None:
    """A number, or a percentage of all, rounded down."""
    run = loom.run(
        f"""
        tasks:
          - {{name: each, action: test.odd, with-items: [0, 1, 2, 3], tolerate: {tolerate},
              input: {{value: "{{{{ item }}}}"}}}}
        """,
        odd,
    )
    assert run.tasks["each"].status == status
    assert run.tasks["each"].items.failed == 2
    assert loom.watcher.progress["each"].is_failing is (status == "failed")


def test_stop_starts_no_more_items_after_one_that_cannot_be_tolerated(loom) -> None:
    """Items never started are total - succeeded - failed."""
    run = loom.run(
        """
        tasks:
          - {name: each, action: test.odd, with-items: {range: 100}, concurrency: 1,
             on-item-error: stop, tolerate: 1, input: {value: "{{ item }}"}}
        """,
        odd,
    )
    items = run.tasks["each"].items
    assert (items.total, items.succeeded, items.failed) == (100, 2, 2)
    assert run.tasks["each"].status is Status.FAILED


def test_never_more_than_concurrency_items_run_also_while_they_are_retried(loom) -> None:
    """Invariant 10: and an item that waits for its next attempt holds no slot."""
    running: set[int] = set()
    most = 0
    waited_while_others_ran = False
    tries: dict[int, int] = {}

    @fanwise.action("test.flaky")
    async def flaky(value: int) -> int:
        nonlocal most, waited_while_others_ran
        running.add(value)
        most = max(most, len(running))
        waited_while_others_ran |= loom.watcher.progress["each"].waiting > 0
        await asyncio.sleep(0)
        running.remove(value)
        tries[value] = tries.get(value, 0) + 1
        if tries[value] < 3:
            raise OSError("again")
        return value

    run = loom.run(
        """
        tasks:
          - {name: each, action: test.flaky, with-items: {range: 60}, concurrency: 7,
             retry: {count: 4, delay: 1s}, input: {value: "{{ item }}"}}
        """,
        flaky,
    )
    assert run.status is Status.SUCCEEDED
    assert most == 7
    assert waited_while_others_ran
    assert {item.attempts for item in loom.items()} == {3}


def test_an_items_context_is_forty_bytes_and_shares_the_workflows(loom) -> None:
    """Invariant 2: three references, and inputs without `item` are the same object for all."""
    import sys

    seen: list[object] = []

    @fanwise.action("test.keep")
    async def keep(shared: list, value: int) -> None:
        seen.append(shared)

    loom.run(
        """
        tasks:
          - {name: big, action: test.echo, input: {value: [1, 2, 3]}}
          - {name: each, action: test.keep, with-items: {range: 10},
             input: {shared: "{{ task.big.output }}", value: "{{ item }}"}}
        """,
        echo,
        keep,
    )
    assert len({id(shared) for shared in seen}) == 1
    assert sys.getsizeof(fanwise.WorkflowContext().for_item("x", 1)) == 40
    assert ItemContext.__struct_fields__ == ("shared", "item", "index")


def test_an_endless_source_gives_its_first_results_at_once(loom, tmp_path) -> None:
    """Invariant 4: items are pulled as slots come free, not read to the end first."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    arrived = threading.Event()

    @fanwise.action("test.arrive")
    async def arrive(value: str) -> str:
        if value == "line 2":
            arrived.set()
        return value

    def write() -> None:
        with pipe.open("w") as stream:
            for number in itertools.count():
                stream.write(f"line {number}\n")
                stream.flush()
                if number == 2:
                    # Only the result of what came so far lets the source go on, and end.
                    assert arrived.wait(60)
                    return

    writer = threading.Thread(target=write)
    writer.start()
    run = loom.run(
        f"""
        tasks:
          - {{name: each, action: test.arrive, with-items: {{lines: "{pipe}"}},
              input: {{value: "{{{{ item }}}}"}}}}
        """,
        arrive,
    )
    writer.join()
    assert run.tasks["each"].items.total == 3


def test_what_a_fan_out_holds_does_not_grow_with_its_items(loom) -> None:
    """Invariant 4: of 20,000 items never more contexts exist than slots and retries need."""
    import gc

    alive: list[int] = []

    @fanwise.action("test.count")
    async def count(value: int) -> None:
        if value % 1000 == 0:
            # gc=False structs aren't tracked; their items, small lists, are.
            alive.append(sum(type(each) is fanwise.values.FrozenDict for each in gc.get_objects()))

    loom.run(
        """
        tasks:
          - {name: each, action: test.count, concurrency: 5, with-items: {range: 20000},
             input: {value: "{{ item }}"}}
        """,
        count,
    )
    assert max(alive) - min(alive) < 100


def test_a_store_that_is_slower_than_the_actions_slows_the_fan_out_down(loom) -> None:
    """The queue's bound holds the items back; nothing piles up, and nothing is lost."""
    loom.limits = fanwise.Limits(queue_bytes=25_000)  # a hundred outcomes of no-ops
    gate = GatedStore(loom.store)
    loom.store = gate
    calls = 0
    ahead: list[int] = []

    @fanwise.action("test.count")
    async def count() -> None:
        nonlocal calls
        calls += 1

    def let_through() -> None:
        while not finished.is_set():
            gate.wait_for_commit()
            progress = loom.watcher.progress.get("each")
            if progress is not None:
                ahead.append(calls - progress.succeeded)
            gate.let_pass()

    finished = threading.Event()
    keeper = threading.Thread(target=let_through, daemon=True)
    keeper.start()
    run = loom.run(
        "tasks: [{name: each, action: test.count, with-items: {range: 3000}, concurrency: 5}]",
        count,
    )
    finished.set()
    gate.open()
    assert run.tasks["each"].items.succeeded == 3000
    # A group being written, a full queue, and what ran when it filled up.
    assert max(ahead) <= 2 * 100 + 2 * 5


def test_one_bad_result_of_a_group_harms_only_its_item(loom) -> None:
    """Invariant 11: a NUL, a NaN, a lone surrogate, a set, each with its path."""
    bad = {3: "a\0b", 5: float("nan"), 7: "\ud800", 9: {1, 2}}

    @fanwise.action("test.bad")
    async def give(value: int) -> object:
        return {"x": [bad.get(value, value)]}

    run = loom.run(
        """
        tasks:
          - {name: each, action: test.bad, with-items: {range: 12}, tolerate: 4,
             input: {value: "{{ item }}"}}
        """,
        give,
    )
    assert run.status is Status.SUCCEEDED
    failed = {item.index: json.loads(item.error) for item in loom.items(status=Status.FAILED)}
    assert failed.keys() == bad.keys()
    assert all("result.x[0]" in error["message"] for error in failed.values())


def test_a_record_that_the_store_refuses_fails_alone(loom) -> None:
    """The group is split until the one at fault is found; all others are recorded."""
    store = loom.store

    def refuses(record: object) -> bool:
        return (
            isinstance(record, ItemOutcome) and record.output is not None and b"13" in record.output
        )

    loom.store = RefusingStore(store, refuses)
    run = loom.run(
        """
        tasks:
          - {name: each, action: test.echo, with-items: {range: 50}, tolerate: 1,
             input: {value: "{{ item }}"}}
        """,
        echo,
    )
    assert run.tasks["each"].items.failed == 1
    (refused,) = loom.items(status=Status.FAILED)
    assert refused.index == 13
    assert json.loads(refused.error)["type"] == "RecordRefused"
    assert len(loom.items(status=Status.SUCCEEDED)) == 49


def test_a_task_whose_result_the_store_refuses_fails(loom) -> None:
    """The run goes on with that failure, rather than being lost."""
    loom.store = RefusingStore(
        loom.store, lambda record: getattr(record, "output", None) == b'"poison"'
    )
    run = loom.run(
        """
        tasks:
          - {name: bad, action: test.echo, input: {value: poison}, on-error: continue}
          - {name: good, action: test.echo, input: {value: "{{ task.bad.status }}"}}
        output: "{{ task.good.output }}"
        """,
        echo,
    )
    assert run.tasks["bad"].error.type == "RecordRefused"
    assert run.output == "failed"


def test_a_store_that_fails_at_any_commit_ends_the_run_with_its_error(loom) -> None:
    """At whichever commit it happens, what was told before had been recorded."""
    real, failures = loom.store, 0
    for at in itertools.count(1):
        loom.store = FailingStore(real, at, "before")
        loom.watcher.told.clear()
        try:
            loom.run(EACH.replace("2500", "25").replace("[-1]", "[0]"), echo)
        except StoreError:
            failures += 1
        else:
            break
        ended = {told[1] for told in loom.watcher.told if told[0] == "task_ended"}
        loom.store = real
        recorded = {row.path for row in loom.rows() if row.status.is_final} if ended else set()
        assert ended <= recorded
    assert failures >= 5


def test_zipped_lists_advance_together(loom) -> None:
    run = loom.run(
        """
        vars: {hosts: [a, b], ports: [1, 2]}
        tasks:
          - name: each
            action: test.echo
            with-items: {host: "{{ vars.hosts }}", port: "{{ vars.ports }}"}
            label: "{{ item.host }}"
            input: {value: "{{ item.host }}:{{ item.port }}@{{ index }}"}
        output: "{{ task.each.output }}"
        """,
        echo,
    )
    assert run.output == ["a:1@0", "b:2@1"]
    assert [item.label for item in loom.items()] == ["a", "b"]


def test_a_fan_out_over_the_output_of_another_reads_it_in_pages(loom) -> None:
    """Also through select and map, without a list in between."""
    run = loom.run(
        """
        tasks:
          - {name: one, action: test.echo, with-items: {range: 3000},
             input: {value: {n: "{{ item }}"}}}
          - name: two
            action: test.echo
            with-items: "{{ task.one.output | map(attribute='n') | select('ge', 2990) }}"
            input: {value: "{{ item }}"}
        output: "{{ task.two.output }}"
        """,
        echo,
    )
    assert run.output == list(range(2990, 3000))


@pytest.mark.parametrize("value", ['"{{ 5 }}"', "\"{{ 'text' }}\"", '"{{ {} }}"', '"{{ none }}"'])
def test_with_items_over_what_is_no_list_fails_the_task(loom, value) -> None:
    """The error says where the template stands and what would be right."""
    run = loom.run(f"tasks: [{{name: each, action: test.echo, with-items: {value}}}]", echo)
    error = run.tasks["each"].error
    assert run.tasks["each"].status is Status.FAILED
    assert "flow.yaml:1:" in error.message


def test_a_malformed_line_fails_its_item_and_an_unreadable_file_the_task(loom, tmp_path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"n": 1}\nnot json\n{"n": 3}\n')
    run = loom.run(
        """
        tasks:
          - {name: each, action: test.echo, with-items: {jsonl: rows.jsonl}, tolerate: 1,
             input: {value: "{{ item.n }}"}}
          - {name: none, action: test.echo, with-items: {jsonl: missing.jsonl}, on-error: continue}
        output: "{{ task.each.output }}"
        """,
        echo,
    )
    assert run.output == [1, None, 3]
    assert "missing.jsonl" in run.tasks["none"].error.message


def test_keep_output_none_stores_no_results_but_counts_them(loom) -> None:
    run = loom.run(
        """
        tasks:
          - {name: each, action: test.echo, with-items: {range: 5}, keep-output: none,
             input: {value: "{{ item }}"}}
        output: ["{{ task.each.output }}", "{{ task.each.items.succeeded }}"]
        """,
        echo,
    )
    assert run.output == [[None] * 5, 5]
    assert {item.output for item in loom.items()} == {None}


def test_a_template_error_in_an_item_fails_that_item_only(loom) -> None:
    """It is not retried, since it would fail the same way again."""
    run = loom.run(
        """
        tasks:
          - {name: each, action: test.echo, with-items: [{n: 1}, {}, {n: 3}], tolerate: 1,
             retry: {count: 3}, input: {value: "{{ item.n }}"}}
        output: "{{ task.each.output }}"
        """,
        echo,
    )
    assert run.output == [1, None, 3]
    (failed,) = loom.items(status=Status.FAILED)
    assert (failed.index, failed.attempts) == (1, 1)


def test_an_input_that_does_not_fit_names_its_field_and_place(loom) -> None:
    """And never the value."""
    run = loom.run(
        """
        tasks:
          - {name: each, action: test.odd, with-items: [2, "hunter2"], tolerate: 1,
             input: {value: "{{ item }}"}}
        """,
        odd,
    )
    (failed,) = loom.items(status=Status.FAILED)
    message = json.loads(failed.error)["message"]
    assert "value" in message
    assert "flow.yaml:4:" in message
    assert "hunter2" not in message
    assert run.status is Status.SUCCEEDED


def test_items_of_sync_actions_run_in_threads(loom) -> None:
    """As many at once as the task's concurrency."""
    loom.use_real_time()
    together = threading.Barrier(8)

    @fanwise.action("test.meet")
    def meet(value: int) -> int:
        together.wait(60)
        return value

    run = loom.run(
        """
        tasks:
          - {name: each, action: test.meet, with-items: {range: 16}, concurrency: 8,
             input: {value: "{{ item }}"}}
        output: "{{ task.each.output | sum }}"
        """,
        meet,
    )
    assert run.output == sum(range(16))


def test_each_item_has_a_deadline_of_its_own(loom) -> None:
    """Those that hang are cut off; the others are not touched by it."""

    @fanwise.action("test.hang")
    async def hang(value: int) -> int:
        if value % 3 == 0:
            await asyncio.get_running_loop().create_future()
        return value

    run = loom.run(
        """
        tasks:
          - {name: each, action: test.hang, with-items: {range: 30}, timeout: 5s, concurrency: 4,
             tolerate: 10, input: {value: "{{ item }}"}}
        """,
        hang,
    )
    assert run.status is Status.SUCCEEDED
    failed = loom.items(status=Status.FAILED)
    assert [item.index for item in failed] == list(range(0, 30, 3))
    assert {json.loads(item.error)["type"] for item in failed} == {"Timeout"}


def test_a_pause_finishes_the_items_in_flight_and_starts_no_new_ones(loom) -> None:
    """Everything that ran is recorded, and the task is paused."""
    started: list[int] = []

    @fanwise.action("test.pause")
    async def pause(value: int) -> int:
        started.append(value)
        if value == 10:
            loom.engine.pause()
        await asyncio.sleep(0)
        return value

    run = loom.run(
        """
        tasks:
          - {name: each, action: test.pause, with-items: {range: 1000}, concurrency: 4,
             input: {value: "{{ item }}"}}
        """,
        pause,
    )
    assert run.status is Status.PAUSED
    assert run.tasks["each"].status is Status.PAUSED
    assert len(started) < 1000
    assert loom.watcher.progress["each"].is_stopping
    assert [item.index for item in loom.items()] == sorted(started)


def test_a_paused_stream_is_not_taken_for_read_to_its_end(loom) -> None:
    """Its observer sees no total as long as it isn't known."""
    (loom.folder / "rows.jsonl").write_text("1\n" * 5_000)

    @fanwise.action("test.pause")
    async def pause(value: int) -> int:
        loom.engine.pause()
        return value

    run = loom.run(
        """
        tasks:
          - {name: each, action: test.pause, with-items: {jsonl: rows.jsonl},
             input: {value: "{{ item }}"}}
        """,
        pause,
    )
    assert run.status is Status.PAUSED
    assert loom.watcher.progress["each"].total is None


def test_a_run_that_times_out_cancels_the_items_in_flight(loom) -> None:
    """They are recorded as cancelled; those never started aren't recorded."""
    loom.clock = clock = ManualClock()
    started: list[int] = []

    @fanwise.action("test.hang")
    async def hang(value: int) -> None:
        started.append(value)
        if len(started) == 3:
            asyncio.get_running_loop().call_soon(clock.advance, 10)
        await asyncio.get_running_loop().create_future()

    run = loom.run(
        """
        timeout: 10s
        tasks: [{name: each, action: test.hang, with-items: {range: 100}, concurrency: 3,
                 input: {value: "{{ item }}"}}]
        """,
        hang,
    )
    assert (run.status, run.error.type) == (Status.FAILED, "Timeout")
    assert run.tasks["each"].status is Status.CANCELLED
    assert [item.status for item in loom.items()] == ["cancelled"] * 3


def test_counts_are_of_what_is_recorded(loom) -> None:
    """Invariant 5: at every moment, no more is counted than a second reader finds."""
    gaps: list[int] = []

    @fanwise.action("test.look")
    async def look(value: int) -> None:
        progress = loom.watcher.progress["each"]
        if value % 50 == 0:
            await asyncio.sleep(0)
            counted = progress.succeeded
            with sqlite3.connect(loom.folder / "fanwise.db") as other:
                (found,) = other.execute("select count(*) from items").fetchone()
            other.close()
            gaps.append(found - counted)

    loom.run(
        """
        tasks:
          - {name: each, action: test.look, with-items: {range: 1000}, input: {value: "{{ item }}"}}
        """,
        look,
    )
    assert min(gaps) >= 0


def test_the_idempotency_key_of_an_item_names_run_path_visit_and_index(loom) -> None:
    keys: list[str] = []

    @fanwise.action("test.key")
    async def key(context: fanwise.ActionContext) -> None:
        keys.append(context.idempotency_key)

    run = loom.run("tasks: [{name: each, action: test.key, with-items: {range: 2}}]", key)
    assert keys == [f"{run.id}/each[0]/1", f"{run.id}/each[1]/1"]


def test_a_label_that_cannot_be_rendered_is_told_once_and_fails_nothing(loom) -> None:
    run = loom.run(
        """
        tasks: [{name: each, action: test.echo, with-items: [1, 2], label: "{{ item.name }}"}]
        """,
        echo,
    )
    assert run.status is Status.SUCCEEDED
    assert len(loom.watcher.notices) == 1


def test_a_template_that_gives_a_map_opens_no_file(loom, tmp_path) -> None:
    """Invariant 9: only the workflow's own text can name a file as a source."""
    (tmp_path / "secret.txt").write_text("secret\n")
    run = loom.run(
        """
        parameters: {source: {}}
        tasks: [{name: each, action: test.echo, with-items: "{{ parameters.source }}"}]
        """,
        echo,
        parameters={"source": {"lines": str(tmp_path / "secret.txt")}},
    )
    assert run.tasks["each"].error.type == "WithItemsError"


def test_relative_paths_start_at_the_workflow_or_at_the_caller(loom, tmp_path, monkeypatch) -> None:
    """Those in the workflow's text at its folder, those given as parameters at the caller's."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "here.txt").write_text("workflow\n")
    (elsewhere / "here.txt").write_text("caller\n")
    monkeypatch.chdir(elsewhere)
    run = loom.run(
        """
        parameters: {given: {}, kept: {default: here.txt}}
        tasks:
          - {name: text, action: test.echo, with-items: {lines: here.txt},
             input: {value: "{{ item }}"}}
          - {name: given, action: test.echo, with-items: {lines: "{{ parameters.given }}"},
             input: {value: "{{ item }}"}}
          - {name: kept, action: test.echo, with-items: {lines: "{{ parameters.kept }}"},
             input: {value: "{{ item }}"}}
        output: ["{{ task.text.output }}", "{{ task.given.output }}", "{{ task.kept.output }}"]
        """,
        echo,
        parameters={"given": "here.txt"},
    )
    assert run.output == [["workflow"], ["caller"], ["workflow"]]


def test_no_more_run_at_once_than_the_limit_for_the_process(loom) -> None:
    """`limits.running` wins over a larger concurrency."""
    loom.limits = fanwise.Limits(running=3)
    running = most = 0

    @fanwise.action("test.count")
    async def count() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    loom.run(
        "tasks: [{name: each, action: test.count, with-items: {range: 30}, concurrency: 10}]", count
    )
    assert most == 3
