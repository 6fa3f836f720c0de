"""Questions and signals of a rehearsal are answered by the test, or come to their deadline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fanwise.errors import UsageError
from fanwise.model import Status
from fanwise.testing import in_turn, per_item, rehearse

ASK = """
tasks:
  - name: ask
    action: core.ask
    with-items: [a, b]
    timeout: 3d
    input: {prompt: "{{ item }}?", answer: {n: {type: integer, default: 1}}}
output: "{{ task.ask.output | map(attribute='choice') }}"
"""
SIGNAL = """
tasks:
  - {name: paid, action: core.wait, timeout: 1h, input: {event: [paid, waived], key: k}}
output: ["{{ task.paid.output.name }}", "{{ task.paid.output.payload }}"]
"""


def test_an_answer_is_checked_as_a_persons_is() -> None:
    """It has the defaults of its fields, and each item may have its own."""
    answers = {"ask": per_item([{"choice": "approve", "answer": {"n": 5}}, "reject"])}
    outcome = rehearse(ASK, answers=answers)
    assert outcome.output == ["approve", "reject"]
    assert [each.output["answer"] for each in outcome.items["ask"]] == [{"n": 5}, {"n": 1}]


def test_a_signal_has_the_data_that_is_given() -> None:
    """Of several names the first that is given."""
    assert rehearse(SIGNAL, signals={"waived": [1]}).output == ["waived", [1]]
    assert rehearse(SIGNAL, events={"waived": [2]}).output == ["waived", [2]]


def test_what_nobody_answers_comes_to_its_deadline_in_no_time() -> None:
    """The run has taken as long as the question was open."""
    outcome = rehearse(ASK)
    assert outcome.status is Status.FAILED
    assert outcome.items["ask"][0].error is not None
    assert outcome.items["ask"][0].error.type == "Timeout"
    assert outcome.duration_s == pytest.approx(3 * 86_400, abs=1)


def test_a_question_that_is_asked_again_has_its_answers_in_turn() -> None:
    """Each visit of a task on a cycle counts."""
    text = """
tasks:
  - {name: ask, action: core.ask, timeout: 1h, input: {prompt: "?"},
     next: [{when: "{{ result().choice == 'reject' }}", do: ask}]}
output: "{{ task.ask.output.choice }}"
"""
    outcome = rehearse(text, answers={"ask": in_turn("reject", "reject", "approve")})
    assert (outcome.output, outcome.order) == ("approve", ["ask"] * 3)


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        (ASK, {"answers": {"ask": "maybe"}}, "takes one of its options"),
        (ASK, {"answers": {"aks": "approve"}}, 'no task "aks" asks'),
        (SIGNAL, {"answers": {"paid": "approve"}}, "No task asks"),
        (ASK.replace("timeout: 3d", "delay: 1s"), {}, "the rehearsal gives none"),
        (SIGNAL.replace("timeout: 1h, ", ""), {"signals": {"other": 1}}, "waits for a signal"),
    ],
)
def test_what_is_wrong_with_answers_is_told(text: str, given: dict[str, Any], message: str) -> None:
    """A fault of the test is no failure of the workflow."""
    with pytest.raises(UsageError, match=message):
        rehearse(text, **given)


def test_an_answer_in_a_called_workflow_is_given_by_its_whole_path(tmp_path: Path) -> None:
    """The name of the task alone would answer nothing, and is refused."""
    (tmp_path / "child.yaml").write_text(ASK)
    (tmp_path / "flow.yaml").write_text(
        'tasks: [{name: call, action: ./child.yaml}]\noutput: "{{ task.call.output }}"\n'
    )
    flow = tmp_path / "flow.yaml"
    assert rehearse(flow, answers={"call.ask": "approve"}).output == ["approve", "approve"]
    for path in ("ask", "other.ask", "call.call.ask"):
        with pytest.raises(UsageError, match=rf'"{path}" asks.* These ask: call\.ask\.'):
            rehearse(flow, answers={path: "approve"})


@pytest.mark.parametrize("name", ["actions", "secrets", "answers", "signals", "events", "kv"])
def test_an_argument_of_a_wrong_type_is_told(name: str) -> None:
    """In a line that names it."""
    for given in ("paid", ["paid"], None, {1: "paid"}):
        arguments: dict[str, Any] = {name: given}
        with pytest.raises(UsageError, match=f"`{name}` takes a map"):
            rehearse(ASK, **arguments)
    with pytest.raises(UsageError, match="takes text, not int"):
        rehearse(ASK, secrets={"TOKEN": 5})  # type: ignore[dict-item]
