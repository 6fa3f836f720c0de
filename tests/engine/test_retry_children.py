"""A retry goes on inside called workflows, stays with repaired ones, and corrects parameters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fanwise
from fanwise.errors import ParameterError
from fanwise.model import ChosenKind, ItemCounts, Run, Status
from fanwise.ports import RerunNotes
from fanwise.run_store import RunStore
from fanwise.wiring import load_to_retry, open_engine, open_records, read_settings

ROUND = """
parameters: {n: {}}
tasks:
  - {name: down, action: test.do, input: {of: "down {{ parameters.n }}"}}
  - {name: skipped, action: test.do, when: "{{ false }}", input: {of: never}}
  - name: each
    action: test.do
    with-items: [1, 2, 3]
    input: {of: "each {{ parameters.n }}.{{ item }}"}
  - {name: up, action: test.do, input: {of: "up {{ parameters.n }}"}}
finally:
  - {name: tidy, action: test.do, input: {of: "tidy {{ parameters.n }}"}}
output: "{{ task.up.output }}"
"""
CALLS = """
tasks:
  - {name: call, action: ./round.yaml, with-items: {range: 3}, input: {n: "{{ item }}"}}
output: "{{ task.call.output }}"
"""


class Watcher(fanwise.Observer):
    """Remembers what a retry says."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.notes: RerunNotes | None = None

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def rerun_planned(self, notes: RerunNotes) -> None:
        self.notes = notes


class Bench:
    """A folder with workflows and a store, and an action that fails for the names in `broken`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = str(folder / "fanwise.db")
        self.broken: set[str] = set()
        self.words: dict[str, str] = {}
        self.done: list[str] = []
        self.watcher = Watcher()

        @fanwise.action("test.do")
        async def do(of: str) -> str:
            self.done.append(of)
            if of in self.broken:
                raise fanwise.ActionError(self.words.get(of, "it is broken"), type="Broken")
            return of

        self.do: Callable[..., Any] = do

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def run(self, path: Path, **parameters: object) -> Run:
        return fanwise.run(path, parameters, store=self.store, actions=[self.do], run_id="r")

    def retry(self, **how: Any) -> list[str]:
        """What a retry does again, after all is mended."""
        self.broken.clear()
        self.done.clear()
        self.watcher = Watcher()
        ended = fanwise.retry(
            "r", store=self.store, actions=[self.do], observer=self.watcher, **how
        )
        assert ended.status is Status.SUCCEEDED
        return sorted(self.done)

    def open(self) -> RunStore:
        return fanwise.open_store(self.store)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_retried_child_goes_on_where_its_steps_ended(bench: Bench) -> None:
    """Steps and items that had succeeded are kept; its `finally` has its turn again."""
    bench.write("round.yaml", ROUND)
    bench.broken = {"each 0.2", "up 1"}
    assert bench.run(bench.write("calls.yaml", CALLS)).status is Status.FAILED
    assert bench.retry() == ["each 0.2", "tidy 0", "tidy 1", "up 0", "up 1"]
    with bench.open() as store:
        assert [output for _, output in store.outputs("r", "call")] == ["up 0", "up 1", "up 2"]
        assert [row.status for row in store.tasks("r", within="call[0]")] == [
            *(Status.SUCCEEDED, Status.SKIPPED, Status.SUCCEEDED, Status.SUCCEEDED),
            Status.SUCCEEDED,
        ]
        assert [item.status for item in store.items("r", "call[0].each")] == [Status.SUCCEEDED] * 3


def test_a_child_of_a_child_goes_on_too(bench: Bench) -> None:
    """Without items as well."""
    bench.write("round.yaml", ROUND)
    middle = (
        "tasks: [{name: in, action: ./round.yaml, input: {n: 7}}]\noutput: '{{ task.in.output }}'"
    )
    bench.write("middle.yaml", middle)
    bench.broken = {"up 7"}
    outer = bench.write("outer.yaml", "tasks: [{name: out, action: ./middle.yaml}]")
    assert bench.run(outer).status is Status.FAILED
    assert bench.retry() == ["tidy 7", "up 7"]


def test_a_step_after_a_step_that_runs_again_does_so_too(bench: Bench) -> None:
    """Although it had succeeded, since the failure before it was passed over."""
    text = ROUND.replace(
        'action: test.do, input: {of: "down',
        'action: test.do, on-error: continue, input: {of: "down',
    )
    bench.write("round.yaml", text)
    bench.broken = {"down 1", "up 1"}
    assert bench.run(bench.write("calls.yaml", CALLS)).status is Status.FAILED
    again = [f"each 1.{item}" for item in (1, 2, 3)]
    assert bench.retry() == ["down 1", *again, "tidy 1", "up 1"]


def test_a_child_whose_input_is_written_otherwise_begins_anew(bench: Bench) -> None:
    """What its steps had done, they did for another input."""
    bench.write("round.yaml", ROUND)
    bench.broken = {"up 1"}
    bench.run(bench.write("calls.yaml", CALLS))
    repaired = bench.write("calls.yaml", CALLS.replace('"{{ item }}"', '"{{ item + 10 }}"'))
    again = [f"each 11.{item}" for item in (1, 2, 3)]
    assert bench.retry(workflow=repaired) == ["down 11", *again, "tidy 11", "up 11"]


def test_a_run_stays_with_a_child_that_was_repaired(bench: Bench) -> None:
    """Its record has the repaired text, and a later retry runs that."""
    bench.write("round.yaml", ROUND)
    calls = bench.write("calls.yaml", CALLS)
    bench.broken = {"up 1"}
    bench.run(calls)
    bench.write("round.yaml", ROUND.replace('"up {{', '"better {{'))
    assert bench.retry(workflow=calls) == ["better 1", "tidy 1"]
    assert "better 2" in bench.retry(from_task="call")


REGIONS = """
parameters: {region: {default: eu}, n: {type: integer, default: 2}}
vars: {where: "{{ parameters.region }}"}
tasks:
  - {name: a, action: test.do, input: {of: "a {{ vars.where }}"}}
  - {name: plain, action: test.do, input: {of: plain}}
  - name: each
    action: test.do
    with-items: {range: "{{ parameters.n }}"}
    input: {of: "each {{ item }}"}
  - {name: b, action: test.do, input: {of: "b {{ parameters.region }}"}}
output: "{{ task.b.output }}"
"""


def test_a_retry_corrects_a_parameter_and_says_what_had_used_it(bench: Bench) -> None:
    """Also by a variable; the new value is recorded."""
    bench.broken = {"b eu"}
    bench.run(bench.write("regions.yaml", REGIONS))
    assert bench.retry(parameters={"region": "us"}) == ["b us"]
    notes = bench.watcher.notes
    assert notes is not None
    assert notes.corrected == ("region",)
    assert {note.name: note.uses for note in notes.tasks if note.uses} == {"a": ("region",)}
    with bench.open() as store:
        assert store.get("r").parameters == {"region": "us", "n": 2}


def test_a_task_whose_items_come_from_a_corrected_parameter_begins_anew(bench: Bench) -> None:
    """Its recorded items are of another list."""
    bench.broken = {"b eu"}
    bench.run(bench.write("regions.yaml", REGIONS))
    assert bench.retry(parameters={"n": 3}) == ["b eu", "each 0", "each 1", "each 2"]


def test_a_corrected_parameter_has_to_fit(bench: Bench) -> None:
    """Its name and its type are checked as at the start, and the run stays as it is."""
    bench.broken = {"b eu"}
    bench.run(bench.write("regions.yaml", REGIONS))
    for wrong, message in (({"m": 3}, 'no parameter "m"'), ({"n": "x"}, "a whole number")):
        with pytest.raises(ParameterError, match=message):
            fanwise.retry("r", store=bench.store, actions=[bench.do], parameters=wrong)


def test_a_repaired_default_that_is_not_taken_is_told(bench: Bench) -> None:
    """With the option that takes it; a parameter that was given has no default to speak of."""
    bench.broken = {"b eu"}
    bench.run(bench.write("regions.yaml", REGIONS), n=2)
    repaired = REGIONS.replace("default: eu", "default: us").replace("default: 2", "default: 3")
    bench.retry(workflow=bench.write("regions.yaml", repaired))
    (told,) = bench.watcher.notices
    assert "region" in told
    assert "-p region=VALUE" in told


def test_children_of_one_kind_of_errors_are_retried_alone(bench: Bench) -> None:
    """Steps of those that stay failed stay as they are recorded, too."""
    bench.write("round.yaml", ROUND)
    bench.broken = {"down 0", "up 1"}
    bench.words = {"up 1": "nothing has come back from there, not even after 3 tries"}
    assert bench.run(bench.write("calls.yaml", CALLS)).status is Status.FAILED
    with bench.open() as store:
        before = list(store.tasks("r", within="call[1]"))
        (first, *_) = store.items("r", "call", status="failed")
    assert first.index == 0
    bench.broken.clear()
    bench.done.clear()
    settings = read_settings(store=bench.store)
    with open_engine(settings=settings) as engine:
        record = engine.find("r")
        plan, _ = load_to_retry(record, settings, None, actions=[bench.do])
        with open_records(settings) as records:
            kinds = records.kinds(record.run_no, 1)
        chosen = ChosenKind("call", next(each.number for each in kinds if each.index == 0))
        run = asyncio.run(engine.aretry(plan, record, kind_of=chosen))
    assert run.tasks["call"].items == ItemCounts(3, 2, 1)
    assert "down 0" in bench.done
    assert not any(of.endswith("1") and not of.startswith("each") for of in bench.done)
    with bench.open() as store:
        assert list(store.tasks("r", within="call[1]")) == before
