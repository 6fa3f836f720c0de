"""What values tasks hand on, and what they can't."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

import fanwise
from fanwise.model import ErrorInfo, Status
from fanwise.values import MAX_DEPTH

LEVELS = 90


@fanwise.action("test.echo")
async def echo(value: Any = None) -> Any:
    return value


def wrapped(text: str) -> str:
    return "{i: " * LEVELS + text + "}" * LEVELS


FLOW = f"""
vars: {{x: 1}}
tasks:
  - {{name: a, action: test.echo, publish: {{x: {wrapped('"{{ vars.x }}"')}}}}}
  - {{name: b, action: test.echo, publish: {{x: {wrapped('"{{ vars.x }}"')}}}}}
  - {{name: c, action: test.echo, publish: {{x: {wrapped('"{{ vars.x }}"')}}}}}
"""


def test_a_value_that_grows_from_task_to_task_ends_as_an_error_of_its_task(loom: Any) -> None:
    """Parts that are frozen already count: no chain of tasks makes a value too deep to read."""
    run = loom.run(FLOW, echo)
    assert [task.status for task in run.tasks.values()] == [
        Status.SUCCEEDED,
        Status.SUCCEEDED,
        Status.FAILED,
    ]
    error = run.tasks["c"].error
    assert error.type == "ResultError"
    assert f"nested more than {MAX_DEPTH} levels" in error.message


def test_a_range_with_a_start_comes_from_a_template(loom: Any) -> None:
    """As the hint of a range that isn't one says."""
    run = loom.run(
        """
tasks:
  - name: a
    action: test.echo
    with-items: {range: "{{ {'start': 1, 'stop': 4} }}"}
    input: {value: "{{ item }}"}
output: "{{ task.a.output }}"
""",
        echo,
    )
    assert run.output == [1, 2, 3]


def test_a_rule_between_inputs_holds_for_what_templates_give(loom) -> None:
    """One of two expressions may be null for one item, and both given for another."""

    @fanwise.action("test.send", one_of=("text", "file"))
    async def send(text: str | None = None, file: str | None = None) -> str:
        return text or file or ""

    run = loom.run(
        """
        tasks:
          - name: send
            action: test.send
            with-items: [{text: a, file: null}, {text: null, file: b}, {text: a, file: b}]
            tolerate: 1
            input: {text: "{{ item.text }}", file: "{{ item.file }}"}
        output: "{{ task.send.output }}"
        """,
        send,
    )
    assert run.output == ["a", "b", None]
    (failed,) = loom.items(status=Status.FAILED)
    error = msgspec.json.decode(failed.error, type=ErrorInfo)
    assert (error.type, failed.attempts) == ("InputError", 1)
    assert error.message == 'test.send takes only one of "text" or "file".'


def test_a_result_that_isnt_json_is_recorded_in_its_natural_form(loom) -> None:
    """Such as a date, a path or a dataclass; templates see text and maps."""

    @fanwise.action("test.look")
    async def look() -> dict[str, object]:
        return {"at": datetime(2026, 3, 5, tzinfo=UTC), "path": Path("a/b")}

    run = loom.run(
        """
        tasks: [{name: look, action: test.look}]
        output: "{{ task.look.output }}"
        """,
        look,
    )
    assert run.output == {"at": "2026-03-05T00:00:00+00:00", "path": "a/b"}
