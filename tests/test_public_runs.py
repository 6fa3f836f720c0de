"""Runs from Python: read, paused, cancelled and deleted by ids and names, with given actions."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import fanwise
from fanwise.errors import (
    ActionLoadError,
    DefinitionError,
    RunExistsError,
    RunNotDrivenError,
    RunNotFoundError,
    RunNotOverError,
    RunOverError,
    TaskNotFoundError,
    UsageError,
)

TEXT = """
parameters: {bad: {default: 1}}
tasks:
  - {name: check, action: my.check, with-items: [0, 1, 2], tolerate: 100%,
     input: {n: "{{ item }}", bad: "{{ parameters.bad }}"}}
  - {name: total, action: core.echo, input: {value: 5}}
output: "{{ task.total.output.value }}"
"""


@fanwise.action("my.check")
def check(n: int, bad: int) -> int:
    sys.stdout.write(f"checking {n}\n")
    if n == bad:
        raise ValueError("it is bad")
    return n * 10


class Pause(fanwise.Observer):
    """Pauses the engine's runs when a task starts."""

    def __init__(self, engine: fanwise.Engine) -> None:
        self._engine = engine

    def task_started(self, progress: object) -> None:
        self._engine.pause()


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "fanwise.db")


def paused(store: str, run_id: str) -> None:
    """A run of `TEXT` that is paused."""
    with fanwise.open_engine(store=store) as engine:
        plan = fanwise.load_plan(TEXT, actions=[check])
        run = engine.run(plan, run_id=run_id, observer=Pause(engine))
    assert run.status is fanwise.Status.PAUSED


def test_a_store_is_read_by_ids_and_names(store: str) -> None:
    """All records are values, with their JSON decoded."""
    fanwise.run(TEXT, store=store, actions=[check], run_id="one", tags=["nightly"])
    fanwise.run(TEXT, {"bad": 9}, store=store, actions=[check], run_id="two")
    with fanwise.open_store(store) as runs:
        assert [run.id for run in runs.runs()] == ["two", "one"]
        assert [run.id for run in runs.runs(tags=["nightly"], status="succeeded")] == ["one"]
        assert list(runs.runs(status="failed")) == []
        one = runs.get("one")
        assert (one.output, one.parameters, one.tags) == (5, {"bad": 1}, ("nightly",))
        assert (one.status, one.is_interrupted) == (fanwise.Status.SUCCEEDED, False)
        assert [(task.path, task.items) for task in runs.tasks("one")] == [
            ("check", fanwise.ItemCounts(3, 2, 1)),
            ("total", None),
        ]
        (failed,) = runs.items("one", "check", status="failed")
        assert failed.index == 1
        assert failed.error is not None
        assert (failed.error.type, failed.error.message) == ("ValueError", "it is bad")
        assert list(runs.outputs("one", "check")) == [(0, 0), (2, 20)]
        assert [log.text for log in runs.logs("one", "check[2]")] == ["checking 2\n"]
        assert len(list(runs.logs("two"))) == 3


def test_more_items_than_a_page_are_all_read(store: str) -> None:
    """Each once, in their order."""
    each = {"name": "each", "action": "core.echo", "with-items": {"range": 2_500}}
    fanwise.run({"tasks": [{**each, "input": {"n": "{{ item }}"}}]}, store=store, run_id="many")
    with fanwise.open_store(store) as runs:
        assert [item.index for item in runs.items("many", "each")] == list(range(2_500))
        found = list(runs.outputs("many", "each"))
    assert found == [(index, {"n": index}) for index in range(2_500)]


def test_what_is_not_there_is_an_error_with_its_name(store: str) -> None:
    """Also before an iterator is read."""
    fanwise.run(TEXT, store=store, actions=[check], run_id="one")
    with fanwise.open_store(store) as runs:
        with pytest.raises(RunNotFoundError) as missing:
            runs.items("won", "check")
        assert missing.value.run_id == "won"
        with pytest.raises(TaskNotFoundError) as nameless:
            runs.outputs("one", "chek")
        assert nameless.value.task == "chek"
        with pytest.raises(UsageError, match="has no items"):
            runs.items("one", "total")
        with pytest.raises(UsageError, match='"done" is no status'):
            runs.runs(status="done")


def test_a_deleted_run_is_gone(store: str) -> None:
    """A run that is over or paused can be deleted."""
    fanwise.run(TEXT, store=store, actions=[check], run_id="one")
    with fanwise.open_store(store) as runs:
        runs.delete("one")
        assert list(runs.runs()) == []
        with pytest.raises(RunNotFoundError):
            runs.delete("one")


def test_a_run_in_progress_is_paused_from_outside_and_not_deleted(store: str) -> None:
    """The process that drives it is asked, and the call returns when it has let go."""

    @fanwise.action("my.wait")
    async def wait(n: int) -> None:
        if n == 0:
            with fanwise.open_store(store) as runs, pytest.raises(RunNotOverError):
                runs.delete("long")
            asking.append(asyncio.create_task(fanwise.apause("long", store=store)))
        await asyncio.sleep(0)

    asking: list[asyncio.Task[fanwise.RunDetails]] = []
    each = {"name": "each", "action": "my.wait", "with-items": {"range": 10**9}}
    flow = {"tasks": [{**each, "concurrency": 1, "input": {"n": "{{ item }}"}}]}

    async def drive() -> tuple[fanwise.Run, fanwise.RunDetails]:
        run = await fanwise.arun(flow, store=store, actions=[wait], run_id="long")
        return run, await asking[0]

    run, found = asyncio.run(drive())
    assert run.status is fanwise.Status.PAUSED
    assert (found.id, found.status) == ("long", fanwise.Status.PAUSED)


def test_a_run_that_no_process_drives_is_cancelled_here(store: str) -> None:
    """Pausing it is refused; and once it is over, so is all."""
    paused(store, "one")
    with pytest.raises(RunNotDrivenError):
        fanwise.pause("one", store=store)
    with pytest.raises(DefinitionError, match=r"actions=\[\.\.\.\]"):
        fanwise.cancel("one", store=store)
    assert fanwise.cancel("one", store=store, actions=[check]).status == "cancelled"
    with pytest.raises(RunOverError) as over:
        fanwise.cancel("one", store=store)
    assert (over.value.run_id, over.value.status) == ("one", "cancelled")
    with pytest.raises(RunNotFoundError):
        fanwise.cancel("two", store=store)


def test_a_run_with_actions_given_is_resumed_with_them_again(store: str) -> None:
    """Without them the error says so."""
    paused(store, "one")
    with pytest.raises(DefinitionError, match=r'<text>:4:.*"my.check".*actions=\[\.\.\.\]'):
        fanwise.resume("one", store=store)
    assert fanwise.resume("one", store=store, actions=[check]).output == 5


def test_only_actions_can_be_given_and_each_name_once(store: str) -> None:
    """Others are refused before anything runs."""

    @fanwise.action("my.check")
    def other() -> None:
        """Another function of the same name."""

    with pytest.raises(ActionLoadError, match=r'"len" is given as an action and isn\'t one'):
        fanwise.run(TEXT, store=store, actions=[len])
    with pytest.raises(ActionLoadError, match="defined in"):
        fanwise.run(TEXT, store=store, actions=[check, other])


def test_a_text_is_named_so_and_a_line_is_a_path(store: str) -> None:
    """A str with a line break is text."""
    with pytest.raises(DefinitionError, match="<text>:2:"):
        fanwise.run("tasks:\n  - {name: a}\n", store=store)
    with pytest.raises(UsageError, match=r"nix\.yaml  can't be read"):
        fanwise.run("nix.yaml", store=store)


def test_a_store_may_be_given_as_a_path(store: str) -> None:
    """As every function that takes a file takes it."""
    done = fanwise.run(TEXT, store=Path(store), actions=[check])
    with fanwise.open_store(Path(store)) as opened:
        assert [run.id for run in opened.runs()] == [done.id]


def test_a_taken_id_starts_nothing(store: str) -> None:
    """So whoever starts the same run twice starts it once."""
    flow = {"tasks": [{"name": "a", "action": "core.noop"}]}
    fanwise.run(flow, store=store, run_id="one")
    with pytest.raises(RunExistsError) as taken:
        fanwise.run(flow, store=store, run_id="one")
    assert taken.value.run_id == "one"


FACES = ["run", "resume", "retry", "pause", "cancel"]


@pytest.mark.parametrize("name", FACES)
def test_each_twin_has_the_same_full_signature(name: str) -> None:
    """Every keyword is written out, so type checkers and editors know it."""
    face: Callable[..., object] = getattr(fanwise, name)
    twin: Callable[..., object] = getattr(fanwise, f"a{name}")
    assert inspect.signature(face) == inspect.signature(twin)
    for parameter in inspect.signature(face).parameters.values():
        assert parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)


def test_a_run_has_the_executor_that_it_is_given(store: str) -> None:
    """A retry may have another one, and an unknown one is told."""
    one = fanwise.run(TEXT, store=store, actions=[check], run_id="one", executor="process")
    assert one.error is not None
    assert "which no other process can call" in one.error.message
    two = fanwise.retry("one", store=store, actions=[check], executor="local")
    assert two.status is fanwise.Status.SUCCEEDED
    paused(store, "three")
    again = fanwise.resume("three", store=store, actions=[check], executor="process", processes=1)
    assert again.error is not None
    for given in ({"executor": "moon"}, {"processes": 0}):
        with pytest.raises(UsageError):
            fanwise.run(TEXT, store=store, actions=[check], **given)
