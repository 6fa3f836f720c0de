"""The public face of Python: what can't be done as called says what to do instead."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import fanwise
from fanwise.errors import (
    DefinitionError,
    NothingToRetryError,
    ParameterError,
    RunNotFoundError,
    RunOverError,
    UsageError,
)
from fanwise.wiring import read_settings

FLOW = {"tasks": [{"name": "a", "action": "core.echo", "input": {"value": 5}}]}


def test_run_inside_an_event_loop_says_to_await_arun(tmp_path: Path) -> None:
    """As in a notebook. Nothing is left behind that was never awaited."""

    async def cell() -> fanwise.Run:
        with pytest.raises(UsageError, match=r"Use: await fanwise\.arun"):
            fanwise.run(FLOW, store=str(tmp_path / "fanwise.db"))
        return await fanwise.arun(FLOW, store=str(tmp_path / "fanwise.db"))

    assert asyncio.run(cell()).status is fanwise.Status.SUCCEEDED


def test_run_without_an_event_loop_runs_the_workflow(tmp_path: Path) -> None:
    assert fanwise.run(FLOW, store=str(tmp_path / "fanwise.db")).status is fanwise.Status.SUCCEEDED


def test_a_plan_is_loaded_once_and_run_on_one_open_store(tmp_path: Path) -> None:
    """`load_plan` needs nothing but the workflow; an engine runs the plan as often as asked."""
    plan = fanwise.load_plan(FLOW)

    async def twice(engine: fanwise.Engine) -> list[fanwise.Run]:
        return await asyncio.gather(engine.arun(plan), engine.arun(plan))

    with fanwise.open_engine(store=str(tmp_path / "fanwise.db")) as engine:
        assert [run.status for run in asyncio.run(twice(engine))] == ["succeeded", "succeeded"]


def test_a_plan_finds_the_actions_of_further_packs(tmp_path: Path) -> None:
    """Those of the folders given, or of settings, but not of both."""
    pack = tmp_path / "packs" / "my"
    pack.mkdir(parents=True)
    action = "import fanwise\n\n@fanwise.action('my.five')\ndef five() -> int:\n    return 5\n"
    (pack / "actions.py").write_text(action)
    flow = {"tasks": [{"name": "a", "action": "my.five"}]}
    folders = [tmp_path / "packs"]
    with pytest.raises(DefinitionError, match="unknown-action"):
        fanwise.load_plan(flow)
    assert fanwise.load_plan(flow, packs=folders).tasks[0].spec.name == "my.five"
    assert fanwise.load_plan(flow, settings=read_settings(packs=folders)).tasks[0].name == "a"
    assert fanwise.load_plan(flow, import_packs=False).tasks[0].name == "a"
    with pytest.raises(UsageError, match="not both"):
        fanwise.load_plan(flow, settings=read_settings(), packs=folders)


def test_an_engine_takes_a_store_or_settings_and_ignores_neither(tmp_path: Path) -> None:
    """Settings name a store themselves, so a second one would be ignored in silence."""
    one, other = str(tmp_path / "one.db"), str(tmp_path / "other.db")
    with (
        pytest.raises(UsageError, match="not both"),
        fanwise.open_engine(store=one, settings=read_settings(store=other)),
    ):
        pass
    assert not list(tmp_path.iterdir())
    with fanwise.open_engine(store=one), fanwise.open_engine(settings=read_settings(store=other)):
        assert {path.name for path in tmp_path.glob("*.db")} == {"one.db", "other.db"}


def test_the_environment_says_for_how_long_leases_hold() -> None:
    """A duration of a second or more; without it there is a default."""
    assert read_settings(environment={}).lease_s == 15.0
    assert read_settings(environment={"FANWISE_LEASE": "1m"}).lease_s == 60.0
    for text, told in {"soon": "takes a duration", "500ms": "takes 1 s or more"}.items():
        with pytest.raises(UsageError, match=f"FANWISE_LEASE {told}"):
            read_settings(environment={"FANWISE_LEASE": text})


SUM = {
    "parameters": {"token": {"type": "string", "secret": True}},
    "tasks": [
        {
            "name": "each",
            "action": "my.square",
            "with-items": [1, 2, 3],
            "input": {"n": "{{ item }}"},
        }
    ],
    "output": "{{ task.each.output | sum }}",
}
SQUARE = """\
from pathlib import Path
import fanwise

@fanwise.action("my.square")
def square(n: int) -> int:
    if n == 2 and Path(__file__).with_name("broken").exists():
        raise ValueError("two is too many")
    return n * n
"""


@pytest.fixture
def packs(tmp_path: Path) -> list[Path]:
    """A folder with a pack whose action fails for now."""
    pack = tmp_path / "packs" / "my"
    pack.mkdir(parents=True)
    (pack / "actions.py").write_text(SQUARE)
    (pack / "broken").touch()
    return [tmp_path / "packs"]


def test_a_run_is_retried_by_its_id(tmp_path: Path, packs: list[Path]) -> None:
    """With the packs and the workflow that it started with, or with a repaired one."""
    store = str(tmp_path / "fanwise.db")
    failed = fanwise.run(SUM, store=store, packs=packs)
    assert failed.status is fanwise.Status.FAILED
    assert fanwise.retry(failed.id, store=store).status is fanwise.Status.FAILED
    (packs[0] / "my" / "broken").unlink()
    repaired = {**SUM, "output": "{{ task.each.output | sum + 1 }}"}
    run = fanwise.retry(failed.id, workflow=repaired, store=store)
    assert (run.id, run.output) == (failed.id, 15)
    with pytest.raises(NothingToRetryError, match="nothing of run"):
        fanwise.retry(failed.id, store=store)
    assert fanwise.retry(failed.id, from_task="each", store=store).output == 15


def test_children_that_failed_are_made_again_with_a_repaired_workflow(
    tmp_path: Path, packs: list[Path]
) -> None:
    """From their first step on."""
    store, child = str(tmp_path / "fanwise.db"), str(tmp_path / "child.yaml")
    (tmp_path / "child.yaml").write_text(
        "parameters: {n: {type: integer}}\n"
        "tasks: [{name: a, action: my.square, input: {n: '{{ parameters.n }}'}}]\n"
        "output: '{{ task.a.output }}'\n"
    )
    each = {"name": "each", "action": child, "with-items": [1, 2], "input": {"n": "{{ item }}"}}
    failed = fanwise.run({"tasks": [each]}, store=store, packs=packs)
    assert failed.tasks["each"].items == fanwise.ItemCounts(2, 1, 1)
    (packs[0] / "my" / "broken").unlink()
    repaired = {"tasks": [each], "output": "{{ task.each.output }}"}
    assert fanwise.retry(failed.id, workflow=repaired, store=store).output == [1, 4]


def test_a_paused_run_is_resumed_by_its_id(tmp_path: Path, packs: list[Path]) -> None:
    """With its secrets, and where an event loop runs by another name."""
    store = str(tmp_path / "fanwise.db")

    class Pause(fanwise.Observer):
        def task_started(self, progress: object) -> None:
            engine.pause()

    (packs[0] / "my" / "broken").unlink()
    with fanwise.open_engine(store=store) as engine:
        plan = fanwise.load_plan(SUM, packs=packs)
        paused = asyncio.run(engine.arun(plan, {"token": "a"}, observer=Pause()))
    assert paused.status is fanwise.Status.PAUSED

    async def cell() -> fanwise.Run:
        with pytest.raises(UsageError, match=r"Use: await fanwise\.aresume"):
            fanwise.resume(paused.id, store=store)
        with pytest.raises(ParameterError, match='the secret parameter "token"'):
            await fanwise.aresume(paused.id, store=store)
        return await fanwise.aresume(paused.id, secrets={"token": "a"}, store=store)

    assert asyncio.run(cell()).output == 14
    with pytest.raises(RunOverError, match=r"is over: it has succeeded"):
        fanwise.resume(paused.id, secrets={"token": "a"}, store=store)


def test_an_unknown_run_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    """Also from Python."""
    store = str(tmp_path / "fanwise.db")
    fanwise.run(FLOW, store=store, run_id="nightly")
    for go_on in (fanwise.resume, fanwise.retry):
        with pytest.raises(RunNotFoundError, match=r'no run "nigthly"\. Did you mean "nightly"\?'):
            go_on("nigthly", store=store)


def test_a_text_with_a_line_break_is_a_workflow_also_if_it_ends_there(tmp_path: Path) -> None:
    """Any other text is a path, also an empty one."""
    store = str(tmp_path / "fanwise.db")
    text = "tasks: [{name: a, action: core.noop}]"
    assert fanwise.run(f"{text}\n", store=store).status is fanwise.Status.SUCCEEDED
    with pytest.raises(UsageError, match="can't be read"):
        fanwise.run(text, store=store)
    with pytest.raises(UsageError, match="can't be read"):
        fanwise.run("", store=store)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"workflow": 3}, "a workflow can't be given as int"),
        ({"workflow": None}, "a workflow can't be given as NoneType"),
        ({"actions": print}, r"`actions` takes a list, .* Write actions=\[function\]\."),
        ({"packs": "packs"}, "`packs` takes a list, not str"),
        ({"parameters": [1]}, "`parameters` takes a map, not list"),
        ({"tags": 3}, "`tags` takes a list, not int"),
        ({"run_id": 3}, "`run_id` takes text, not int"),
        ({"store": 3}, "`store` takes text, not int"),
        ({"ray": 3}, "`ray` takes text, not int"),
        ({"wait_s": -1}, "`wait_s` takes a number of seconds from 0, not -1"),
        ({"wait_s": "1"}, "`wait_s` takes a number of seconds, not str"),
    ],
)
def test_an_argument_of_a_wrong_type_is_told(tmp_path: Path, given: Any, told: str) -> None:
    """As a `UsageError` of one line; nothing is recorded."""
    arguments = {"workflow": FLOW, "store": str(tmp_path / "fanwise.db"), **given}
    with pytest.raises(UsageError, match=told) as caught:
        fanwise.run(**arguments)
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_read_of_a_store_is_asked_for_by_texts_and_times(tmp_path: Path) -> None:
    """As is what is changed in it."""
    store = str(tmp_path / "fanwise.db")
    fanwise.run(FLOW, store=store, run_id="one")
    wrong: Any = 3
    day: Any = "yesterday"
    with fanwise.open_store(store) as runs:
        for call in (runs.get, runs.tasks, runs.delete, partial(fanwise.resume, store=store)):
            with pytest.raises(UsageError, match="`run_id` takes text, not int"):
                call(wrong)
        with pytest.raises(UsageError, match="`since` takes a time or seconds"):
            runs.runs(since=day)
        with pytest.raises(UsageError, match="`task` takes text"):
            runs.items("one", wrong)
