"""Runs that an older version of fanwise has recorded go on, once their store was upgraded."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import fanwise
from fanwise.errors import ParameterError
from fanwise.model import ItemCounts, RunRecord, Status
from fanwise.stores import open_store, upgrade

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(params=sorted(GOLDEN.glob("*.sqlite")), ids=lambda path: path.stem)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A golden store, upgraded; the workflows that it names stand in the golden folder now."""
    return upgraded(request.param, tmp_path)


@pytest.fixture(params=sorted(GOLDEN.glob("waiting/*.sqlite")), ids=lambda path: path.stem)
def waiting(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A golden store with a run that waits, upgraded."""
    return upgraded(request.param, tmp_path)


def upgraded(golden: Path, folder: Path) -> str:
    path = folder / "fanwise.db"
    shutil.copy(golden, path)
    upgrade(str(path), keep_copy=False)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE runs SET origin = replace(origin, rtrim(file, replace(file, '/', '')), :flows),"
            " file = :flows || workflow || '.yaml'",
            {"flows": f"{GOLDEN}/flows/"},
        )
    return str(path)


def record_of(store: str, run_id: str) -> RunRecord:
    with open_store(store, read_only=True) as opened:
        found = opened.run(run_id)
    assert found is not None
    return found


def test_a_paused_run_goes_on_and_keeps_what_it_had(store) -> None:
    """The items that were recorded stay as they were, and the others run."""
    record = record_of(store, "paused")
    with open_store(store, read_only=True) as opened:
        before = opened.items(record.run_no, 2)
        earlier = opened.lease(record.run_no)  # which stores of the first revisions don't have
        assert 4 <= len(before) < 20
    run = fanwise.resume("paused", store=store)
    assert run.status is Status.SUCCEEDED
    assert run.tasks["each"].items == ItemCounts(20, 20, 0)
    with open_store(store, read_only=True) as opened:
        after = opened.items(record.run_no, 2)
        lease = opened.lease(record.run_no)
    assert [item for item in after if item in before] == before
    assert len(after) == 20
    assert lease is not None
    assert lease.token == 1 + (0 if earlier is None else earlier.token)
    assert lease.owner is None


def test_a_failed_run_is_made_again_with_a_repaired_workflow(store, tmp_path) -> None:
    """The task that had failed, and the one after it that was blocked."""
    text = (GOLDEN / "flows" / "broken.yaml").read_text()
    repaired = tmp_path / "repaired.yaml"
    repaired.write_text(text.replace("core.fail", "core.echo"))
    run = fanwise.retry("broken", workflow=repaired, store=store)
    assert run.status is Status.SUCCEEDED
    assert [task.status for task in run.tasks.values()] == [Status.SUCCEEDED] * 2


def test_a_run_is_made_again_from_a_task_with_its_children(store) -> None:
    """Its secret is asked for by name, although it isn't recorded whether it was given."""
    with pytest.raises(ParameterError, match=r'"token" of run survey isn\'t recorded.*-p token='):
        fanwise.retry("survey", from_task="check", store=store)
    run = fanwise.retry("survey", from_task="check", secrets={"token": "hunter2"}, store=store)
    assert run.status is Status.SUCCEEDED
    assert run.output == {"checked": 12, "failed": 2}
    assert run.tasks["visit"].items == ItemCounts(3, 3, 0)


def test_what_the_run_is_made_from_is_recorded_from_then_on(store) -> None:
    """So the next one who takes it up finds what this one found, also if nothing was recorded."""
    folder = record_of(store, "survey").origin.folder or str(Path.cwd())
    fanwise.retry("survey", from_task="visit", secrets={"token": "hunter2"}, store=store)
    origin = record_of(store, "survey").origin
    assert origin.given == ("token",)
    assert origin.folder == folder
    assert list(origin.workflows) == [str(GOLDEN / "flows" / "visit.yaml")]
    assert {"golden.check", "golden.knock"} <= origin.actions.keys()


def test_a_run_that_waits_takes_its_answers(waiting: str) -> None:
    """Also those that an older version has recorded: of one item, and one that came early."""
    with open_store(waiting, read_only=True) as opened:
        paths = {each.wait.path for each in opened.waits_open()}
    assert paths == {"review", "each[1]", "each[2]", "called.ask", "paid"}
    with pytest.raises(ParameterError, match="from 1 to 100"):
        fanwise.answer("waiting", "review", "approve", {"percent": 101}, store=waiting)
    fanwise.answer("waiting", "review", "approve", by="ada", store=waiting)
    fanwise.answer("waiting", "each[2]", "drop", by="bob", store=waiting)
    fanwise.answer("waiting", "each[1]", "keep", by="ada", store=waiting)
    fanwise.answer("waiting", "called.ask", "reject", store=waiting)
    fanwise.signal("waiting", "order.paid", key="order-7", payload={"sum": 2}, store=waiting)
    run = fanwise.resume("waiting", store=waiting)
    assert run.output == {
        "review": 10,
        "each": ["eve", "ada", "bob"],
        "called": "reject",
        "paid": {"sum": 2},
        "release": "zoe",
    }
