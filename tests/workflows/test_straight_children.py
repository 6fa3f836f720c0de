"""Children whose tasks follow each other record what the conductor would have them record."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import fanwise
from fanwise.engine import children
from fanwise.engine.straight_line import is_straight
from fanwise.stores import open_store
from fanwise.wiring import load_plan

STEPS = 4


@fanwise.action("line.echo")
async def echo(value: object, context: object = None) -> object:
    """Give the value back."""
    return value


@fanwise.action("line.say")
async def say(value: object) -> str:
    """Print the value, and give it back as text."""
    sys.stdout.write(f"said {value}")
    return str(value)


@fanwise.action("line.key")
async def key(value: object, context: fanwise.ActionContext) -> str:
    """Give the attempt's key."""
    return context.idempotency_key


@fanwise.action("line.bound")
async def bound(value: object, limits: fanwise.Limits) -> list[object]:
    """Give the value, and a limit of the run."""
    return [value, limits.context_bytes]


@fanwise.action("line.fail_on")
async def fail_on(value: object, item: int) -> object:
    """Fail for the second item."""
    if item == 1:
        raise fanwise.ActionError("broken", type="Broken", data={"code": 7})
    return value


@fanwise.action("line.refused")
async def refused(value: object) -> str:
    """Give a text that no store takes."""
    return "a\0b"


@fanwise.action("line.large")
async def large(value: object) -> str:
    """Give a text that alone fits, and twice doesn't."""
    return "x" * 60_000


ACTIONS = [echo, say, key, bound, fail_on, refused, large]


def step(number: int, action: str, reads: int | None, handled: bool) -> dict[str, Any]:
    """A task that passes on its item, or the result of a task before or after it."""
    read = "parameters.item" if reads is None else f"task.step_{reads}.output | default('none')"
    given = {"value": f"{{{{ {read} }}}}"}
    if action == "line.fail_on":
        given["item"] = "{{ parameters.item }}"
    task: dict[str, Any] = {"name": f"step_{number}", "action": action, "input": given}
    return {**task, "on-error": "continue"} if handled else task


@st.composite
def workflows(draw: st.DrawFn) -> dict[str, Any]:
    """A child of up to four steps; some fail, some failures are handled."""
    count = draw(st.integers(1, STEPS))
    names = st.sampled_from([f"line.{each.__name__}" for each in ACTIONS])
    tasks = [
        step(
            number,
            draw(names),
            draw(st.none() | st.integers(0, number - 1)) if number else None,
            draw(st.booleans()),
        )
        for number in range(count)
    ]
    outputs = [
        None,
        "{{ task.step_0.output }}",
        {"last": f"{{{{ task.step_{count - 1}.status }}}}"},
    ]
    output = draw(st.sampled_from([*outputs, "{{ 1 / (parameters.item - 2) }}"]))
    child = {"parameters": {"item": {}}, "tasks": tasks}
    return child if output is None else {**child, "output": output}


def records(folder: str, store: str) -> Iterator[Any]:
    """All that a run of the child, once per item, has recorded, but for times and tracebacks."""
    work = {
        "name": "work",
        "action": f"{folder}/child.yaml",
        "with-items": {"range": 3},
        "input": {"item": "{{ item }}"},
    }
    with patch.dict(os.environ, {"FANWISE_LIMIT_CONTEXT_BYTES": "100000"}):
        run = fanwise.run({"tasks": [work]}, store=store, actions=ACTIONS, run_id="r")
    yield run.status, run.tasks["work"].items
    with closing(open_store(store)) as opened:
        for item in opened.items(1, 1):
            yield item.index, item.status, item.output, _shown(item.error)
        for index in range(3):
            for row in opened.tasks(1, within=f"work[{index}]"):
                error = None if row.error is None else (row.error.type, row.error.message)
                yield row.path, row.visit, row.status, row.attempts, row.output, error
                assert row.ended_at is not None
        yield sorted((log.path, log.text) for log in opened.logs(1))


def _shown(error: bytes | None) -> Any:
    return None if error is None else {**json.loads(error), "traceback": None}


@given(child=workflows())
@settings(max_examples=40, deadline=None)
def test_a_straight_child_records_what_the_conductor_would_have_it_record(
    child: dict[str, Any],
) -> None:
    """Also where a step fails, its result is refused or too large, and its output can't be made."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "child.yaml").write_text(yaml.safe_dump(child, sort_keys=False))
        straight = list(records(folder, f"{folder}/straight.db"))
        with patch.object(children, "is_straight", lambda _plan, _executor: False):
            decided = list(records(folder, f"{folder}/decided.db"))
    assert straight == decided


@pytest.mark.parametrize(
    "change",
    [
        {"when": "{{ true }}"},
        {"publish": {"x": 1}},
        {"next": [{"do": "two"}]},
        {"with-items": [1]},
        {"timeout": "1s"},
        {"retry": {"count": 1}},
        {"delay": "1s"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_workflow_that_branches_or_waits_is_not_straight(change: dict[str, Any]) -> None:
    """It needs decisions that no line has."""
    one, two = ({"name": name, "action": "core.noop"} for name in ("one", "two"))
    assert is_straight(load_plan({"tasks": [one, two]}))
    assert not is_straight(load_plan({"tasks": [{**one, **change}, two]}))


def test_tasks_that_do_not_follow_each_other_are_not_straight() -> None:
    """Two run at once; so do two of which neither needs the other."""
    one, two = ({"name": name, "action": "core.noop"} for name in ("one", "two"))
    apart = {**two, "needs": []}
    assert not is_straight(load_plan({"tasks": [one, apart]}))
    assert is_straight(load_plan({"tasks": [one, {**two, "needs": ["one"]}]}))
    assert not is_straight(load_plan({"tasks": [one], "finally": [two]}))
    three = {"name": "three", "action": "core.noop", "needs": ["one", "two"]}
    after = {**two, "needs": ["one"]}
    assert is_straight(load_plan({"tasks": [one, after, three]}))
