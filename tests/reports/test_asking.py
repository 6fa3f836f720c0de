"""Questions and answers as bytes: they mean the same on both sides, and nothing else is taken."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import msgspec
import pytest

from fanwise.errors import FanwiseError, RunNotFoundError, UsageError
from fanwise.model import (
    Limits,
    LogEntry,
    OrderKind,
    RunOrder,
    Status,
    Submission,
    WaitKind,
    WaitRequest,
    WaitToOpen,
)
from fanwise.plan.questions import Question
from fanwise.reports import questions
from fanwise.reports.asking import answered, form_of, read_answer, written
from fanwise.reports.items import ItemFilters
from fanwise.reports.questions import QUESTIONS, open_waits
from fanwise.reports.sight import Sight
from fanwise.testing.ownership_contract import an_owner
from fanwise.testing.records import a_run, a_task, an_item
from fanwise.testing.stores import MemoryStore
from fanwise.wiring import runs_of

GIVEN: dict[str, dict[str, object]] = {
    "store_place": {},
    "listed_runs": {"status": "succeeded", "tags": (), "limit": 10},
    "run_ids": {"statuses": ("succeeded", "failed")},
    "run_words": {},
    "task_paths": {"run_id": "run-1", "with_items": True},
    "ended_runs": {"run_ids": ("run-1",)},
    "run_state": {"run_id": "run-1"},
    "shown_run": {"run_id": "run-1"},
    "shown_steps": {"run_id": "run-1", "within": None},
    "followed_run": {"run_id": "run-1"},
    "driven_time": {"run_id": "run-1", "visit_no": 1},
    "found_task": {"run_id": "run-1", "task": "each"},
    "item_page": {"run_id": "run-1", "visit_no": 1, "filters": ItemFilters(), "after": -1},
    "item_cause": {"run_id": "run-1", "path": "each", "visit_no": 1, "index": 1},
    "log_page": {"run_id": "run-1"},
    "new_log_page": {"run_id": "run-1", "after": 0},
    "open_waits": {"limit": 10},
    "engines": {},
    "used_limits": {},
}


LOG = msgspec.structs.asdict(LogEntry(1, 1, 0, 1, "each[0]", 1.0, ""))


def a_sight(sees: Callable[[str], bool] | None = None) -> Sight:
    """A store with a run of the workflow `flow`, which has two items."""
    store = MemoryStore()
    run_no = store.create_run(a_run(status=Status.RUNNING, started_at=1.0))
    visit = a_task(run_no, 1, path="each", has_items=True, items_total=2, started_at=1.0)
    store.commit([visit, an_item(run_no, 0), an_item(run_no, 1, status=Status.FAILED)])
    store.commit([msgspec.structs.replace(store.run("run-1"), status=Status.SUCCEEDED)])
    return Sight(store, runs_of(store), Limits(), 100.0, "ada", sees)


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_is_the_same_after_its_journey(name: str) -> None:
    """Each question is asked by its arguments as text, and answered by what it returns."""
    sight, question = a_sight(), QUESTIONS[name]
    sent = written(question, **GIVEN[name]).decode()
    answer = answered(name, sent, sight)
    assert answer is not None
    here = question(sight, **GIVEN[name])
    assert msgspec.msgpack.encode(read_answer(question, answer)) == msgspec.msgpack.encode(here)


class Amid:
    """A part of a store; something `happens` once, at its first read and just after that."""

    def __init__(self, part: object, happens: Callable[[], object]) -> None:
        self._part = part
        self._happens: list[Callable[[], object]] = [happens]

    def __getattr__(self, name: str) -> object:
        def read(*given: object) -> object:
            found = getattr(self._part, name)(*given)
            while self._happens:
                self._happens.pop()()
            return found

        return read


@pytest.mark.parametrize("read", ["queue", "ownership"])
@pytest.mark.parametrize("goes_on", [False, True])
def test_a_run_that_is_taken_to_be_retried_is_on_its_way_or_at_its_new_end(
    read: str, goes_on: bool
) -> None:
    """Who waits for the end would else take the old one for it."""
    sight = a_sight()
    run, store = sight.find("run-1"), sight.store
    assert isinstance(store, MemoryStore)
    order = RunOrder(kind=OrderKind.RETRY, by="ada")
    assert store.order(run, order, Submission(), after=0)
    engine_no = store.enroll(an_owner())

    def take() -> None:
        (claim,) = store.claim(engine_no, ["default"], 1)
        if goes_on:
            store.commit([msgspec.structs.replace(run, status=Status.FAILED)])
            store.release(run.run_no, claim.lease.token)

    parts = {read: Amid(getattr(sight.runs, read), take)}
    state = questions.run_state(sight._replace(runs=sight.runs._replace(**parts)), "run-1")
    assert state.is_queued or state.is_driven or (goes_on and state.recorded is Status.FAILED)


@pytest.mark.parametrize("name", QUESTIONS)
def test_who_may_not_see_a_workflow_hears_nothing_of_its_runs(name: str) -> None:
    """Neither what is in them nor that they are there."""
    sight = a_sight(lambda workflow: False)
    sent = written(QUESTIONS[name], **GIVEN[name]).decode()
    if {"run_id", "run_ids"} & GIVEN[name].keys():
        with pytest.raises(RunNotFoundError, match=r'^the store has no run "run-1"'):
            answered(name, sent, sight)
    elif name in ("engines", "used_limits"):
        with pytest.raises(UsageError, match="the token sees some"):
            answered(name, sent, sight)
    else:
        nothing = {"run_words": ([], []), "store_place": None}.get(name, [])
        assert answered(name, sent, sight) == msgspec.msgpack.encode(nothing)


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize(
    "wrong", ["", "[]", "{", '{"more": 1}', '{"run_id": 1}', '{"limit": 0}', '{"after": 1e30}']
)
def test_arguments_that_do_not_fit_are_refused(name: str, wrong: str) -> None:
    """Before anything is read; unbounded ones too."""
    with pytest.raises(FanwiseError):
        answered(name, wrong, a_sight())


def test_numbers_that_no_store_takes_are_refused() -> None:
    """They would be errors of the database, or lift a bound."""
    for name, given in GIVEN.items():
        for field, kind in form_of(QUESTIONS[name]).takes.__annotations__.items():
            if "int" in str(kind) and field != "filters":
                known = json.loads(written(QUESTIONS[name], **given))
                for bad in (-2, 10**30):
                    with pytest.raises(UsageError):
                        answered(name, json.dumps(known | {field: bad}), a_sight())


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("listed_runs", {"status": "gone"}),
        ("run_ids", {"statuses": ["gone"]}),
        ("run_ids", {"statuses": ["failed"] * 100}),
        *(
            ("log_page", {"run_id": "run-1", "after": LOG | {name: bad}})
            for name in ("visit_no", "index", "log_no")
            for bad in (2**63, -(2**63) - 1)
        ),
    ],
)
def test_values_that_no_store_takes_are_refused(name: str, given: object) -> None:
    """Also within records that a client sends back."""
    with pytest.raises(UsageError):
        answered(name, json.dumps(given), a_sight())


def test_my_questions_are_those_of_the_name_that_asks() -> None:
    """Over HTTP it is that of the token; and nobody's starter is read in vain."""
    sight = a_sight()
    run_no = sight.store.create_run(
        a_run("run-2", status=Status.RUNNING), sight.store.enroll(an_owner())
    )
    for number, who in enumerate(("ada", "bob")):
        form = Question(prompt="?", options=["yes"], fields={}, who=[who], default=None).encoded()
        request = WaitRequest(waits_for=WaitKind.QUESTION, form=form)
        sight.store.open_waits(run_no, 1, [WaitToOpen(f"ask{number}", 1, request, None)])
    mine = [each.wait.path for each in open_waits(sight, 10, mine=True)]
    others = [each.wait.path for each in open_waits(sight, 10, mine=True, by="bob")]
    assert (mine, others) == (["ask0"], ["ask1"])


def test_nothing_but_a_question_is_answered() -> None:
    """A name leads to the table, and nowhere else."""
    assert answered("find_run", "{}", a_sight()) is None
    assert answered("__class__", "{}", a_sight()) is None
    assert {"sight"} == {
        next(iter(form_of(each).signature.parameters)) for each in QUESTIONS.values()
    }
    assert set(GIVEN) == set(QUESTIONS) == {each.__name__ for each in QUESTIONS.values()}
    assert all(vars(questions)[name] is each for name, each in QUESTIONS.items())


def test_questions_are_asked_without_the_compiler_of_workflows() -> None:
    """Commands that list what is recorded, and the tab key, would wait for its import."""
    script = "import sys, fanwise.reports.questions; assert not {'jinja2', 'yaml'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", script], check=True)
