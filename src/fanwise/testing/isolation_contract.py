"""The promises of executors whose actions run in other processes, beside those of every executor.

Subclass `IsolationContract` in place of `ExecutorContract`, and give `workers` too: the numbers of
the processes of this machine that actions run in at the moment.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Collection

import pytest

from fanwise.engine import Engine
from fanwise.model import Limits, Run, Status
from fanwise.testing.executor_contract import ExecutorContract, in_each_way
from fanwise.testing.executor_workbench import Workbench

CANARY = "CANARY-of-7-birds"
_KILLED = {"leave": None, "abort": 6, "crash": 11, "kill": 9}
"""The signals by which poisons end a process."""


class IsolationContract(ExecutorContract):
    """The promises; `open` and `workers` are to be overridden."""

    def workers(self) -> Collection[int]:
        """The processes in which actions run, of all executors that are open."""
        raise NotImplementedError

    # processes that die

    @in_each_way
    @pytest.mark.parametrize("kind", sorted(_KILLED))
    def test_an_item_that_kills_its_process_fails_and_no_other_does(
        self, bench: Workbench, way: str, kind: str
    ) -> None:
        """Its error says by which signal; its neighbours of the same chunk have their results."""
        run = self._poisoned(bench, way, kind, items=40, poison=29)
        assert run.status is Status.SUCCEEDED
        assert [item.status for item in bench.items()].count(Status.FAILED) == 1
        error = bench.errors()[29]
        assert error["type"] == "WorkerDied"
        assert "ran fan[29] " in str(error["message"])
        assert isinstance(error["data"], dict)
        assert error["data"]["signal"] == _KILLED[kind]
        assert error["data"]["exit_status"] == (7 if kind == "leave" else None)

    @in_each_way
    def test_an_item_that_kills_its_process_is_retried_as_its_task_says(
        self, bench: Workbench, way: str
    ) -> None:
        """Each try takes its processes along."""
        self._poisoned(bench, way, "kill", items=3, poison=1, keys="retry: {count: 1, delay: 0s},")
        assert [item.attempts for item in bench.items()] == [1, 2, 1]

    @in_each_way
    def test_an_item_without_memory_fails_alone(self, bench: Workbench, way: str) -> None:
        """Its process lives on."""
        self._poisoned(bench, way, "exhaust", items=3, poison=1)
        assert {index: error["type"] for index, error in bench.errors().items()} == {
            1: "MemoryError"
        }

    @in_each_way
    def test_an_item_that_keeps_its_interpreter_for_itself_fails_at_its_timeout(
        self, bench: Workbench, way: str
    ) -> None:
        """It can't even be asked to stop, so its process is killed."""
        self._poisoned(bench, way, "stick", items=8, poison=5, keys="timeout: 300ms,")
        assert {index: error["type"] for index, error in bench.errors().items()} == {5: "Timeout"}

    def _poisoned(
        self, bench: Workbench, way: str, kind: str, *, items: int, poison: int, keys: str = ""
    ) -> Run:
        """A run of items of which one is poison."""
        return bench.run(
            f"""
            tasks:
              - {{name: fan, action: contract.poison_{way}, with-items: {{range: {items}}},
                  concurrency: {self.width}, tolerate: 1, {keys}
                  input: {{kind: "{{{{ '{kind}' if item == {poison} else '' }}}}"}}}}
            """
        )

    @in_each_way
    def test_a_process_that_is_killed_from_outside_fails_nobody(
        self, bench: Workbench, way: str
    ) -> None:
        """What it ran is made once more."""

        async def kill(engine: Engine) -> None:
            plan = bench.plan(
                f"""
                tasks:
                  - {{name: fan, action: contract.hang_{way}, with-items: {{range: 4}},
                      concurrency: {self.width}, input: {{folder: FOLDER}}}}
                """
            )
            run = asyncio.create_task(engine.arun(plan))
            await bench.arrivals(self.width)
            killed = [*self.workers()]
            for process in killed:
                os.kill(process, signal.SIGKILL)
            await bench.arrivals(self.width)
            assert not {*killed} & {*self.workers()}
            bench.open_gate()
            assert (await run).status is Status.SUCCEEDED

        bench.during(kill)
        assert [item.attempts for item in bench.items()] == [1] * 4

    @in_each_way
    def test_processes_killed_at_random_lose_no_item(self, bench: Workbench, way: str) -> None:
        """Each has one outcome; one whose processes were killed twice may have failed of it."""
        chance = random.Random(7)

        async def kill(engine: Engine) -> None:
            plan = bench.plan(
                f"""
                tasks:
                  - {{name: fan, action: contract.give_{way}, with-items: {{range: 3000}},
                      tolerate: 100%, input: {{value: "{{{{ item }}}}"}}}}
                """
            )
            run = asyncio.create_task(engine.arun(plan))
            for _ in range(4):
                await asyncio.wait([run], timeout=chance.random() / 2)
                if workers := [*self.workers()]:
                    os.kill(chance.choice(workers), signal.SIGKILL)
            assert (await run).status is Status.SUCCEEDED

        bench.during(kill)
        items = bench.items()
        assert [item.index for item in items] == list(range(3_000))
        assert {error["type"] for error in bench.errors().values()} <= {"WorkerDied"}

    # what travels

    @in_each_way
    def test_actions_run_in_other_processes(self, bench: Workbench, way: str) -> None:
        """Which are those that the executor says."""
        run = bench.run(
            f"""
            tasks: [{{name: fan, action: contract.process_{way}, with-items: {{range: 20}}}}]
            output: "{{{{ task.fan.output | unique }}}}"
            """
        )
        assert isinstance(run.output, list)
        assert os.getpid() not in run.output
        assert {*run.output} <= {*self.workers()}

    @in_each_way
    def test_a_secret_is_nowhere_but_in_the_process_that_uses_it(
        self, bench: Workbench, way: str
    ) -> None:
        """Neither in what is recorded, nor in what other users see of a process."""
        bench.environment = {"FANWISE_SECRET_TOKEN": CANARY}
        run = bench.run(
            f"""
            tasks:
              - name: fan
                action: contract.reveal_{way}
                with-items: [false, true]
                tolerate: 1
                input:
                  folder: FOLDER
                  fails: "{{{{ item }}}}"
                  secret: "Bearer {{{{ secrets.TOKEN }}}}"
            output: "{{{{ task.fan.output[0] }}}}"
            """
        )
        assert run.output == {"is_known": len(f"Bearer {CANARY}"), "returned": "Bearer ***"}
        assert "failed with Bearer ***" in str(bench.errors()[1]["message"])
        assert len(bench.logs()) == 2
        for file in bench.folder.iterdir():
            if file.is_file():
                data = file.read_bytes()
                assert CANARY.encode() not in data
                assert CANARY[: len(CANARY) // 2].encode() not in data, file

    @in_each_way
    def test_an_input_that_names_too_much_of_the_context_is_refused(
        self, bench: Workbench, way: str
    ) -> None:
        """The error says which part is large, and names the limit."""
        bench.limits = Limits(snapshot_bytes=1_000)
        run = bench.run(
            f"""
            tasks:
              - {{name: big, action: contract.text_{way}, input: {{size: 2000}}}}
              - {{name: fan, action: contract.give_{way}, with-items: [1],
                  input: {{value: "{{{{ item }}}} {{{{ task.big.output }}}}"}}}}
            """
        )
        error = run.tasks["fan"].error
        assert error is not None
        assert error.type == "LimitExceeded"
        assert "task.big.output, has 2,002" in error.message
        assert "limits.snapshot_bytes" in error.message

    @in_each_way
    def test_an_input_that_names_paged_output_says_how_to_zip_it(
        self, bench: Workbench, way: str
    ) -> None:
        """Its pages stay with the store."""
        run = bench.run(
            f"""
            tasks:
              - {{name: first, action: contract.give_{way}, with-items: [1]}}
              - {{name: fan, action: contract.give_{way}, with-items: [1],
                  input: {{value: "{{{{ item }}}} {{{{ task.first.output }}}}"}}}}
            """
        )
        error = run.tasks["fan"].error
        assert error is not None
        assert "with-items: {it: ..., other:" in error.message

    @in_each_way
    def test_other_code_than_in_the_process_that_drives_is_refused(
        self, bench: Workbench, way: str
    ) -> None:
        """The pack has changed after the run's plan was made."""

        async def change(engine: Engine) -> None:
            plan = bench.plan(f"tasks: [{{name: a, action: contract.give_{way}}}]")
            bench.pack.write_text(bench.pack.read_text() + "\n# other code\n")
            error = (await engine.arun(plan)).tasks["a"].error
            assert error is not None
            assert error.type == "WorkerRefused"
            assert f'"contract.give_{way}" has other code here' in error.message
            assert "Install the same packs" in error.message

        bench.during(change)

    @in_each_way
    def test_a_pack_that_cannot_be_imported_elsewhere_says_where_and_why(
        self, bench: Workbench, way: str
    ) -> None:
        """For a task with items too, of which none has begun then."""
        self._import_fails(bench, "raise ImportError('no such device')")
        run = bench.run(
            f"tasks: [{{name: fan, action: contract.give_{way}, with-items: {{range: 9}}}}]"
        )
        error = run.tasks["fan"].error
        assert error is not None
        assert error.type == "WorkerRefused"
        assert "actions.py:" in error.message
        assert "can't be imported: ImportError: no such device" in error.message
        assert bench.items() == []

    @in_each_way
    def test_a_pack_that_kills_whoever_imports_it_fails_its_task(
        self, bench: Workbench, way: str
    ) -> None:
        """After a few processes, and not for ever."""
        self._import_fails(bench, "import os; os.kill(os.getpid(), 9)")
        run = bench.run(
            f"tasks: [{{name: fan, action: contract.give_{way}, with-items: {{range: 9}}}}]"
        )
        error = run.tasks["fan"].error
        assert error is not None
        assert error.type == "WorkerDied"
        assert "before they had imported the action" in error.message

    def _import_fails(self, bench: Workbench, statement: str) -> None:
        """Let the pack fail in every process but this one."""
        test = f"import os\nif os.getpid() != {os.getpid()}:\n    {statement}\n"
        _, future, rest = bench.pack.read_text().partition("from __future__ import annotations\n")
        bench.pack.write_text(f"{future}{test}{rest}")

    # sleeps

    def test_a_sleep_of_an_action_is_recorded_and_cut_short_by_a_pause(
        self, bench: Workbench
    ) -> None:
        """As it is in this process."""

        async def pause(engine: Engine) -> None:
            plan = bench.plan(
                "tasks: [{name: a, action: contract.nap, input: {folder: FOLDER, seconds: 3600}}]"
            )
            handle = await engine.start(plan)
            await bench.arrivals(1)
            engine.pause()
            assert (await handle.wait()).status is Status.PAUSED
            run_no = bench.store.runs(limit=1)[0].run_no
            sleep = bench.store.sleep(run_no, "a")
            assert sleep is None or sleep.due_at > bench.store.runs(limit=1)[0].created_at + 3_000

        bench.during(pause)

    def test_a_sleep_of_an_action_ends(self, bench: Workbench) -> None:
        """Short ones are no different."""
        run = bench.run(
            """
            tasks:
              - {name: fan, action: contract.nap, with-items: [0, 0.01, 1],
                 input: {folder: FOLDER, seconds: "{{ item }}"}}
            output: "{{ task.fan.output }}"
            """
        )
        assert run.output == [0, 0.01, 1]
