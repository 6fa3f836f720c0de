"""A retry of a run that dies at any moment goes on and ends as an undisturbed one would."""

from __future__ import annotations

from pathlib import Path

import pytest
from crash_cases import RETRIES, STEPS
from crashing import Case, Life, Stage, When

from fanwise.errors import UsageError
from fanwise.model import ItemCounts, RequestKind, Status
from fanwise.ports import RerunNote, RerunNotes, RerunReason

LOOP = Case("""
tasks:
  - {name: s, action: test.do, needs: [], next: [{do: poll}]}
  - name: poll
    action: test.do
    max-visits: 3
    input: {value: "{{ (task.poll.output or 0) + 1 }}"}
    next: [{when: "{{ result() < 3 }}", do: poll}, {when: "{{ result() >= 3 }}", do: end}]
  - {name: end, action: test.do, input: {value: "{{ task.poll.output }}"}}
output: "{{ task.end.output }}"
""")


def mended(stage: Stage) -> Life:
    """A run that is over, with the world around it mended."""
    life = stage.new_life()
    life.start()
    life.world.is_mended = True
    life.world.calls.clear()
    return life


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", RETRIES)
def test_a_retry_that_dies_at_any_commit_goes_on_and_ends_the_same(
    tmp_path: Path, name: str, when: When
) -> None:
    """Nothing that it keeps, or has recorded by then, is done again."""
    stage = Stage(RETRIES[name], tmp_path)
    life = mended(stage)
    life.retry()
    expected, commits = life.end(), life.commits
    for at in range(1, commits + 1):
        life = mended(stage)
        life.retry(at=at, when=when)
        if at == 1 and when == "before":  # of this one nothing is recorded
            life.retry()
        life.go_on()
        assert life.end() == expected
        assert life.world.done_again == []
        assert life.replayed_status() is life.record().status


def test_an_item_that_ran_a_child_goes_on_in_it_in_a_retry(tmp_path: Path) -> None:
    """From the step that failed; the steps before it, and other items', are kept."""
    stage = Stage(RETRIES["children"], tmp_path)
    life = mended(stage)
    life.retry()
    steps = {key for key, calls in life.world.calls.items() if key.startswith("call") and calls}
    assert steps == {"call[1].c/1"}


def test_an_item_that_was_cut_off_starts_a_fresh_child_in_a_retry(tmp_path: Path) -> None:
    """Although it isn't recorded, since the process that ran it died: a step of it had failed."""
    text = "tasks: [{name: call, action: ./child.yaml, with-items: [1], input: {breaks: true}}]"
    stage = Stage(Case(text, {"child.yaml": STEPS}), tmp_path)
    for at in range(1, 7):
        life = stage.new_life()
        life.start(at=at)
        if life.record().status.is_final:
            break
        life.world.is_mended = True
        life.resume(cancel=True)
        run = life.retry()
        assert run is not None
        assert run.status is Status.SUCCEEDED


def test_max_visits_counts_the_visits_that_a_retry_makes_and_keeps(tmp_path: Path) -> None:
    """Not those that it makes anew, though their numbers go on."""
    stage = Stage(LOOP, tmp_path)
    life = mended(stage)
    for last in (6, 9):
        run = life.retry(from_task="s")
        assert run is not None
        assert run.status is Status.SUCCEEDED
        assert f"poll/{last}" in life.world.calls
    assert set(life.world.calls.values()) == {1}


def test_what_is_recorded_of_a_task_that_a_retry_does_not_reach_stays(tmp_path: Path) -> None:
    """It is blocked this time, and that is a row of its own."""
    text = """
tasks:
  - {name: a, action: test.do, needs: [], input: {value: "{{ item }}"}, with-items: [1, 2]}
  - {name: b, action: test.do, needs: [a], input: {value: 3}}
"""
    stage = Stage(Case(text), tmp_path)
    life = mended(stage)
    before = life.end()
    broken = stage.load(text.replace('{value: "{{ item }}"}', "{fails: true}"))
    run = life.retry(from_task="a", repaired=broken)
    assert run is not None
    assert run.status is Status.FAILED
    after = life.end()
    assert {key: after[key] for key in before if key != "run"} == {
        key: before[key] for key in before if key != "run"
    }
    assert [(row.visit, row.status) for row in life.rows() if row.path == "b"] == [
        (1, Status.SUCCEEDED),
        (2, Status.BLOCKED),
    ]


def test_a_visit_that_was_paused_and_then_cancelled_is_made_again_as_the_same(
    tmp_path: Path,
) -> None:
    """Its items that had succeeded are kept."""
    text = """
tasks:
  - {name: b, action: test.do, with-items: [1, 2, 3], concurrency: 1, input: {value: "{{ item }}"}}
"""
    life = Stage(Case(text, asks={"b[0]/1": RequestKind.PAUSE}), tmp_path).new_life()
    life.start()
    life.resume(cancel=True)
    life.world.calls.clear()
    life.retry()
    assert set(life.world.calls) == {"b[1]/1", "b[2]/1"}
    counts = ItemCounts(total=3, succeeded=1, failed=0)
    assert life.reruns[-1].tasks == (RerunNote("b", RerunReason.CANCELLED, items=counts),)


def test_a_retry_starts_from_no_task_that_it_would_not_reach_or_runs_anyway(
    tmp_path: Path,
) -> None:
    """One that was blocked in the latest retry has nothing to be made again."""
    text = """
tasks:
  - {name: a, action: test.do, needs: [], input: {fails: false}}
  - {name: b, action: test.do, needs: [a]}
finally: [{name: clean, action: test.do}]
"""
    stage = Stage(Case(text), tmp_path)
    life = mended(stage)
    life.retry(from_task="a", repaired=stage.load(text.replace("false", "true")))
    life.retry(from_task="b")
    assert life.reruns[-1].from_task == "b"
    assert life.reruns[-1].tasks[-1] == RerunNote("b", RerunReason.NAMED)
    with pytest.raises(UsageError, match='"clean" is a task of finally'):
        life.retry(from_task="clean")


def test_finally_runs_as_a_whole_at_the_end_of_a_retry(tmp_path: Path) -> None:
    """Also those of its items that had succeeded at the end of the run."""
    stage = Stage(
        Case("""
tasks: [{name: a, action: test.do}]
finally:
  - {name: clean, action: test.do, with-items: [1, 2], input: {breaks: "{{ item == 2 }}"}}
"""),
        tmp_path,
    )
    life = mended(stage)
    life.retry()
    assert set(life.world.calls) == {"clean[0]/2", "clean[1]/2"}
    assert life.reruns[-1].tasks == (RerunNote("a", is_kept=True),)


THREE = """
tasks:
  - {name: a, action: test.do, input: {value: 1}}
  - {name: b, action: test.do, with-items: [1, 2, 3], input: {value: 1, breaks: "{{ item > 1 }}"}}
  - {name: c, action: test.do, input: {value: 3}}
"""


def test_a_retry_says_which_tasks_run_again_and_why(tmp_path: Path) -> None:
    """With the counts of items where those that had succeeded are kept."""
    life = mended(Stage(Case(THREE), tmp_path))
    life.retry()
    counts = ItemCounts(total=3, succeeded=1, failed=2)
    assert life.reruns[-1] == RerunNotes(
        (
            RerunNote("a", is_kept=True),
            RerunNote("b", RerunReason.ITEMS_FAILED, failed_items=2, items=counts),
            RerunNote("c"),
        )
    )


def test_a_retry_with_a_repaired_workflow_says_what_it_keeps_and_why(tmp_path: Path) -> None:
    """And that what has changed in a task that is kept has no effect."""
    stage = Stage(Case(THREE), tmp_path)
    life = mended(stage)
    life.retry(repaired=stage.load(THREE.replace("value: 1}", "value: 7}")))
    notes = life.reruns[-1]
    assert notes.is_repaired
    assert notes.tasks[0] == RerunNote("a", is_kept=True, is_changed=True)
    assert [note.name for note in notes.tasks] == ["a", "b", "c"]
