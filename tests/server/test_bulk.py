"""Many runs are changed at once: counted first, one by one, each refusal with its reason."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import fanwise
from fanwise.model import OrderKind, Role
from fanwise.server import run_views
from fanwise.server.bulk_changes import Bulk, Bulks
from fanwise.server.problems import Refusal
from fanwise.server.token_making import new_token_text
from tests.server.served import Served, decoded, serving

FLOW = """\
name: {name}
tasks: [{{name: a, action: core.shell, input: {{command: [test, -e, flag]}}}}]
"""
BULK = "/api/v1/bulk"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    store = str(tmp_path / "runs.db")
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(FLOW.format(name=name))
        for number in range(3):
            run_id = f"{name}{number}"
            fanwise.run(str(tmp_path / f"{name}.yaml"), run_id=run_id, store=store, tags=["x"])
    with serving(tmp_path, store) as made:
        yield made


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The threads that change runs, to be joined."""
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        if thread.name == "fanwise-bulk":
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)
    return started


def begin(served: Served, ends: list[threading.Thread], action: str, body: object, **how) -> dict:
    """A change of many runs, once it is over."""
    begun = decoded(served.post(f"{BULK}/{action}", body, **how), run_views.BulkView)
    ends[-1].join()
    return decoded(
        served.ask(f"{BULK}/{begun['id']}", token=how.get("token", "admin")), run_views.BulkView
    )


def test_runs_are_chosen_by_conditions_and_counted_first(served: Served, ends) -> None:
    """Then just these are changed, each with an entry in the audit."""
    chosen = {"filter": {"workflow": ["one"], "status": ["failed"]}}
    counted = decoded(served.post(f"{BULK}/check", chosen), run_views.BulkChoice)
    assert counted == {"runs": 3, "run_ids": ["one2", "one1", "one0"]}
    done = begin(served, ends, "retry", {**chosen, "expect": 3})
    assert (done["runs"], done["done"], done["refused"], done["is_over"]) == (3, 3, [], True)
    orders = {}
    for run, place in served.store.submissions([1, 2, 3, 4, 5, 6]).items():
        assert place.order is not None
        orders[run] = place.order.kind
    assert orders == dict.fromkeys([1, 2, 3], OrderKind.RETRY)
    entries = served.ask("/api/v1/audit").json["entries"]
    assert [each["target"] for each in entries if each["action"] == "bulk-retry"] == [
        "/api/v1/runs/one0",
        "/api/v1/runs/one1",
        "/api/v1/runs/one2",
    ]


def test_a_change_that_would_reach_more_runs_than_were_counted_reaches_none(
    served: Served, ends
) -> None:
    """It says so, and asks to count again."""
    asked = {"filter": {"tag": ["x"]}, "expect": 5}
    assert served.post(f"{BULK}/delete", asked).code == "changed"
    assert len(served.ask("/api/v1/runs").json["runs"]) == 6
    assert served.post(f"{BULK}/delete", {"filter": {}}).code == "bad-request"
    assert ends == []


def test_a_run_that_can_not_be_changed_is_refused_and_the_others_are_not(
    served: Served, ends
) -> None:
    """Each refusal is that of a request for the run alone."""
    done = begin(served, ends, "delete", {"ids": ["one0", "none", "one1", "one0"]})
    assert (done["runs"], done["done"], done["refusals"]) == (3, 3, 1)
    assert [(each["run_id"], each["code"]) for each in done["refused"]] == [
        ("none", "run-not-found")
    ]
    left = {run["run_id"] for run in served.ask("/api/v1/runs").json["runs"]}
    assert left == {"one2", "two0", "two1", "two2"}
    for action in ("pause", "resume", "cancel"):
        done = begin(served, ends, action, {"ids": ["one2"]})
        assert [each["code"] for each in done["refused"]] == ["run-over"]


def test_many_runs_are_changed_by_those_who_may_change_each(served: Served, ends) -> None:
    """A token of some workflows reaches no others, and only an administrator deletes."""
    some = str(new_token_text(served.store, "some", Role.RUN, workflows=["two"]))
    counted = served.post(f"{BULK}/check", {"filter": {}}, token=some).json
    assert counted["run_ids"] == ["two2", "two1", "two0"]
    done = begin(served, ends, "retry", {"ids": ["one0", "two0"]}, token=some)
    assert [each["run_id"] for each in done["refused"]] == ["one0"]
    assert served.post(f"{BULK}/delete", {"ids": ["two0"]}, token="run").code == "forbidden"
    assert served.ask(f"{BULK}/{done['id']}", token="run").code == "not-found"


@pytest.mark.parametrize(
    "body",
    [{}, {"ids": ["a"], "filter": {}}, {"filter": {"since": "soon"}, "expect": 1}, {"ids": "a"}],
)
def test_a_choice_that_makes_no_sense_is_refused(served: Served, body: object) -> None:
    """Before anything is changed."""
    assert served.post(f"{BULK}/cancel", body).code == "bad-request"


def test_four_changes_are_made_at_a_time() -> None:
    """A further one is refused until one of them is over."""
    bulks, goes_on = Bulks(), threading.Event()
    made = [Bulk("token", "retry", 0) for _ in range(5)]
    for bulk in made[:4]:
        bulks.begin(bulk, goes_on.wait)
    with pytest.raises(Refusal, match="Other changes"):
        bulks.begin(made[4], goes_on.wait)
    goes_on.set()
    made[0].is_over = True
    bulks.begin(made[4], goes_on.wait)
    assert bulks.find(made[4].id, "token") is made[4]


def test_a_change_in_progress_is_known_whatever_comes_after_it() -> None:
    """Of those that are over the oldest are forgotten."""
    bulks, goes_on = Bulks(), threading.Event()
    first = Bulk("token", "retry", 0)
    bulks.begin(first, goes_on.wait)
    others = [Bulk("token", "pause", 0) for _ in range(120)]
    for bulk in others:
        bulks.begin(bulk, lambda: None)
        bulk.is_over = True
    goes_on.set()
    assert bulks.find(first.id, "token") is first
    assert bulks.find(others[-1].id, "token") is others[-1]
    with pytest.raises(Refusal, match="no such change"):
        bulks.find(others[0].id, "token")


def test_items_of_one_kind_are_retried_over_the_api(tmp_path: Path) -> None:
    """It is told first which and how many."""
    (tmp_path / "kinds.yaml").write_text(
        "name: kinds\ntasks:\n"
        "  - {name: a, action: core.shell, with-items: [1, 1, 2, 0], "
        'input: {command: [sh, -c, "exit {{ item }}"]}}\n'
    )
    store = str(tmp_path / "runs.db")
    fanwise.run(str(tmp_path / "kinds.yaml"), run_id="k", store=store)
    with serving(tmp_path, store) as served:
        kinds = served.ask("/api/v1/runs/k/tasks/a/kinds").json["kinds"]
        query = f"items_of=a&kind={kinds[0]['number']}"
        (note,) = served.ask(f"/api/v1/runs/k/retry?{query}").json["tasks"]
        assert (note["task"], note["failed_items"]) == ("a", kinds[0]["count"])
        for wrong in ("kind=1", "items_of=a", f"{query}&from_task=a"):
            assert served.ask(f"/api/v1/runs/k/retry?{wrong}").code == "bad-request"
        asked = {"items_of": "a", "kind": kinds[0]["number"]}
        assert served.post("/api/v1/runs/k/retry", {**asked, "kind": 99}).status == 409
        assert served.post("/api/v1/runs/k/retry", asked).status == 202
        (place,) = served.store.submissions([1]).values()
        assert place.order is not None
        assert place.order.kind_of == fanwise.model.ChosenKind("a", kinds[0]["number"])
