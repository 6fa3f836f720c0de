"""Tasks that wait hold nothing, and each is answered once, however often a process dies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from crashing import Case, Life, Stage, When

from fanwise.engine.answers import answer_question, send_signal
from fanwise.errors import ParameterError, RunOverError, WaitNotFoundError, WaitSettledError
from fanwise.model import GivenAnswer, RequestKind, Status, VisitRecord, Wait, WaitKind, WaitState

DAY = 86_400.0
SOLO = """
tasks:
  - {name: plan, action: test.do, input: {value: 3}}
  - name: ask
    action: core.ask
    timeout: 3d
    input: {prompt: "Deploy to {{ task.plan.output }}?", answer: {n: {type: integer, default: 10}}}
  - {name: end, action: test.do, input: {value: "{{ task.ask.output.choice }}"}}
output: ["{{ task.end.output }}", "{{ task.ask.output.answer.n }}"]
"""
ITEMS = """
tasks:
  - name: ask
    action: core.ask
    with-items: [a, b, c]
    concurrency: 1
    input: {prompt: "Is it {{ item }}?"}
  - {name: end, action: test.do, input: {value: "{{ task.ask.output | map(attribute='choice') }}"}}
output: "{{ task.end.output }}"
"""
STEPS = """
parameters: {n: {default: 0}}
tasks:
  - {name: first, action: test.do, input: {value: "{{ parameters.n }}"}}
  - {name: ask, action: core.ask, input: {prompt: "?"}}
  - {name: last, action: test.do, input: {value: "{{ task.ask.output.choice }}"}}
output: ["{{ task.first.output }}", "{{ task.last.output }}"]
"""
CHILDREN = {
    "steps.yaml": STEPS,
    "fan.yaml": """
parameters: {n: {default: 0}}
tasks:
  - name: each
    action: ./steps.yaml
    with-items: [1, 2]
    concurrency: 1
    input: {n: "{{ item }}"}
output: "{{ task.each.output }}"
""",
}
CALL = """
tasks:
  - {name: call, action: ./steps.yaml, input: {n: 7}}
  - {name: end, action: test.do, input: {value: "{{ task.call.output }}"}}
output: "{{ task.end.output }}"
"""
CALLS = CALL.replace(
    "input: {n: 7}", 'with-items: [1, 2, 3], concurrency: 1, input: {n: "{{ item }}"}'
)
TWO_DEEP = CALLS.replace("./steps.yaml", "./fan.yaml").replace("[1, 2, 3]", "[1, 2]")
CYCLE = """
tasks:
  - {name: ask, action: core.ask, input: {prompt: "Again?"}, publish: {n: "{{ vars.n + 1 }}"},
     next: [{when: "{{ vars.n < 3 }}", do: ask}, {when: "{{ vars.n == 3 }}", do: end}]}
  - {name: end, action: test.do, input: {value: "{{ vars.n }}"}}
vars: {n: 0}
output: "{{ task.end.output }}"
"""
FINALLY = """
tasks: [{name: work, action: test.do, input: {value: 1}}]
finally:
  - {name: ask, action: core.ask, input: {prompt: "Clean?"}}
  - {name: clean, action: test.do, input: {value: "{{ task.ask.output.choice }}"}}
"""
TWO_AT_ONCE = """
tasks:
  - {name: a, action: core.ask, needs: [], input: {prompt: a}}
  - {name: b, action: core.ask, needs: [], input: {prompt: b}}
  - {name: c, action: test.do, needs: [], input: {value: 1}}
  - {name: end, action: test.do, needs: [a, b, c], input: {value: "{{ task.b.output.choice }}"}}
output: "{{ task.end.output }}"
"""
SIGNAL = """
tasks:
  - {name: paid, action: core.wait, timeout: 2h, input: {event: [paid, waived], key: k}}
  - {name: end, action: test.do, input: {value: "{{ task.paid.output.payload }}"}}
output: "{{ task.end.output }}"
"""
CASES = {
    "a task": Case(SOLO),
    "items": Case(ITEMS),
    "a child": Case(CALL, CHILDREN),
    "a child per item": Case(CALLS, CHILDREN),
    "two deep": Case(TWO_DEEP, CHILDREN),
    "a cycle": Case(CYCLE),
    "finally": Case(FINALLY),
    "two at once": Case(TWO_AT_ONCE),
    "a signal": Case(SIGNAL),
}


def open_waits(life: Life) -> list[Wait]:
    return [each.wait for each in life.store.waits_open(run_no=life.record().run_no)]


def waits(life: Life) -> list[Wait]:
    return [each for each in life.store.export("r") if isinstance(each, Wait)]


def answer(life: Life, path: str, choice: str = "approve", by: str = "ada", **fields: Any) -> Wait:
    given = GivenAnswer(choice=choice, by=by, via="test", fields=fields)
    wait = answer_question(life.store, life.record(), path, given)
    assert wait is not None
    return wait


def settle(life: Life, wait: Wait) -> None:
    if wait.waits_for is WaitKind.QUESTION:
        answer(life, wait.path)
    else:
        send_signal(life.store, life.record(), wait.names[0], wait.key, {"sum": 3}, by="ada")


def to_the_end(life: Life, **death: Any) -> None:
    """Settle one wait after the other, with a process for each."""
    while not life.record().status.is_final:
        for wait in open_waits(life)[:1]:
            settle(life, wait)
        life.resume(**death)


@pytest.mark.parametrize("name", CASES)
def test_a_run_of_which_all_that_is_left_waits_is_left_alone(tmp_path: Path, name: str) -> None:
    """It is `waiting`, with nobody's lease, and so are the tasks that wait."""
    life = Stage(CASES[name], tmp_path).new_life()
    run = life.start()
    assert run is not None
    assert run.status is life.record().status is life.replayed_status() is Status.WAITING
    assert open_waits(life)
    lease = life.store.lease(life.record().run_no)
    assert lease is not None
    assert lease.engine_no is None
    assert list(life.store.unfinished()) == list(life.store.ended_runs()) == []
    rows = life.store.tasks(life.record().run_no)
    assert Status.WAITING in {row.status for row in rows}
    assert Status.RUNNING not in {row.status for row in rows}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", CASES)
def test_a_crash_asks_nothing_twice_and_loses_no_answer(
    tmp_path: Path, name: str, when: When
) -> None:
    """Dying at any commit of any process changes nothing of the run's end."""
    stage = Stage(CASES[name], tmp_path)
    life = stage.new_life()
    life.start()
    most = life.commits
    to_the_end(life)
    end, asked = life.end(), [each.place for each in waits(life)]
    assert life.record().status is Status.SUCCEEDED
    for at in range(1, most + 3):
        life = stage.new_life()
        life.start(at=at, when=when)
        if life.store.run("r") is None:
            continue
        life.go_on(at=at, when=when)
        life.go_on()
        to_the_end(life)
        assert [each.place for each in waits(life)] == asked
        assert {each.state for each in waits(life)} == {WaitState.ANSWERED}
        assert life.world.done_again == life.world.strangers == []
        assert {key: what[0] for key, what in life.end().items()} == {
            key: what[0] for key, what in end.items()
        }


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", CASES)
def test_an_answered_wait_is_taken_in_once(tmp_path: Path, name: str, when: When) -> None:
    """Processes that die after the answers came lead to the same end."""
    stage = Stage(CASES[name], tmp_path)
    for at in range(1, 8):
        life = stage.new_life()
        life.start()
        while not life.record().status.is_final:
            for wait in open_waits(life):
                settle(life, wait)
            life.resume(at=at, when=when)
            if not life.record().status.is_final:
                life.resume()
        assert life.record().status is Status.SUCCEEDED
        assert life.world.done_again == []


def test_the_answer_is_the_result(tmp_path: Path) -> None:
    """With its choice, its fields and their defaults, and by whom it came, which way and when."""
    life = Stage(CASES["a task"], tmp_path).new_life()
    life.start()
    life.pass_time(DAY)
    answer(life, "ask", n=20)
    run = life.resume()
    assert run is not None
    assert run.output == ["approve", 20]
    (row,) = [row for row in life.rows() if row.path == "ask"]
    assert row.output is not None
    assert msgspec.json.decode(row.output) == {
        "choice": "approve",
        "answer": {"n": 20},
        "by": "ada",
        "at": waits(life)[0].settled_at,
        "via": "test",
        "timed_out": False,
    }


def test_items_wait_side_by_side_whatever_the_concurrency(tmp_path: Path) -> None:
    """An item that waits holds no slot; each is answered by itself, in any order."""
    life = Stage(CASES["items"], tmp_path).new_life()
    life.start()
    assert [each.path for each in open_waits(life)] == ["ask[0]", "ask[1]", "ask[2]"]
    answer(life, "ask[1]", "reject")
    run = life.resume()
    assert run is not None
    assert run.status is Status.WAITING
    assert [item.index for _, item in life.items()] == [1]
    answer(life, "ask[0]")
    answer(life, "ask[2]")
    run = life.resume()
    assert run is not None
    assert run.output == ["approve", "reject", "approve"]


def test_children_that_wait_hold_no_slot_either(tmp_path: Path) -> None:
    """With a concurrency of one the children of all items come to their questions."""
    life = Stage(CASES["two deep"], tmp_path).new_life()
    life.start()
    asked = [f"call[{outer}].each[{inner}].ask" for outer in range(2) for inner in range(2)]
    assert sorted(each.path for each in open_waits(life)) == asked


def test_an_answer_reaches_a_run_that_is_driven(tmp_path: Path) -> None:
    """While something else is at work the run isn't left, and hears the answer meanwhile."""
    life = Stage(
        Case("""
tasks:
  - {name: ask, action: core.ask, needs: [], input: {prompt: "?"}}
  - {name: work, action: test.do, needs: [], input: {takes: 60}}
  - {name: after, action: test.do, needs: [ask], input: {value: 1}}
"""),
        tmp_path,
    ).new_life()

    def settle_all() -> None:
        for wait in open_waits(life):
            settle(life, wait)

    life.calls_at = (30.0, settle_all)
    run = life.start()
    assert run is not None
    assert run.status is Status.SUCCEEDED
    assert life.world.times["after/1"][0] < 40


@pytest.mark.parametrize(
    ("default", "status"), [("", Status.FAILED), ("default: {choice: reject}", Status.SUCCEEDED)]
)
def test_at_the_deadline_the_default_is_the_answer_or_the_task_fails(
    tmp_path: Path, default: str, status: Status
) -> None:
    """The deadline counts from the question on, also while no process drives the run."""
    text = f"""
tasks:
  - name: ask
    action: core.ask
    timeout: 3d
    input:
      prompt: "?"
      {default}
output: ["{{{{ task.ask.output.choice }}}}", "{{{{ task.ask.output.timed_out }}}}"]
"""
    life = Stage(Case(text), tmp_path).new_life()
    life.start()
    life.pass_time(2 * DAY)
    run = life.resume()
    assert run is not None
    assert run.status is Status.WAITING
    life.pass_time(DAY + 1)
    with pytest.raises(WaitSettledError, match="the question's deadline has come"):
        answer(life, "ask")
    run = life.resume()
    assert run is not None
    assert run.status is status
    if status is Status.FAILED:
        assert run.tasks["ask"].error is not None
        assert run.tasks["ask"].error.type == "Timeout"
    else:
        assert run.output == ["reject", True]


def test_a_question_that_is_tried_again_is_asked_again(tmp_path: Path) -> None:
    """Each attempt has a deadline of its own, and the earlier question is closed."""
    life = Stage(
        Case("""
tasks:
  - {name: ask, action: core.ask, timeout: 1h, retry: {count: 1, delay: 0s}, input: {prompt: "?"}}
"""),
        tmp_path,
    ).new_life()
    life.start()
    life.pass_time(3_601)
    life.resume()
    assert [(each.turn, each.state) for each in waits(life)] == [
        (1, WaitState.EXPIRED),
        (2, WaitState.OPEN),
    ]
    life.resume()
    answer(life, "ask")
    run = life.resume()
    assert run is not None
    assert run.status is Status.SUCCEEDED


def test_of_answers_the_first_counts(tmp_path: Path) -> None:
    """A later one is told from whom the first came, and changes nothing."""
    life = Stage(CASES["a task"], tmp_path).new_life()
    life.start()
    answer(life, "ask")
    with pytest.raises(WaitSettledError, match="has been answered by ada"):
        answer(life, "ask", "reject", by="bob")
    run = life.resume()
    assert run is not None
    assert run.output == ["approve", 10]
    with pytest.raises(RunOverError):
        answer(life, "ask")


def test_an_answer_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """The question stays open, and each fault is told."""
    life = Stage(CASES["a task"], tmp_path).new_life()
    life.start()
    for given, message in (
        ({"n": "many"}, "takes a whole number"),
        ({"m": 1}, 'no parameter "m"'),
        ({"choice": "aprove"}, 'Did you mean "approve"?'),
    ):
        with pytest.raises(ParameterError, match=message):
            answer(life, "ask", **given)
    with pytest.raises(WaitNotFoundError, match='asks nothing at "plan"'):
        answer(life, "plan")
    assert [each.state for each in waits(life)] == [WaitState.OPEN]


def test_a_signal_that_comes_early_is_kept_for_the_wait(tmp_path: Path) -> None:
    """Of several the first that fits is taken, and a wait from now on takes none of them."""
    life = Stage(
        Case("""
tasks:
  - {name: gate, action: core.ask, input: {prompt: "?"}}
  - {name: early, action: core.wait, input: {event: paid, key: k}}
  - {name: late, action: core.wait, input: {event: paid, since: now}}
output: ["{{ task.early.output.payload }}", "{{ task.late.output.payload }}"]
"""),
        tmp_path,
    ).new_life()
    life.start()
    record = life.record()
    for key, payload in ((None, 1), ("other", 2), ("k", 3), ("k", 4)):
        assert send_signal(life.store, record, "paid", key, payload, by="ada") is None
    answer(life, "gate")
    life.pass_time(1)
    life.resume()
    assert [each.path for each in open_waits(life)] == ["late"]
    assert send_signal(life.store, record, "refunded", None, 5, by="ada") is None
    assert send_signal(life.store, record, "paid", None, 6, by="ada") is not None
    run = life.resume()
    assert run is not None
    assert run.output == [3, 6]
    with pytest.raises(RunOverError):
        send_signal(life.store, record, "paid", None, 7, by="ada")


@pytest.mark.parametrize("name", CASES)
def test_a_cancelled_run_waits_for_nothing_more(tmp_path: Path, name: str) -> None:
    """Its questions are closed, and what cleans up runs, which may ask in turn."""
    life = Stage(CASES[name], tmp_path).new_life()
    life.start()
    run = life.resume(cancel=True)
    assert run is not None
    if run.status is Status.WAITING:  # in `finally`
        to_the_end(life)
    assert life.record().status is Status.CANCELLED
    assert open_waits(life) == []
    assert WaitState.OPEN not in {each.state for each in waits(life)}


def test_a_run_that_is_cancelled_while_something_else_works_closes_its_questions(
    tmp_path: Path,
) -> None:
    """In the same commit as the task's end."""
    case = Case(
        """
tasks:
  - {name: ask, action: core.ask, needs: [], input: {prompt: "?"}}
  - {name: work, action: test.do, needs: [], input: {takes: 60}}
finally: [{name: clean, action: test.do, input: {takes: 1}}]
"""
    )
    life = Stage(case, tmp_path).new_life()
    life.asks_at = (30.0, RequestKind.CANCEL)
    run = life.start()
    assert run is not None
    assert run.status is Status.CANCELLED
    assert [each.state for each in waits(life)] == [WaitState.CLOSED]


def test_a_pause_keeps_a_question_and_its_answer(tmp_path: Path) -> None:
    """The run stays paused when the answer comes, and goes on with it when it is resumed."""
    case = Case(
        """
tasks:
  - {name: ask, action: core.ask, needs: [], input: {prompt: "?"}}
  - {name: work, action: test.do, needs: [], input: {sleeps: [600]}}
output: "{{ task.ask.output.choice }}"
"""
    )
    life = Stage(case, tmp_path).new_life()
    life.asks_at = (30.0, RequestKind.PAUSE)
    run = life.start()
    assert run is not None
    assert run.status is Status.PAUSED
    answer(life, "ask")
    assert life.record().status is Status.PAUSED
    run = life.resume()
    assert run is not None
    assert (run.status, run.output) == (Status.SUCCEEDED, "approve")


def test_a_retry_keeps_the_answers_of_what_succeeded(tmp_path: Path) -> None:
    """What failed at its deadline is asked again, with a deadline of its own."""
    case = Case(
        """
tasks:
  - {name: first, action: core.ask, input: {prompt: "?"}}
  - {name: second, action: core.ask, timeout: 1h, input: {prompt: "?"}}
output: ["{{ task.first.output.choice }}", "{{ task.second.output.choice }}"]
"""
    )
    life = Stage(case, tmp_path).new_life()
    life.start()
    answer(life, "first", "reject")
    life.resume()
    life.pass_time(3_601)
    run = life.resume()
    assert run is not None
    assert run.status is Status.FAILED
    run = life.retry()
    assert run is not None
    assert run.status is Status.WAITING
    assert [each.path for each in open_waits(life)] == ["second"]
    answer(life, "second")
    run = life.resume()
    assert run is not None
    assert run.output == ["reject", "approve"]


def test_a_run_with_more_waits_than_the_limit_fails_those(tmp_path: Path) -> None:
    """The error names the limit; the others wait."""
    case = Case(
        "tasks: [{name: ask, action: core.ask, with-items: {range: 10003}, concurrency: 50,"
        ' on-item-error: continue, input: {prompt: "?"}}]'
    )
    life = Stage(case, tmp_path).new_life()
    run = life.start()
    assert run is not None
    assert run.status is Status.WAITING
    assert len(life.store.waits_open(limit=20_000)) == 10_000
    failed = [item for _, item in life.items()]
    assert len(failed) == 3
    assert all(b"limits.waiting" in (item.error or b"") for item in failed)


def test_a_visit_row_says_that_it_waits(tmp_path: Path) -> None:
    """Also that of a task whose items wait, with those that are done."""
    life = Stage(CASES["items"], tmp_path).new_life()
    life.start()
    answer(life, "ask[0]")
    life.resume()
    rows = [each for each in life.store.export("r") if isinstance(each, VisitRecord)]
    assert [(row.path, row.status) for row in rows] == [("ask", Status.WAITING)]


def test_children_that_are_answered_in_any_order_end_once(tmp_path: Path) -> None:
    """Those that wait on stay parked, and what their steps have done isn't done again."""
    life = Stage(CASES["a child per item"], tmp_path).new_life()
    life.start()
    for index in (2, 0, 1):
        answer(life, f"call[{index}].ask", "approve" if index else "reject")
        run = life.resume()
    assert run is not None
    assert run.output == [[1, "reject"], [2, "approve"], [3, "approve"]]
    assert life.world.done_again == []


def test_a_step_beside_a_question_runs_on_in_a_child(tmp_path: Path) -> None:
    """A child parks when nothing else of it is left to do, and its caller's other items run."""
    child = """
parameters: {n: {default: 0}}
tasks:
  - {name: ask, action: core.ask, needs: [], timeout: 1h, input: {prompt: "?"}}
  - {name: work, action: test.do, needs: [], input: {takes: 60, value: "{{ parameters.n }}"}}
output: ["{{ task.work.output }}", "{{ task.ask.output.choice }}"]
"""
    life = Stage(Case(CALLS, {"steps.yaml": child}), tmp_path).new_life()
    run = life.start()
    assert run is not None
    assert run.status is Status.WAITING
    assert life.world.times == {f"call[{n}].work/1": [60.0 * n] for n in range(3)}
    to_the_end(life)
    assert life.record().status is Status.SUCCEEDED
