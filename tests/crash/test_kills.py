"""Runs whose processes are killed at random moments: nothing recorded is lost, changed or redone.

`python -m benchmarks torture` does the same at length.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

import fanwise
from benchmarks.torture_records import Snapshot, snapshot
from benchmarks.torture_run import PACK, RUN_ID, WORKFLOWS, TorturedRun
from fanwise.stores import open_store
from fanwise.testing.tiles_contract import require_exact_tiles


@pytest.fixture
def _silent_actions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the actions of the pack run in this process, where nobody listens to them."""
    with Path(os.devnull).open("wb") as nobody:
        monkeypatch.setenv("TORTURE_TO", str(nobody.fileno()))
        monkeypatch.setenv("FANWISE_SECRET_TORTURE", "hidden")
        yield


def undisturbed(workflow: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Snapshot:
    """What is recorded of a run of the workflow in this process."""
    store = str(folder / "undisturbed.db")
    given = {"file": str(folder / "numbers.jsonl")} if workflow == "stream" else {}
    run = fanwise.run(PACK / f"{workflow}.yaml", given, store=store, run_id=RUN_ID)
    if run.status is fanwise.Status.FAILED:
        monkeypatch.setenv("TORTURE_MENDED", "1")
        fanwise.retry(RUN_ID, store=store)
        monkeypatch.delenv("TORTURE_MENDED")
    with open_store(store, read_only=True) as opened:
        found = snapshot(opened.export(RUN_ID))
    assert found is not None
    return found


@pytest.mark.parametrize("workflow", WORKFLOWS)
@pytest.mark.usefixtures("_silent_actions")
def test_a_run_survives_the_kills_of_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workflow: str
) -> None:
    """What was recorded stays and isn't begun again, and it ends as if nothing had happened.

    Its tiles and kinds of errors are those of its items.
    """
    tortured = TorturedRun(workflow, tmp_path, Random(f"a {workflow}"))
    tortured.live_on(undisturbed(workflow, tmp_path, monkeypatch), most_kills=2)
    assert list(tortured.findings.lines()) == []
    assert tortured.counts.attempts > 0
    with open_store(str(tmp_path / "runs.db"), read_only=True) as store:
        require_exact_tiles(store, RUN_ID)
