"""Runs that wait, seen and settled from the command line and from Python."""

from __future__ import annotations

import json
import os
import re

import pytest
from msgspec.structs import replace

import fanwise as python
from fanwise.errors import ParameterError, RunOverError, WaitNotFoundError, WaitSettledError
from fanwise.model import Status, WaitKind, WaitRequest, WaitToOpen
from fanwise.plan.questions import Question
from fanwise.testing.ownership_contract import an_owner
from fanwise.wiring import open_existing, read_settings

ASK = """
tasks:
  - name: ask
    action: core.ask
    timeout: 3d
    input:
      prompt: "Deploy?"
      who: [ada, bob]
      answer: {percent: {type: integer, maximum: 100, default: 10}, reason: {required: true}}
output: "{{ task.ask.output.answer.percent }}"
"""
EACH = """
tasks:
  - {name: ask, action: core.ask, timeout: 1h, with-items: [a, b], input: {prompt: "{{ item }}?"}}
"""
WAIT = """
tasks:
  - {name: paid, action: core.wait, timeout: 1h, input: {event: [paid, waived], key: k}}
output: "{{ task.paid.output }}"
"""


ASKED = "tasks: [{{name: a, action: core.ask, input: {{prompt: p, {}}}}}]"


@pytest.fixture(autouse=True)
def flows(write) -> None:
    write(**{"ask.yaml": ASK, "each.yaml": EACH, "wait.yaml": WAIT})


def test_links_are_made_for_those_who_are_asked(fanwise, monkeypatch) -> None:
    """Each time others; the URL of the server is given or in the environment."""
    fanwise("run", "ask.yaml", "--run-id", "r")
    given = ("--links", "--public-url", "https://f.example.com/x/")
    rows = [json.loads(line) for line in fanwise("asks", *given, "--json").out.splitlines()]
    assert [(row["run_id"], row["path"], row["who"]) for row in rows] == [
        ("r", "ask", "ada"),
        ("r", "ask", "bob"),
    ]
    assert all(re.fullmatch(r"https://f.example.com/x/ask/\w{32}", row["url"]) for row in rows)
    assert rows[0]["url"] not in fanwise("asks", *given).out
    monkeypatch.setenv("FANWISE_PUBLIC_URL", "https://g.example.com")
    assert (
        "  bob  https://g.example.com/ask/"
        in fanwise("asks", "--links", "--mine", "--by", "bob").out
    )
    fanwise("approve", "r", "ask", "-p", "reason=x")
    assert fanwise("asks", "--links").out == "No run asks anything.\n"


def test_no_link_is_made_without_a_url(fanwise, monkeypatch) -> None:
    """Nor with a wrong one."""
    fanwise("run", "ask.yaml", "--run-id", "r")
    told = fanwise("asks", "--links")
    assert (told.status, told.out) == (2, "")
    assert "Give --public-url" in told.err
    assert "--public-url takes the URL" in fanwise("asks", "--links", "--public-url", "x").err
    monkeypatch.setenv("FANWISE_PUBLIC_URL", "ftp://x")
    assert "FANWISE_PUBLIC_URL takes the URL" in fanwise("asks").err


def test_run_leaves_a_run_that_waits_and_says_how_to_go_on(fanwise) -> None:
    """With a status of its own, and the run is `waiting` wherever it is shown."""
    told = fanwise("run", "ask.yaml", "--run-id", "r")
    assert (told.status, told.out) == (3, "")
    assert "fanwise asks says for what. Once that has come: fanwise resume r" in told.err
    (listed,) = map(json.loads, fanwise("runs", "--status", "waiting", "--json").out.splitlines())
    assert (listed["run_id"], listed["status"]) == ("r", "waiting")
    shown = json.loads(fanwise("show", "r", "--json").out)
    assert (shown["status"], shown["tasks"]["ask"]["status"]) == ("waiting", "waiting")
    assert "Waits at ask until " in fanwise("show", "r").out
    assert ": Deploy? (approve or reject)" in fanwise("show", "r").out
    assert fanwise("runs", "--status", "interrupted").out == "No runs.\n"
    told = fanwise("resume", "r")
    assert told.status == 3
    assert fanwise("recover").status == 0


def test_asks_lists_what_runs_wait_for(fanwise) -> None:
    """As a table, or a line of JSON for each."""
    assert fanwise("asks", "--store", os.environ["FANWISE_STORE"]).status == 2
    fanwise("run", "ask.yaml", "--run-id", "r")
    fanwise("run", "wait.yaml", "--run-id", "s")
    lines = fanwise("asks").out.splitlines()
    assert [line.split()[:2] for line in lines] == [["RUN", "TASK"], ["r", "ask"], ["s", "paid"]]
    assert lines[2].endswith('signal paid or waived with the key "k"')
    question, signal = map(json.loads, fanwise("asks", "--json").out.splitlines())
    assert (question["run_id"], question["path"], question["waits_for"]) == ("r", "ask", "question")
    assert question["question"]["who"] == ["ada", "bob"]
    assert (signal["events"], signal["key"]) == (["paid", "waived"], "k")


@pytest.mark.parametrize(("name", "is_asked"), [("ada", True), ("bob", True), ("eve", False)])
def test_mine_are_the_questions_that_ask_somebody(fanwise, name: str, is_asked: bool) -> None:
    """By name, or nobody in particular."""
    fanwise("run", "ask.yaml", "--run-id", "r")
    fanwise("run", "each.yaml", "--run-id", "e")
    fanwise("run", "wait.yaml", "--run-id", "s")
    found = fanwise("asks", "--mine", "--by", name, "--json").out.splitlines()
    runs = {json.loads(line)["run_id"] for line in found}
    assert runs == ({"r", "e"} if is_asked else {"e"})


def test_an_answer_is_checked_and_the_run_goes_on_with_it(fanwise) -> None:
    """Each fault in a line of its own with the status 2, and the question stays open."""
    fanwise("run", "ask.yaml", "--run-id", "r")
    for arguments, told in (
        (("answer", "r", "ask"), ["r ask  the question needs a choice: approve, reject."]),
        (("answer", "r", "ask", "yes"), ["the question takes one of its options"]),
        (
            ("approve", "r", "ask"),
            ['the parameter "reason" is required. The answer has to give it.'],
        ),
        (("approve", "r", "ask", "-p", "percent"), ["-p takes NAME=VALUE"]),
        (
            ("approve", "r", "ask", "-p", "percent=many", "-p", "reason=x"),
            ["a whole number of 100 or less"],
        ),
        (("approve", "r", "aks"), ['run r asks nothing at "aks". It asks at "ask".']),
        (("approve", "nobody", "ask"), ['no run "nobody"']),
    ):
        answered = fanwise(*arguments)
        assert (answered.status, answered.out) == (2, "")
        lines = answered.err.splitlines()
        assert len(lines) == len(told)
        assert all(part in line for part, line in zip(told, lines, strict=True))
    told = fanwise("approve", "r", "ask", "-p", "percent=20", "-p", "reason=x", "--by", "ada")
    assert told.out == "Run r has its answer at ask.\n"
    assert told.err.endswith("fanwise resume r\n")
    late = fanwise("reject", "r", "ask", "-p", "reason=x", "--by", "bob")
    assert late.status == 2
    assert "has been answered by ada" in late.err
    told = fanwise("resume", "r")
    assert (told.status, told.out) == (0, "20\n")
    assert fanwise("approve", "r", "ask").status == 2


def test_an_answer_is_kept_for_its_question(fanwise, write) -> None:
    """It is checked as far as the workflow tells, and the question takes it once it is asked."""
    gate = "  - {name: gate, action: core.ask, timeout: 1h, input: {prompt: First?}}\n"
    write(**{"two.yaml": ASK.replace("tasks:\n", f"tasks:\n{gate}")})
    fanwise("run", "two.yaml", "--run-id", "r")
    wrong = fanwise("approve", "r", "ask", "-p", "percent=200", "-p", "reason=x")
    assert (wrong.status, wrong.out) == (2, "")
    assert "a whole number of 100 or less" in wrong.err
    wrong = fanwise("approve", "r", "aks")
    assert 'asks nothing at "aks"' in wrong.err
    kept = fanwise("approve", "r", "ask", "-p", "percent=20", "-p", "reason=x", "--by", "ada")
    assert kept.out == "Run r hasn't asked at ask yet; the answer is kept.\n"
    kept = fanwise("reject", "r", "ask", "-p", "reason=x", "--by", "bob", "--json")
    assert json.loads(kept.out) == {"run_id": "r", "path": "ask", "by": "bob", "at": None}
    fanwise("approve", "r", "gate")
    told = fanwise("resume", "r")
    assert (told.status, told.out) == (0, "20\n")


def test_a_run_that_waits_keeps_its_workflow(fanwise, write) -> None:
    """Its file may be repaired or broken meanwhile: it counts for later runs."""
    fanwise("run", "ask.yaml", "--run-id", "r")
    for text in (ASK.replace("percent }}", "reason }}"), "tasks: nonsense\n"):
        write(**{"ask.yaml": text})
        assert "  ask  " in fanwise("asks").out
        wrong = fanwise("approve", "r", "ask", "-p", "percent=200", "-p", "reason=x")
        assert "a whole number of 100 or less" in wrong.err
    fanwise("approve", "r", "ask", "-p", "percent=20", "-p", "reason=x")
    told = fanwise("resume", "r")
    assert (told.status, told.out) == (0, "20\n")
    assert fanwise("run", "ask.yaml").status == 2


def test_a_submitted_run_is_left_to_the_engines(fanwise) -> None:
    """What they are is told while none has taken it."""
    fanwise("submit", "ask.yaml", "--run-id", "r")
    with open_existing(read_settings()) as store:
        (claim,) = store.claim(store.enroll(an_owner()), ["default"], 1)
        run_no, token = claim.lease.run_no, claim.lease.token
        form = Question(prompt="?", options=["approve"]).encoded()
        request = WaitRequest(waits_for=WaitKind.QUESTION, form=form)
        store.open_waits(run_no, token, [WaitToOpen("ask", 1, request, None)])
        run = store.run("r")
        assert run is not None
        store.commit([replace(run, status=Status.WAITING)], {run_no: token})
        store.release(run_no, token)
    told = fanwise("approve", "r", "ask")
    assert told.out == "Run r has its answer at ask.\n"
    assert told.err == "The run is resumed by the next process that takes it, of: fanwise work\n"


def test_items_are_answered_by_their_indexes(fanwise) -> None:
    """One that is answered is done, the others wait on."""
    fanwise("run", "each.yaml", "--run-id", "r")
    told = fanwise("answer", "r", "ask[1]", "approve", "--by", "ada", "--json")
    answered = json.loads(told.out)
    assert answered.pop("at").endswith("Z")
    assert answered == {
        "run_id": "r",
        "path": "ask[1]",
        "by": "ada",
        "choice": "approve",
        "answer": {},
    }
    assert fanwise("resume", "r").status == 3
    (item,) = map(json.loads, fanwise("items", "r", "ask", "--json").out.splitlines())
    assert (item["index"], item["status"]) == (1, "succeeded")


def test_a_signal_ends_a_wait_or_is_kept(fanwise) -> None:
    """A payload is JSON, and the run's result has it with its sender."""
    fanwise("run", "wait.yaml", "--run-id", "r")
    assert "it is kept" in fanwise("signal", "r", "paid", "--by", "ada").out
    wrong = fanwise("signal", "r", "paid", "--payload", "{")
    assert (wrong.status, wrong.err) == (
        2,
        "the value of --payload is no JSON. Write text in quotes: '\"paid\"'.\n",
    )
    assert fanwise("signal", "r", " ").status == 2
    assert "It waits for a signal there" in fanwise("approve", "r", "paid").err
    told = fanwise("signal", "r", "paid", "--key", "k", "--payload", '{"sum": 3}', "--by", "ada")
    assert "got the signal at paid" in told.out
    output = json.loads(fanwise("resume", "r").out)
    assert output.pop("at") > 0
    assert output == {"name": "paid", "key": "k", "payload": {"sum": 3}, "by": "ada"}
    assert fanwise("signal", "r", "paid").status == 2


def test_a_waiting_run_can_be_cancelled_and_not_paused(fanwise) -> None:
    """There is nothing to pause, and a cancelled run asks nothing any more."""
    fanwise("run", "ask.yaml", "--run-id", "r")
    paused = fanwise("pause", "r")
    assert paused.status == 2
    assert "there is nothing to pause" in paused.err
    assert fanwise("prune", "r").status == 2
    assert fanwise("cancel", "r").status == 0
    assert fanwise("asks").out == "No run waits for an answer or a signal.\n"


def test_an_export_has_the_waits(fanwise) -> None:
    """With what has settled them."""
    fanwise("run", "ask.yaml", "--run-id", "r")
    fanwise("approve", "r", "ask", "-p", "reason=x", "--by", "ada")
    lines = [json.loads(line) for line in fanwise("export", "r").out.splitlines()]
    (wait,) = [line for line in lines if line["kind"] == "wait"]
    assert (wait["path"], wait["turn"], wait["state"], wait["by"]) == ("ask", 1, "answered", "ada")
    assert wait["answer"] == {"choice": "approve", "answer": {"percent": 10, "reason": "x"}}


def test_a_run_is_answered_from_python(fanwise) -> None:
    """By the functions, which raise what is wrong."""
    run = python.run("ask.yaml", run_id="r")
    assert run.status is Status.WAITING
    answer, signal = python.answer, python.signal
    with pytest.raises(WaitNotFoundError):
        answer("r", "other")
    with pytest.raises(ParameterError):
        answer("r", "ask", "approve", {"percent": 1})
    assert answer("r", "ask", "approve", {"percent": 1, "reason": "x"}, by="ada")
    with pytest.raises(WaitSettledError):
        answer("r", "ask", "reject", {"reason": "x"})
    assert python.resume("r").output == 1
    with pytest.raises(RunOverError):
        signal("r", "paid")
    python.run("wait.yaml", run_id="s")
    assert signal("s", "paid") is None
    assert signal("s", "waived", "k", [1], by="ada") == "paid"
    assert python.resume("s").output["payload"] == [1]


def test_a_question_that_can_not_be_answered_is_a_problem(fanwise, write) -> None:
    """Where its fields are declared, or when it is asked."""
    for given, told in (
        ("answer: {n: {type: int}}", "bad-input"),
        ("answer: {n: {secret: true}}", "can't be secret"),
        ("answer: 3", "must be a map of fields"),
    ):
        write(
            **{"q.yaml": f"tasks: [{{name: a, action: core.ask, input: {{prompt: p, {given}}}}}]"}
        )
        checked = fanwise("validate", "q.yaml")
        assert checked.status == 2
        assert told in checked.err + checked.out
    for given, told in (
        ("options: []", "takes one text or more"),
        ("options: [a, a]", "each of them once"),
        ("default: {choice: no}", "takes one of its options"),
        ("default: {chioce: reject}", "takes {choice: ..., answer: {...}}"),
        ("answer: {n: {required: true}}, default: {choice: reject}", '"n" is required'),
    ):
        write(
            **{"q.yaml": f"tasks: [{{name: a, action: core.ask, input: {{prompt: p, {given}}}}}]"}
        )
        run = fanwise("run", "q.yaml")
        assert run.status == 1
        assert told in run.err
