"""The processes of an engine: their number, their environment, their end, and who has them."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

import fanwise
from fanwise.engine import Engine
from fanwise.errors import DefinitionError
from fanwise.executors.process import ProcessExecutor
from fanwise.model import Status
from fanwise.system import SystemClock
from fanwise.testing import executor_pack
from fanwise.testing.executor_workbench import Workbench
from fanwise.wiring import load_plan, open_engine, read_settings

PACK = Path(executor_pack.__file__).parent / "actions.py"
CANARY = "CANARY-9"


@contextmanager
def workbench(
    folder: Path, size: int, **options: int
) -> Iterator[tuple[Workbench, ProcessExecutor]]:
    """A workbench whose actions run in so many processes, and their executor."""
    executor = ProcessExecutor(SystemClock(), size, os.environ, **options)
    bench = Workbench(folder, lambda _: nullcontext(executor))
    yield bench, executor
    bench.close()
    executor.close()


def project(folder: Path, text: str, *, pack: str | None = None) -> Path:
    """A workflow with the contract's pack beside it, or one of a text."""
    (folder / "packs" / "contract").mkdir(parents=True)
    if pack is None:
        shutil.copy(PACK, folder / "packs" / "contract")
    else:
        (folder / "packs" / "contract" / "actions.py").write_text(pack)
    file = folder / "flow.yaml"
    file.write_text(text.replace("FOLDER", str(folder)))
    return file


def test_a_process_makes_room_for_a_new_one_after_many_attempts(tmp_path: Path) -> None:
    """So the leaks of actions stay small."""
    with workbench(tmp_path, 1, recycled_after=10) as (bench, _):
        text = """
            tasks: [{name: fan, action: contract.process_WAY, with-items: {range: 100}}]
            output: "{{ task.fan.output | unique | list | length }}"
            """
        assert all(bench.run(text.replace("WAY", way)).output > 1 for way in ("cpu", "async"))


def test_a_process_of_another_version_is_refused(tmp_path: Path) -> None:
    """As after an upgrade while the engine runs: both versions are told."""
    (tmp_path / "sitecustomize.py").write_text(
        "import platform; platform.python_version = lambda: '3.99.0'"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    executor = ProcessExecutor(SystemClock(), 1, environment)
    bench = Workbench(tmp_path, lambda _: nullcontext(executor))
    run = bench.run("tasks: [{name: a, action: contract.process_cpu}]")
    bench.close()
    executor.close()
    error = run.tasks["a"].error
    assert error is not None
    assert error.type == "WorkerRefused"
    assert error.message == (
        f"worker processes have fanwise {fanwise.__version__} and Python 3.99.0, and the process "
        f"that drives the run has fanwise {fanwise.__version__} and Python "
        f"{platform.python_version()}. Start the run's process again."
    )


@pytest.mark.parametrize(("stop", "status"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_task_that_waits_for_a_process_is_stopped_too(
    tmp_path: Path, stop: str, status: str
) -> None:
    """The one process is busy with another task, which never ends."""
    hanging = "action: contract.hang_cpu, input: {folder: FOLDER}"
    text = f"""
        tasks:
          - {{name: a, {hanging}, needs: []}}
          - {{name: b, {hanging}, needs: []}}
        """

    async def wait(engine: Engine) -> None:
        run = await engine.start(bench.plan(text))
        await bench.arrivals(1)
        await getattr(run, stop)()
        assert (await run.wait()).status == status
        assert bench.starts() == 1

    with workbench(tmp_path, 1) as (bench, _):
        bench.during(wait)


def test_tasks_take_turns_with_the_processes_that_there_are(tmp_path: Path) -> None:
    """Neither has to wait for the end of the other one's items."""
    with workbench(tmp_path, 1) as (bench, _):
        run = bench.run(
            """
            tasks:
              - {name: a, action: contract.clock_cpu, needs: [], with-items: {range: 20000}}
              - {name: b, action: contract.clock_cpu, needs: [], with-items: {range: 20000}}
            output:
              a: ["{{ task.a.output | first }}", "{{ task.a.output | last }}"]
              b: ["{{ task.b.output | first }}", "{{ task.b.output | last }}"]
            """
        )
        (a_first, a_last), (b_first, b_last) = run.output["a"], run.output["b"]
        assert a_first < b_last
        assert b_first < a_last


def test_processes_outlive_an_event_loop_and_serve_the_next_run(tmp_path: Path) -> None:
    """`Engine.run` has a loop of its own for each run."""
    with workbench(tmp_path, 1) as (bench, executor):
        text = "{tasks: [{name: a, action: contract.process_cpu}], output: '{{ task.a.output }}'}"
        outputs = [bench.run(text).output for _ in range(3)]
        assert {*outputs} == executor.processes


def test_a_process_that_died_between_two_runs_is_replaced(tmp_path: Path) -> None:
    """Nobody was there to hear of it."""
    with workbench(tmp_path, 1) as (bench, executor):
        for way in ("cpu", "async"):
            text = f"tasks: [{{name: a, action: contract.process_{way}}}]"
            assert bench.run(text).status is Status.SUCCEEDED
            for process in executor.processes:
                os.kill(process, signal.SIGKILL)
            assert bench.run(text).status is Status.SUCCEEDED
            assert bench.run(text).tasks["a"].attempts == 1


def test_a_signal_to_all_processes_of_a_service_is_left_to_the_engine(tmp_path: Path) -> None:
    """Attempts in flight finish, as far as the engine lets them."""

    async def signal_all(engine: Engine) -> None:
        text = """
            tasks:
              - {name: a, action: contract.hang_WAY, with-items: [1], input: {folder: FOLDER}}
            """
        for way in ("cpu", "async"):
            run = await engine.start(bench.plan(text.replace("WAY", way)))
            await bench.arrivals(1)
            for process in executor.processes:
                os.kill(process, signal.SIGTERM)
                os.kill(process, signal.SIGINT)
            bench.open_gate()
            assert (await run.wait()).status is Status.SUCCEEDED
        assert bench.starts() == 2

    with workbench(tmp_path, 1) as (bench, executor):
        bench.during(signal_all)


def test_a_child_has_no_secret_and_no_store_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But all other variables, and the folder that the run was started in."""
    monkeypatch.setenv("FANWISE_SECRET_TOKEN", CANARY)
    monkeypatch.setenv("FANWISE_STORE", str(tmp_path / f"{CANARY}.db"))
    monkeypatch.setenv("SOME_VARIABLE", "here")
    monkeypatch.chdir(tmp_path)
    pack = """
import os, sys, fanwise

@fanwise.action("contract.look", cpu=True)
def look() -> list:
    shown = str({**os.environ, "argv": sys.argv})
    return ["CANARY" in shown, os.environ["SOME_VARIABLE"], os.getcwd()]
"""
    text = "{tasks: [{name: a, action: contract.look}], output: '{{ task.a.output }}'}"
    run = fanwise.run(project(tmp_path, text, pack=pack))
    assert run.output == [False, "here", str(tmp_path)]


def command(*arguments: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "fanwise", *arguments, "--store", str(folder / "runs.db")]


def test_children_end_with_an_engine_that_was_killed(tmp_path: Path) -> None:
    """Also those that keep their interpreter for themselves, and can't hear of anything."""
    pack = """
import os, sys, fanwise

@fanwise.action("contract.stick", cpu=True)
def stick(pipe: str) -> None:
    os.write(os.open(pipe, os.O_WRONLY), b".")
    sys.setswitchinterval(1e9)
    while True:
        pass
"""
    os.mkfifo(tmp_path / "pipe")
    text = "tasks: [{name: a, action: contract.stick, input: {pipe: FOLDER/pipe}}]"
    engine = subprocess.Popen(
        command("run", str(project(tmp_path, text, pack=pack)), folder=tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with (tmp_path / "pipe").open("rb", buffering=0) as pipe:
        assert pipe.read(1) == b"."
        engine.kill()
        engine.wait()
        assert pipe.read(1) == b""  # nobody has it open any more


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["--executor", "cloud"], {}, 'no executor "cloud". The executors are local, process, ray'),
        (
            ["--ray", "ray://a:1"],
            {},
            "ray://a:1 is an address of Ray's client, which can't be used",
        ),
        ([], {"FANWISE_EXECUTOR": "x"}, 'FANWISE_EXECUTOR: there is no executor "x"'),
        ([], {"FANWISE_PROCESSES": "many"}, "FANWISE_PROCESSES takes a whole number from 1"),
        ([], {"FANWISE_PROCESSES": "0"}, "FANWISE_PROCESSES takes a whole number from 1"),
    ],
)
def test_settings_that_do_not_fit_are_told_in_one_line(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], message: str
) -> None:
    """With the exit status 2, before anything runs."""
    file = project(tmp_path, "tasks: [{name: a, action: core.noop}]")
    done = subprocess.run(
        command("run", str(file), *arguments, folder=tmp_path),
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_run_that_asks_for_processes_has_all_its_actions_there(tmp_path: Path) -> None:
    """But for a task that says otherwise; so are steps of workflows that it calls."""
    (tmp_path / "child.yaml").write_text(
        "{tasks: [{name: a, action: contract.process_async},"
        " {name: b, action: contract.process_def}],"
        " output: ['{{ task.a.output }}', '{{ task.b.output }}']}"
    )
    text = """
tasks:
  - {name: one, action: contract.process_async}
  - {name: here, action: contract.process_cpu, executor: local}
  - {name: call, action: ./child.yaml}
output: ["{{ task.one.output }}", "{{ task.here.output }}", "{{ task.call.output }}"]
"""
    settings = read_settings(store=str(tmp_path / "runs.db"), executor="process")
    plan = load_plan(project(tmp_path, text), settings)
    with open_engine(settings=settings) as engine:
        one, here, call = engine.run(plan).output
    assert here == os.getpid()
    assert os.getpid() not in (one, *call)


def test_a_step_may_run_elsewhere_than_its_workflow(tmp_path: Path) -> None:
    """The one step of a workflow that is called, and of which the others are plain."""
    (tmp_path / "child.yaml").write_text(
        "{tasks: [{name: a, action: contract.process_async, executor: process}],"
        " output: '{{ task.a.output }}'}"
    )
    text = "{tasks: [{name: a, action: ./child.yaml}], output: '{{ task.a.output }}'}"
    run = fanwise.run(project(tmp_path, text), store=str(tmp_path / "runs.db"))
    assert run.output not in (None, os.getpid())


def test_a_task_that_calls_a_workflow_names_no_executor(tmp_path: Path) -> None:
    """Its steps do."""
    (tmp_path / "child.yaml").write_text("tasks: [{name: a, action: core.noop}]")
    file = project(tmp_path, "tasks: [{name: a, action: ./child.yaml, executor: process}]")
    with pytest.raises(DefinitionError, match='task "a" calls a workflow, which runs in no'):
        load_plan(file)


def test_what_cannot_travel_is_an_error_where_processes_were_asked_for(tmp_path: Path) -> None:
    """A function that was given as it is has no name that another process could find it by."""

    @fanwise.action("test.own", cpu=True)
    def own() -> int:
        return os.getpid()

    def run(**keys: str) -> fanwise.Run:
        flow = {
            "tasks": [{"name": "a", "action": "test.own", **keys}],
            "output": "{{ task.a.output }}",
        }
        return fanwise.run(flow, store=str(tmp_path / "runs.db"), actions=[own])

    assert run().output == os.getpid()
    error = run(executor="process").tasks["a"].error
    assert error is not None
    assert "a function of this process, which no other process can call" in error.message
