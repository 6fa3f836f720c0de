"""Answers that come before their questions, which take them once they are asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from crashing import Case, Life, Stage, When

from fanwise.engine.answers import answer_question
from fanwise.errors import (
    DefinitionError,
    NotAskedError,
    ParameterError,
    RunOverError,
    WaitNotFoundError,
    WaitSettledError,
)
from fanwise.model import GivenAnswer, RunRecord, Status, Wait, WaitState
from fanwise.plan import Plan

SOLO = """
parameters: {options: {default: [approve, reject]}}
tasks:
  - {name: gate, action: core.ask, input: {prompt: "Begin?"}}
  - name: ask
    action: core.ask
    timeout: 3d
    input:
      prompt: "Deploy?"
      answer: {n: {type: integer, default: 10}}
      who: [ada, bob]
      not-starter: true
  - name: open
    action: core.ask
    timeout: 1d
    input: {prompt: "?", options: "{{ parameters.options }}", default: {choice: reject}}
  - {name: end, action: test.do, input: {value: "{{ task.ask.output.answer.n }}"}}
output: ["{{ task.ask.output.choice }}", "{{ task.end.output }}", "{{ task.open.output.choice }}"]
"""
CYCLE = """
tasks:
  - {name: gate, action: core.ask, input: {prompt: "Begin?"}, next: ask}
  - {name: ask, action: core.ask, input: {prompt: "Again?", options: [a, b, c]},
     publish: {said: "{{ vars.said ~ result().choice }}"},
     next: [{when: "{{ vars.said | length < 3 }}", do: ask},
            {when: "{{ vars.said | length == 3 }}", do: end}]}
  - {name: end, action: test.do, input: {value: "{{ vars.said }}"}}
vars: {said: ""}
output: "{{ task.end.output }}"
"""
DEEP = """
tasks:
  - {name: gate, action: core.ask, input: {prompt: "Begin?"}}
  - {name: call, action: ./child.yaml, with-items: [1, 2]}
output: "{{ task.call.output }}"
"""
CHILD = """
tasks:
  - {name: each, action: core.ask, with-items: [a, b], input: {prompt: "{{ item }}?"}}
output: "{{ task.each.output | map(attribute='choice') }}"
"""
FINALLY = """
tasks: [{name: gate, action: core.ask, input: {prompt: "Begin?"}}]
finally:
  - {name: ask, action: core.ask, input: {prompt: "Clean?"}}
  - {name: clean, action: test.do, input: {value: "{{ task.ask.output.choice }}"}}
"""


def a_life(folder: Path, text: str = SOLO) -> Life:
    """A run that waits at its gate."""
    life = Stage(Case(text, {"child.yaml": CHILD}), folder).new_life()
    life.start()
    return life


def answer(life: Life, path: str, choice: str = "approve", **given: Any) -> Wait | None:
    """Answer a question of the run, also one to come."""
    asked = GivenAnswer(**{"choice": choice, "by": "ada", "via": "test", **given})
    return answer_question(
        life.store, life.record(), path, asked, plan_of=lambda _: life.stage.plan
    )


def waits(life: Life) -> dict[str, Wait]:
    return {each.path: each for each in life.store.export("r") if isinstance(each, Wait)}


def test_an_answer_is_kept_until_its_question_is_asked(tmp_path: Path) -> None:
    """It is checked like any other, and the question is answered as soon as it is asked."""
    life = a_life(tmp_path)
    assert answer(life, "ask", texts={"n": "25"}, by="bob") is None
    assert answer(life, "open", "reject") is None
    assert "ask" not in waits(life)
    assert answer(life, "gate") is not None
    run = life.resume()
    assert run is not None
    assert run.output == ["approve", 25, "reject"]
    asked = waits(life)["ask"]
    assert (asked.state, asked.by, asked.via) == (WaitState.ANSWERED, "bob", "test")
    assert life.notices == []
    with pytest.raises(RunOverError):
        answer(life, "ask")


def test_the_first_of_kept_answers_counts(tmp_path: Path) -> None:
    """In a cycle each visit takes the next one; an answer for a later visit waits for that."""
    life = a_life(tmp_path, CYCLE)
    for path, choice in (("ask#3", "c"), ("ask", "b"), ("ask", "a"), ("ask", "c")):
        assert answer(life, path, choice) is None
    answer(life, "gate")
    run = life.resume()
    assert run is not None
    assert run.output == "bac"


def test_a_question_that_was_answered_takes_no_further_answer(tmp_path: Path) -> None:
    """Its next visit isn't answered beforehand by an answer that comes too late for this one."""
    life = a_life(tmp_path, CYCLE)
    answer(life, "gate")
    life.resume()
    answer(life, "ask", "a")
    with pytest.raises(WaitSettledError, match="has been answered by ada"):
        answer(life, "ask", "b")
    life.resume()
    assert waits(life)["ask#2"].state is WaitState.OPEN


def test_items_and_steps_of_children_are_answered_beforehand(tmp_path: Path) -> None:
    """By their paths, each for itself."""
    life = a_life(tmp_path, DEEP)
    for path in ("call[0].each[0]", "call[0].each[1]", "call[1].each[0]", "call[1].each[1]"):
        assert answer(life, path, "reject" if path == "call[1].each[0]" else "approve") is None
    answer(life, "gate")
    run = life.resume()
    assert run is not None
    assert run.output == [["approve", "approve"], ["reject", "approve"]]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_loses_no_kept_answer_and_takes_none_twice(tmp_path: Path, when: When) -> None:
    """Dying at any commit of the process that asks."""
    for at in range(1, 12):
        life = a_life(tmp_path / f"{at}", CYCLE)
        for choice in ("a", "b", "c"):
            answer(life, "ask", choice)
        answer(life, "gate")
        life.resume(at=at, when=when)
        life.go_on()
        assert life.record().status is Status.SUCCEEDED
        assert [wait.path for wait in waits(life).values()] == ["ask", "ask#2", "ask#3", "gate"]
        assert life.record().output == b'"abc"'


@pytest.mark.parametrize(
    ("path", "given", "error", "message"),
    [
        ("aks", {}, WaitNotFoundError, 'asks nothing at "aks". It asks at "ask".'),
        ("end", {}, WaitNotFoundError, 'asks nothing at "end"'),
        ("ask[0]", {}, WaitNotFoundError, 'asks nothing at "ask[0]". It asks at "ask".'),
        ("ask.x", {}, WaitNotFoundError, "asks nothing at"),
        ("ask##", {}, WaitNotFoundError, "asks nothing at"),
        ("ask", {"choice": "aprove"}, ParameterError, 'Did you mean "approve"?'),
        ("ask", {"fields": {"m": 1}}, ParameterError, 'no parameter "m"'),
        ("ask", {"texts": {"n": "many"}}, ParameterError, "takes a whole number"),
        ("ask", {"identity": "eve"}, NotAskedError, "is for ada or bob"),
    ],
)
def test_what_no_question_will_take_is_refused(
    tmp_path: Path, path: str, given: dict[str, Any], error: type[Exception], message: str
) -> None:
    """At once, as far as the workflow tells, and nothing is kept."""
    life = a_life(tmp_path)
    with pytest.raises(error) as told:
        answer(life, path, **given)
    assert message in str(told.value)
    answer(life, "gate")
    life.resume()
    assert waits(life)["ask"].state is WaitState.OPEN


def test_items_are_named_by_their_indexes(tmp_path: Path) -> None:
    """Those of a task that asks for each item."""
    life = a_life(tmp_path, CHILD.replace("name: each", "name: each, when: '{{ false }}'"))
    with pytest.raises(RunOverError):
        answer(life, "each[0]")
    life = a_life(tmp_path / "more", DEEP)
    for path in ("call", "call.each", "call[0].each", "call[0]"):
        with pytest.raises(WaitNotFoundError):
            answer(life, path)


def test_a_kept_answer_that_does_not_fit_leaves_its_question_open(tmp_path: Path) -> None:
    """If that can't be known before, it is told then, and the next answer that fits counts."""
    life = a_life(tmp_path)
    assert answer(life, "open", "maybe", by="bob") is None
    answer(life, "ask")
    answer(life, "gate")
    life.resume()
    (told,) = [each for each in life.notices if "bob" in each]
    assert "r open  the question takes one of its options: approve, reject." in told
    assert "came before the question" in told
    assert waits(life)["open"].state is WaitState.OPEN
    life.resume()  # it was told once, and is gone
    assert len([each for each in life.notices if "bob" in each]) == 1
    answer(life, "open")
    run = life.resume()
    assert run is not None
    assert run.output[2] == "approve"


def test_a_deadline_strikes_after_a_kept_answer_that_does_not_fit(tmp_path: Path) -> None:
    """As if there had been none."""
    life = a_life(tmp_path)
    answer(life, "open", "maybe")
    answer(life, "ask")
    answer(life, "gate")
    life.resume()
    life.pass_time(86_401)
    run = life.resume()
    assert run is not None
    assert (run.output[2], waits(life)["open"].state) == ("reject", WaitState.EXPIRED)


def test_a_cancelled_run_takes_an_answer_for_what_cleans_up(tmp_path: Path) -> None:
    """Other kept answers go with the run, and none is taken once it is over."""
    life = a_life(tmp_path, FINALLY)
    assert answer(life, "ask", "reject") is None
    run = life.resume(cancel=True)
    assert run is not None
    assert run.status is Status.CANCELLED
    assert waits(life)["ask"].state is WaitState.ANSWERED
    assert waits(life)["gate"].state is WaitState.CLOSED
    with pytest.raises(RunOverError):
        answer(life, "ask")


def test_a_question_that_is_asked_meanwhile_is_answered(tmp_path: Path) -> None:
    """The answer is neither lost nor kept for a later visit."""
    life = a_life(tmp_path)
    answer(life, "gate")

    def plan_of(_: RunRecord) -> Plan:
        life.resume()
        return life.stage.plan

    given = GivenAnswer(choice="approve", by="ada", via="test")
    wait = answer_question(life.store, life.record(), "ask", given, plan_of=plan_of)
    assert wait is not None
    assert wait.state is WaitState.ANSWERED


def test_a_workflow_that_can_not_be_read_any_more_asks_nothing_more(tmp_path: Path) -> None:
    """As far as is known: only a question that is open is answered."""
    life = a_life(tmp_path)

    def plan_of(_: RunRecord) -> Plan:
        raise DefinitionError(())

    given = GivenAnswer(choice="approve", by="ada", via="test")
    with pytest.raises(WaitNotFoundError, match='asks nothing at "ask"'):
        answer_question(life.store, life.record(), "ask", given, plan_of=plan_of)
