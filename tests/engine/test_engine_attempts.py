"""`attempt.key` and `attempt.number` in the inputs of tasks."""

from __future__ import annotations

from typing import Any

import pytest

import fanwise
from fanwise.errors import DefinitionError
from fanwise.model import Status


class Calls:
    """An action that notes its input, and fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.given: list[Any] = []
        self.keys: list[str] = []

    def action(self) -> Any:
        @fanwise.action("test.call")
        async def call(
            value: Any, shared: Any = None, context: fanwise.ActionContext = None
        ) -> Any:  # type: ignore[assignment]
            self.given.append(value)
            self.keys.append(context.idempotency_key)
            if len(self.given) <= self.failures:
                raise OSError("again")

        return call


def test_an_items_key_is_its_idempotency_key(loom: Any) -> None:
    """Each item has its own, although the input names no item, and so has each attempt a number."""
    calls = Calls(failures=2)
    text = """
    tasks:
      - name: send
        action: test.call
        with-items: [a, b]
        concurrency: 1
        retry: {count: 3, delay: 1ms}
        input: {value: {Idempotency-Key: "{{ attempt.key }}", try: "{{ attempt.number }}"}}
    """
    assert loom.run(text, calls.action()).status is Status.SUCCEEDED
    assert [each["Idempotency-Key"] for each in calls.given] == calls.keys
    run_id = loom.record().id
    assert sorted(set(calls.keys)) == [f"{run_id}/send[0]/1", f"{run_id}/send[1]/1"]
    assert sorted(each["try"] for each in calls.given) == [1, 1, 2, 2]


def test_a_task_without_items_has_one_for_each_visit(loom: Any) -> None:
    """And a text may be made of it; the item's own names stay as they are."""
    calls = Calls(failures=1)
    text = """
    tasks:
      - name: send
        action: test.call
        retry: {count: 1, delay: 1ms}
        input: {value: "{{ attempt.key | upper }} {{ attempt.number }}"}
      - name: fan
        action: test.call
        with-items: [{n: 5}]
        input: {value: "{{ item.n }} {{ index }} {{ attempt['number'] }} {{ run.id }}"}
    """
    assert loom.run(text, calls.action()).status is Status.SUCCEEDED
    run_id = loom.record().id
    key = f"{run_id}/send/1".upper()
    assert calls.given == [f"{key} 1", f"{key} 2", f"5 0 1 {run_id}"]


def test_other_inputs_are_still_shared(loom: Any) -> None:
    """An input that names neither item nor attempt is rendered once, whatever is beside it."""
    seen: list[int] = []

    @fanwise.action("test.see")
    async def see(key: str, shared: list) -> None:
        seen.append(id(shared))

    text = """
    tasks:
      - name: see
        action: test.see
        with-items: {range: 5}
        input: {key: "{{ attempt.key }}", shared: ["{{ run.id }}"]}
    """
    assert loom.run(text, see).status is Status.SUCCEEDED
    assert len(seen) == 5
    assert len(set(seen)) == 1


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ('when: "{{ attempt.number == 1 }}"', "there is no `attempt` here"),
        ('with-items: "{{ [attempt.key] }}"', "there is no `attempt` here"),
        ('with-items: [1], label: "{{ attempt.key }}"', "there is no `attempt` here"),
        ('retry: {count: 1, when: "{{ attempt.number < 2 }}"}', "there is no `attempt` here"),
        ('publish: {x: "{{ attempt.key }}"}', "there is no `attempt` here"),
        ('input: {value: "{{ attempt.id }}"}', 'attempt has key, number, and no "id"'),
    ],
)
def test_only_inputs_are_made_for_each_attempt(loom: Any, keys: str, told: str) -> None:
    """Anywhere else, and for any other name, the workflow is refused."""
    given = keys if "input" in keys else f"input: {{value: 1}}, {keys}"
    with pytest.raises(DefinitionError, match=told):
        loom.run(f"tasks: [{{name: a, action: test.call, {given}}}]", Calls().action())
