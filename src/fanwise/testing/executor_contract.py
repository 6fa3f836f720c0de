"""The promises of every executor, as tests: subclass `ExecutorContract`, give `open`, run pytest.

    class TestMyExecutor(ExecutorContract):
        def open(self, clock: Clock) -> AbstractContextManager[Executor]:
            return MyExecutor(clock)

The block that `open` gives is entered for each engine. Tests run workflows by a real engine on a
real store, with all kinds of actions in the executor under test. Their actions are in a pack's
folder, and report by results, files and named pipes, so they may run in any process of this
machine. No test waits for a time to pass: those that wait, wait for each other.

A `conftest.py` with `pytest.register_assert_rewrite("fanwise.testing.executor_contract")` makes
failures tell more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from fanwise.engine import Engine
from fanwise.model import Limits, Status
from fanwise.ports import Clock, Executor
from fanwise.testing.executor_workbench import Workbench

in_each_way = pytest.mark.parametrize("way", ["async", "def", "cpu"])
"""A test of actions on an event loop, in threads, and in processes."""


class ExecutorContract:
    """The promises of `Executor`; `open` is to be overridden.

    `width` is how many attempts of each kind the executor can run at once, 2 at least.
    """

    width = 2

    def open(self, clock: Clock) -> AbstractContextManager[Executor]:
        """A block with the executor under test."""
        raise NotImplementedError

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Workbench]:
        """A workbench with the executor under test."""
        bench = Workbench(tmp_path, self.open)
        yield bench
        bench.close()

    # order, concurrency, rate

    @in_each_way
    def test_outputs_stand_in_the_order_of_the_items(self, bench: Workbench, way: str) -> None:
        """Whichever ends first, and however many run at once."""
        run = bench.run(
            f"""
            tasks:
              - {{name: fan, action: contract.give_{way}, with-items: {{range: 100}},
                  concurrency: 8, input: {{value: ["{{{{ item }}}}", "{{{{ index }}}}", "all"]}}}}
            output: "{{{{ task.fan.output }}}}"
            """
        )
        assert run.status is Status.SUCCEEDED
        assert run.output == [[number, number, "all"] for number in range(100)]

    @in_each_way
    def test_a_task_without_items_has_one_attempt(self, bench: Workbench, way: str) -> None:
        """Its output is what the action returned."""
        run = bench.run(
            f"""
            tasks:
              - {{name: one, action: contract.give_{way}, input: {{value: {{a: [1, null, 2.5]}}}}}}
            output: "{{{{ task.one.output }}}}"
            """
        )
        assert (run.output, run.tasks["one"].attempts) == ({"a": [1, None, 2.5]}, 1)

    @in_each_way
    def test_as_many_items_run_at_once_as_concurrency_says_and_never_more(
        self, bench: Workbench, way: str
    ) -> None:
        """The first ones wait for each other, so they do run at once."""
        run = bench.run(
            f"""
            tasks:
              - {{name: fan, action: contract.meet_{way}, with-items: {{range: 12}},
                  concurrency: {self.width}, input: {{folder: FOLDER, party: {self.width}}}}}
            """
        )
        assert run.status is Status.SUCCEEDED
        assert (bench.starts(), bench.most_at_once()) == (12, self.width)

    @in_each_way
    def test_items_behind_a_slow_one_do_not_wait_for_it(self, bench: Workbench, way: str) -> None:
        """It waits itself for the very next one, which may have been sent with it."""
        run = bench.run(
            f"""
            timeout: 1m
            tasks:
              - name: fan
                action: contract.pair_{way}
                with-items: {{range: 400}}
                concurrency: {self.width}
                input:
                  folder: FOLDER
                  role: "{{{{ {{200: 'first', 201: 'second'}}.get(item, '') }}}}"
            """
        )
        assert run.status is Status.SUCCEEDED

    @in_each_way
    def test_slots_are_counted_by_the_attempts_that_run(self, bench: Workbench, way: str) -> None:
        """As many are taken as are given back, however many attempts travel together."""
        bench.run(
            f"""
            tasks:
              - {{name: fan, action: contract.flaky_{way}, with-items: {{range: 300}},
                  tolerate: 100%, concurrency: {self.width}, input: {{folder: FOLDER,
                  fails: "{{{{ item % 2 }}}}"}}}}
            """
        )
        (progress,) = bench.observer.started
        assert (progress.running, progress.succeeded, progress.failed) == (0, 150, 150)
        assert bench.most_at_once() <= self.width

    @in_each_way
    def test_retries_count_and_keep_to_the_concurrency(self, bench: Workbench, way: str) -> None:
        """Each item fails twice, and its third attempt is recorded as such."""
        run = bench.run(
            f"""
            tasks:
              - {{name: fan, action: contract.flaky_{way}, with-items: {{range: 6}},
                  concurrency: {self.width}, retry: {{count: 2, delay: 0s}},
                  input: {{folder: FOLDER, fails: 2}}}}
            output: "{{{{ task.fan.output }}}}"
            """
        )
        assert run.output == [3] * 6
        assert [item.attempts for item in bench.items()] == [3] * 6
        assert bench.starts() == 18
        assert bench.most_at_once() <= self.width

    @in_each_way
    def test_attempts_start_no_faster_than_the_rate(self, bench: Workbench, way: str) -> None:
        """Start n comes n intervals after the run's begin, less one for a late start, or later."""
        began = time.monotonic()
        run = bench.run(
            f"""
            tasks:
              - {{name: fan, action: contract.clock_{way}, with-items: {{range: 6}}, rate: 100/s,
                  concurrency: 6}}
            output: "{{{{ task.fan.output | sort }}}}"
            """
        )
        assert isinstance(run.output, list)
        for number, started in enumerate(run.output):
            assert started - began >= (number - 1) / 100

    # errors

    @in_each_way
    def test_an_error_has_its_type_message_and_the_authors_traceback(
        self, bench: Workbench, way: str
    ) -> None:
        """The traceback ends in the author's line, and shows no frame of whatever ran it."""
        run = bench.run(
            f"tasks: [{{name: a, action: contract.fail_{way}, input: {{fault: plain}}}}]"
        )
        error = run.tasks["a"].error
        assert error is not None
        assert (error.type, error.message) == ("ValueError", "deep down")
        assert error.traceback is not None
        assert 'packs/contract/actions.py", line' in error.traceback
        assert 'raise ValueError("deep down")' in error.traceback
        assert "/fanwise/" not in error.traceback

    @in_each_way
    def test_an_error_of_the_actions_own_carries_its_data(self, bench: Workbench, way: str) -> None:
        """And `retry=False` ends its item at the first attempt."""
        run = bench.run(
            f"""
            tasks:
              - {{name: a, action: contract.fail_{way}, input: {{fault: own}}, retry: {{count: 3}}}}
            """
        )
        error = run.tasks["a"].error
        assert error is not None
        assert (error.type, error.message, error.data) == ("NotFound", "no luck", {"code": 7})
        assert run.tasks["a"].attempts == 1

    @in_each_way
    def test_no_exception_harms_more_than_its_item(self, bench: Workbench, way: str) -> None:
        """Errors that can't be pickled, have no text, or mean something to Python are included."""
        faults = {
            "unpicklable": ("UnpicklableError", "holds a lock"),
            "arguments": ("TwoArgumentsError", "two (7)"),
            "speechless": ("SpeechlessError", "(its text can't be made)"),
            "local": ("LocalError", "known here alone"),
            "exit": ("SystemExit", "3"),
            "cancel": ("CancelledError", "no message"),
            "base": ("OwnBaseError", "no Exception"),
        }
        run = bench.run(
            f"""
            tasks:
              - {{name: fan, action: contract.fail_{way}, concurrency: 1, tolerate: 100%,
                  with-items: [{", ".join(faults)}, stop, close, ""],
                  input: {{fault: "{{{{ item }}}}"}}}}
            """
        )
        assert run.status is Status.SUCCEEDED
        *failed, stopped, closed, fine = bench.items()
        assert fine.output == b'"fine"'
        assert (stopped.status, closed.status) == (Status.FAILED, Status.FAILED)
        errors = [bench.errors()[item.index] for item in failed]
        assert [(each["type"], each["message"]) for each in errors] == list(faults.values())

    @in_each_way
    @pytest.mark.parametrize(
        "kind", ["object", "set", "bytes", "keys", "nan", "nul", "surrogate", "loop", "function"]
    )
    def test_a_result_that_is_not_json_fails_its_item_alone(
        self, bench: Workbench, way: str, kind: str
    ) -> None:
        """With a type and a place, and without its value."""
        bench.run(
            f"""
            tasks:
              - {{name: fan, action: contract.junk_{way}, with-items: [{kind}, ""], tolerate: 1,
                  input: {{kind: "{{{{ item }}}}"}}}}
            """
        )
        bad, fine = bench.items()
        assert (bad.status, fine.output) == (Status.FAILED, b'"fine"')
        error = bench.errors()[0]
        assert error["type"] == "ResultError"
        assert "result" in str(error["message"])

    # sizes

    @in_each_way
    def test_an_input_and_a_result_may_be_as_large_as_their_limits(
        self, bench: Workbench, way: str
    ) -> None:
        """One byte more is an error that names the item and the limit."""
        bench.limits = Limits(result_bytes=1_000_000)
        run = bench.run(
            f"""
            tasks:
              - {{name: fan, action: contract.text_{way}, with-items: [999998, 999999], tolerate: 1,
                  input: {{size: "{{{{ item }}}}"}}}}
              - {{name: back, action: contract.length_{way}, needs: [fan],
                  with-items: "{{{{ task.fan.output }}}}", tolerate: 1,
                  input: {{text: "{{{{ item }}}}"}}}}
            output: "{{{{ task.back.output[0] }}}}"
            """
        )
        fits, over = bench.items()
        assert fits.output is not None
        assert (len(fits.output), over.status) == (1_000_000, Status.FAILED)
        error = bench.errors()[1]
        assert error["type"] == "LimitExceeded"
        assert "fan[1] has 1,000,001 bytes" in str(error["message"])
        assert "limits.result_bytes" in str(error["message"])
        assert run.output == 999_998

    # what actions get

    @in_each_way
    def test_an_action_knows_its_attempt(self, bench: Workbench, way: str) -> None:
        """Its key stays the same over attempts, so that others can tell them from new ones."""
        run = bench.run(
            f"""
            tasks:
              - {{name: fan, action: contract.know_{way}, with-items: [a, b], timeout: 1h,
                  retry: {{count: 1, delay: 0s}}, input: {{fails: 1}}}}
              - {{name: one, action: contract.know_{way}}}
            output: ["{{{{ task.fan.output[1] }}}}", "{{{{ task.one.output }}}}"]
            """
        )
        assert isinstance(run.output, list)
        item, alone = (dict(each) for each in run.output)
        deadline = item.pop("deadline")
        assert deadline >= bench.items()[1].started_at
        common = {
            "run_id": run.id,
            "folder": str(bench.folder),
            "limit": bench.limits.result_bytes,
            "are_own_limits": True,
            "stopping": False,
        }
        key = f"{run.id}/fan[1]/1"
        assert item == {**common, "task": "fan", "index": 1, "attempt": 2, "key": key}
        one = {"task": "one", "index": None, "attempt": 1, "key": f"{run.id}/one/1"}
        assert alone == {**common, **one, "deadline": None}

    @in_each_way
    def test_nobody_can_change_what_items_share(self, bench: Workbench, way: str) -> None:
        """The one that tries fails, and the others see what was there."""
        bench.run(
            f"""
            tasks:
              - {{name: fan, action: contract.change_{way}, with-items: {{range: 3}}, tolerate: 1,
                  concurrency: 1, input: {{shared: {{a: 1}}, index: "{{{{ index }}}}"}}}}
            """
        )
        assert [item.output for item in bench.items()] == [None, b"1", b"1"]
        assert bench.errors()[0]["type"] == "FrozenError"

    @in_each_way
    def test_each_attempt_has_a_log_of_its_own(self, bench: Workbench, way: str) -> None:
        """Both streams and logging, also of attempts that fail and of those beside them."""
        bench.run(
            f"""
            tasks:
              - {{name: fan, action: contract.say_{way}, with-items: [red, blue, green],
                  concurrency: {self.width}, retry: {{count: 1, delay: 0s}},
                  input: {{word: "{{{{ item }}}}", fails: "{{{{ 1 if index == 1 else 0 }}}}"}}}}
            """
        )
        logged = {(log.path, log.attempt): log.text.splitlines() for log in bench.logs()}
        expected = {("fan[0]", 1): "red", ("fan[1]", 1): "blue"}
        expected |= {("fan[1]", 2): "blue", ("fan[2]", 1): "green"}
        assert logged == {
            (path, attempt): [
                f"{word} out {attempt}",
                f"{word} err {attempt}",
                f"WARNING fanwise.action.contract.say_{way}: {word} logged",
                f"WARNING library: {word} too",
            ]
            for (path, attempt), word in expected.items()
        }

    # ends before the end

    @in_each_way
    def test_an_attempt_that_takes_too_long_fails(self, bench: Workbench, way: str) -> None:
        """The attempt would never end by itself; its slot is free again for the next task."""
        bench.limits = Limits(running=1)
        run = bench.run(
            f"""
            tasks:
              - {{name: slow, action: contract.hang_{way}, with-items: [1], timeout: 100ms,
                  tolerate: 1, input: {{folder: FOLDER}}}}
              - {{name: next, action: contract.give_{way}, needs: [slow], input: {{value: 1}}}}
            output: "{{{{ task.next.output }}}}"
            """
        )
        (slow,) = bench.items()
        assert (slow.status, bench.errors()[0]["type"]) == (Status.FAILED, "Timeout")
        assert run.output == 1

    @in_each_way
    def test_a_run_that_is_stopped_starts_nothing_more_and_gives_its_slots_back(
        self, bench: Workbench, way: str
    ) -> None:
        """Running attempts are cut off; the next run of the engine has the slots that they had."""
        bench.limits = Limits(running=self.width)
        hanging = f"""
            tasks:
              - {{name: fan, action: contract.hang_{way}, with-items: {{range: 50}},
                  concurrency: {self.width}, input: {{folder: FOLDER}}}}
            """
        meeting = f"""
            tasks:
              - {{name: fan, action: contract.meet_{way}, with-items: {{range: {self.width}}},
                  input: {{folder: FOLDER, party: {self.width}}}}}
            """

        async def stop(engine: Engine) -> None:
            run = asyncio.create_task(engine.arun(bench.plan(hanging)))
            await bench.arrivals(self.width)
            engine.pause()
            assert (await run).status is Status.PAUSED
            assert bench.starts() == self.width
            bench.forget_marks()
            assert (await engine.arun(bench.plan(meeting))).status is Status.SUCCEEDED
            assert bench.starts() == self.width

        bench.during(stop)

    @in_each_way
    def test_a_run_that_is_paused_between_its_items_goes_on_with_all_that_are_left(
        self, bench: Workbench, way: str
    ) -> None:
        """Also with those that were sent ahead, and had not begun."""
        text = f"""
            tasks:
              - name: fan
                action: contract.hang_{way}
                with-items: {{range: 500}}
                concurrency: {self.width}
                input: {{folder: FOLDER, is_quick: "{{{{ item != 300 }}}}"}}
            output: "{{{{ task.fan.output }}}}"
            """

        async def pause(engine: Engine) -> None:
            plan = bench.plan(text)
            run = asyncio.create_task(engine.arun(plan))
            await bench.arrivals(1)
            engine.pause()
            paused = await run
            assert paused.status is Status.PAUSED
            bench.open_gate()
            resumed = await engine.aresume(plan, engine.find(paused.id))
            expected = ["late" if index == 300 else "quick" for index in range(500)]
            assert resumed.output == expected

        bench.during(pause)
        assert [item.attempts for item in bench.items()] == [1] * 500

    @in_each_way
    def test_a_run_that_is_out_of_time_cuts_its_attempts_off(
        self, bench: Workbench, way: str
    ) -> None:
        """Running attempts are recorded as cancelled, and nothing else begins."""
        run = bench.run(
            f"""
            timeout: 200ms
            tasks:
              - {{name: fan, action: contract.hang_{way}, with-items: {{range: 50}},
                  concurrency: {self.width}, input: {{folder: FOLDER}}}}
            """
        )
        assert run.status is Status.FAILED
        assert run.error is not None
        assert run.error.type == "Timeout"
        assert run.tasks["fan"].status is Status.CANCELLED
        assert {item.status for item in bench.items()} <= {Status.CANCELLED}
        assert len(bench.items()) <= self.width
        assert bench.starts() <= self.width
