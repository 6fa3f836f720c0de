"""What a retry of a run does again, and what it keeps."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import fanwise
from fanwise.errors import (
    NothingToRetryError,
    SourceChangedError,
    TaskNotFoundError,
    UsageError,
)
from fanwise.model import ChosenKind, ItemCounts, Status
from fanwise.ports import RerunNote, RerunReason
from fanwise.testing.tiles_contract import require_exact_tiles

THREE = """
tasks:
  - {name: a, action: test.do, input: {of: a}}
  - {name: b, action: test.do, with-items: [1, 2, 3, 4], input: {of: "b{{ item }}"}}
  - {name: c, action: test.do, input: {of: "c {{ task.b.output | length }}"}}
output: "{{ task.c.output }}"
"""


class Doing:
    """Actions that fail while their name is in `broken`."""

    def __init__(self, *broken: str) -> None:
        self.broken = set(broken)
        self.done: list[str] = []
        self.keys: Counter[str] = Counter()

    def action(self) -> Any:
        @fanwise.action("test.do")
        async def do(context: fanwise.ActionContext, of: str) -> str:
            self.done.append(of)
            self.keys[context.idempotency_key] += 1
            if of in self.broken:
                raise self.error(of)
            return of

        return do

    def error(self, of: str) -> fanwise.ActionError:
        return fanwise.ActionError("it is broken", type="Broken")

    def mend(self) -> None:
        self.broken.clear()
        self.done.clear()


def test_a_retry_runs_the_failed_items_and_what_comes_after_them(loom) -> None:
    """The task before, and the items that had succeeded, are kept."""
    doing = Doing("b2", "b4")
    assert loom.run(THREE, doing.action()).status is Status.FAILED
    doing.mend()
    run = loom.retry(THREE, doing.action())
    assert run.status is Status.SUCCEEDED
    assert sorted(doing.done) == ["b2", "b4", "c 4"]
    assert run.tasks["b"].items == fanwise.ItemCounts(4, 4, 0)
    assert [item.status for item in loom.items(2)] == [Status.SUCCEEDED] * 4


def test_a_failed_item_keeps_its_idempotency_key_over_a_retry(loom) -> None:
    """A service that knows the key of the first try recognises the second."""
    doing = Doing("b2")
    loom.run(THREE, doing.action())
    doing.mend()
    loom.retry(THREE, doing.action())
    (key,) = [key for key, count in doing.keys.items() if count == 2]
    assert "/b[1]/1" in key


def test_a_task_that_depends_on_a_retried_one_is_a_new_visit(loom) -> None:
    """It had succeeded, and what it does now it does on other grounds, under a key of its own."""
    text = THREE.replace("with-items: [1, 2, 3, 4]", "with-items: [1, 2, 3, 4], tolerate: 1")
    doing = Doing("b2")
    assert loom.run(text, doing.action()).status is Status.SUCCEEDED
    doing.mend()
    run = loom.retry(text, doing.action())
    assert sorted(doing.done) == ["b2", "c 4"]
    assert [key.rpartition("/")[2] for key in doing.keys if "/c/" in key] == ["1", "2"]
    assert [(row.path, row.visit) for row in loom.rows()] == [
        ("a", 1),
        ("b", 1),
        ("c", 1),
        ("c", 2),
    ]
    assert run.output == "c 4"


def test_from_a_task_starts_a_new_visit_of_it_and_of_what_comes_after(loom) -> None:
    """Although nothing had failed."""
    doing = Doing()
    loom.run(THREE, doing.action())
    doing.mend()
    run = loom.retry(THREE, doing.action(), from_task="b")
    assert run.status is Status.SUCCEEDED
    assert sorted(doing.done) == ["b1", "b2", "b3", "b4", "c 4"]
    assert set(doing.keys.values()) == {1}


def test_a_retry_after_another_one_keeps_the_later_visits_that_succeeded(loom) -> None:
    """What failed in its second visit is made again as that, with what this one has recorded."""
    doing = Doing()
    loom.run(THREE, doing.action())
    doing.broken = {"b2"}
    assert loom.retry(THREE, doing.action(), from_task="a").status is Status.FAILED
    doing.mend()
    run = loom.retry(THREE, doing.action())
    assert run.status is Status.SUCCEEDED
    assert sorted(doing.done) == ["b2", "c 4"]
    assert [key.partition("/")[2] for key, count in doing.keys.items() if count == 2] == ["b[1]/2"]
    assert [(row.path, row.visit) for row in loom.rows() if row.path != "c"] == [
        ("a", 1),
        ("b", 1),
        ("a", 2),
        ("b", 2),
    ]


def test_a_task_that_starts_again_leaves_what_was_made_after_another_retry(loom) -> None:
    """Its last visit and those after it are new; the second visit before it is kept."""
    doing = Doing()
    loom.run(THREE, doing.action())
    loom.retry(THREE, doing.action(), from_task="b")
    doing.done.clear()
    run = loom.retry(THREE, doing.action(), from_task="c")
    assert run.status is Status.SUCCEEDED
    assert doing.done == ["c 4"]
    assert set(doing.keys.values()) == {1}


def test_a_run_of_which_nothing_failed_is_not_retried(loom) -> None:
    """The message says how to start again all the same."""
    loom.run(THREE, Doing().action())
    with pytest.raises(NothingToRetryError, match=r"nothing of run .* has failed.*--from TASK"):
        loom.retry(THREE, Doing().action())


def test_a_run_that_fails_again_can_be_retried_again(loom) -> None:
    """Each retry does what is still broken."""
    doing = Doing("b2", "b4")
    loom.run(THREE, doing.action())
    doing.broken = {"b4"}
    assert loom.retry(THREE, doing.action()).status is Status.FAILED
    doing.mend()
    assert loom.retry(THREE, doing.action()).status is Status.SUCCEEDED
    assert sorted(doing.done) == ["b4", "c 4"]


def test_a_repaired_workflow_goes_on_with_what_had_succeeded(loom) -> None:
    """Its new input is what the failed items get; a task that it adds runs as well."""
    doing = Doing("b2")
    loom.run(THREE, doing.action())
    doing.done.clear()
    repaired = THREE.replace("b{{ item }}", "better {{ item }}").replace(
        "output:", "  - {name: d, action: test.do, input: {of: d}}\noutput:"
    )
    run = loom.retry(repaired, doing.action(), recorded=THREE)
    assert run.status is Status.SUCCEEDED
    assert sorted(doing.done) == ["better 2", "c 4", "d"]
    assert loom.record().definition == repaired
    assert any(note.name == "b" and note.reason for note in loom.watcher.reruns[-1].tasks)


def test_a_repaired_workflow_must_have_the_tasks_that_were_recorded(loom) -> None:
    """The message names the task and what it may be called now."""
    loom.run(THREE, Doing("b2").action())
    renamed = THREE.replace("name: a,", "name: aa,")
    with pytest.raises(UsageError, match=r'no task "a".*Is it called "aa" now'):
        loom.retry(renamed, Doing().action(), recorded=THREE)


def test_a_task_that_is_renamed_before_it_ran_is_not_left_as_pending(loom) -> None:
    """Nothing of it is kept, so its old name isn't listed any more."""
    loom.run(THREE, Doing("b2").action())
    assert [row.path for row in loom.rows()] == ["a", "b", "c"]
    renamed = THREE.replace("name: c,", "name: last,").replace("task.c.", "task.last.")
    assert loom.retry(renamed, Doing().action(), recorded=THREE).status is Status.SUCCEEDED
    assert [row.path for row in loom.rows()] == ["a", "b", "last"]


def test_items_that_come_from_elsewhere_start_anew(loom) -> None:
    """Their indexes mean other items, so none of their outcomes is kept."""
    doing = Doing("b2")
    loom.run(THREE, doing.action())
    doing.mend()
    repaired = THREE.replace("[1, 2, 3, 4]", "[1, 5]")
    run = loom.retry(repaired, doing.action(), recorded=THREE)
    assert sorted(doing.done) == ["b1", "b5", "c 2"]
    assert run.tasks["b"].items == fanwise.ItemCounts(2, 2, 0)


LOOP = """
tasks:
  - name: start
    action: test.do
    input: {of: start}
    next: [{do: try}]
  - name: try
    action: test.do
    input: {of: "try {{ task.try.status }} {{ task.mend.output }}"}
    next: [{when: "{{ failed() }}", do: mend}, {when: "{{ succeeded() }}", do: end}]
  - name: mend
    action: test.do
    input: {of: "mend {{ task.try.error.type }}"}
    max-visits: 2
    next: [{do: try}]
  - {name: end, action: test.do, input: {of: end}}
"""


def test_a_failure_that_a_transition_handled_is_done_again_as_well(loom) -> None:
    """The first failure is made again, and what followed from it isn't needed any more."""
    doing = Doing("try skipped None", "end")
    doing.broken = {"try skipped ", "try skipped None", "end"}
    run = loom.run(LOOP, doing.action())
    assert run.status is Status.FAILED
    doing.mend()
    run = loom.retry(LOOP, doing.action())
    assert run.status is Status.SUCCEEDED
    assert doing.done[-1] == "end"
    assert "start" not in doing.done
    assert not any(each.startswith("mend") for each in doing.done)


def test_a_failed_visit_that_another_one_followed_is_made_again_as_a_new_one(loom) -> None:
    """So no key of a visit that had succeeded is ever used for something else."""
    doing = Doing("try skipped None", "try skipped ", "end")
    loom.run(LOOP, doing.action())
    doing.mend()
    assert loom.retry(LOOP, doing.action()).status is Status.SUCCEEDED
    again = [key.partition("/")[2] for key, count in doing.keys.items() if count > 1]
    assert again == []


def test_a_run_does_not_start_again_from_a_task_that_never_ran(loom) -> None:
    """It is blocked by the failure of another one; the message has those that ran."""
    loom.run(THREE, Doing("a").action())
    with pytest.raises(TaskNotFoundError, match=r'has not run a task "c"\. It has run a\.'):
        loom.retry(THREE, Doing().action(), from_task="c")


BOTH_FAIL = """
tasks:
  - {name: a, action: test.do, input: {of: a}, on-error: continue}
  - name: b
    action: test.do
    with-items: [1, 2]
    input: {of: "b{{ item }} after {{ task.a.status }}"}
"""


def test_items_that_came_after_what_failed_run_again_as_a_new_visit(loom) -> None:
    """Also those that succeeded, on another input: no idempotency key succeeds twice."""
    doing = Doing("a", "b2 after failed")
    assert loom.run(BOTH_FAIL, doing.action()).status is Status.FAILED
    doing.mend()
    loom.retry(BOTH_FAIL, doing.action())
    assert sorted(doing.done) == ["a", "b1 after succeeded", "b2 after succeeded"]
    assert [(row.path, row.visit) for row in loom.rows()] == [("a", 1), ("b", 1), ("b", 2)]
    assert max(doing.keys.values()) == doing.keys[f"{loom.record().id}/a/1"] == 2
    assert loom.watcher.reruns[-1].tasks == (
        RerunNote("a", RerunReason.FAILED),
        RerunNote("b", RerunReason.ITEMS_FAILED, failed_items=1),
    )


def test_a_new_visit_is_told_as_one_that_keeps_no_items(loom) -> None:
    """Neither of the task that was named, nor of one after it."""
    loom.run(THREE, Doing().action())
    loom.retry(THREE, Doing().action(), from_task="a")
    assert loom.watcher.reruns[-1].tasks == (
        RerunNote("a", RerunReason.NAMED),
        RerunNote("b", RerunReason.FOLLOWS_RERUN),
        RerunNote("c", RerunReason.FOLLOWS_RERUN),
    )


def test_kept_items_are_told_of_a_repaired_workflow_too(loom) -> None:
    """In which the task may have another place."""
    doing = Doing("b2", "b4")
    loom.run(THREE, doing.action())
    doing.mend()
    new = "tasks:\n  - {name: new, action: test.do, input: {of: new}}\n"
    repaired = THREE.replace("tasks:\n", new)
    loom.retry(repaired, doing.action(), recorded=THREE)
    counts = ItemCounts(total=4, succeeded=2, failed=2)
    note = RerunNote("b", RerunReason.ITEMS_FAILED, failed_items=2, items=counts)
    assert note in loom.watcher.reruns[-1].tasks


def test_a_retry_of_a_changed_file_is_refused_before_anything_is_recorded(loom) -> None:
    """The run stays over as it was; with `force` it is made again all the same."""
    lines = loom.folder / "lines.txt"
    lines.write_text("1\n2\n")
    text = """
    tasks:
      - {name: b, action: test.do, with-items: {lines: lines.txt}, input: {of: "b{{ item }}"}}
    """
    doing = Doing("b2")
    loom.run(text, doing.action())
    before = loom.record(), list(loom.store.events(loom.record().run_no))
    lines.write_text("1\n2\n3\n")
    doing.mend()
    told = r"lines\.txt has changed since b began .* --force"
    with pytest.raises(SourceChangedError, match=told):
        loom.retry(text, doing.action())
    assert (loom.record(), list(loom.store.events(loom.record().run_no))) == before
    assert loom.retry(text, doing.action(), force=True).status is Status.SUCCEEDED
    assert sorted(doing.done) == ["b2", "b3"]


def test_files_keep_their_places_over_a_retry_or_it_is_refused(loom) -> None:
    """An item is the file of its index, whatever was written into it; another file is a change."""
    for name in ("a", "b", "c"):
        (loom.folder / f"{name}.in").touch()
    text = """
    tasks:
      - {name: t, action: test.do, with-items: {files: "*.in"}, input: {of: "{{ item.stem }}"}}
    """
    doing = Doing("b")
    loom.run(text, doing.action())
    doing.mend()
    (loom.folder / "a.in").rename(loom.folder / "a.done")
    with pytest.raises(SourceChangedError, match=r"\*\.in matches other files than when t began"):
        loom.retry(text, doing.action())
    (loom.folder / "a.done").rename(loom.folder / "a.in")
    (loom.folder / "b.in").write_text("repaired")
    assert loom.retry(text, doing.action()).status is Status.SUCCEEDED
    assert doing.done == ["b"]


KINDS = """
tasks:
  - {name: b, action: test.do, with-items: {range: 6}, input: {of: "b{{ item }}"}}
  - {name: c, action: test.do, input: {of: "c {{ task.b.output | length }}"}}
"""


class Failing(Doing):
    """Actions that fail while their name is in `broken`, each even number in a way of its own."""

    def error(self, of: str) -> fanwise.ActionError:
        is_even = int(of.removeprefix("b")) % 2 == 0
        return fanwise.ActionError("it is broken", type="Even" if is_even else "Odd")


def _kind(loom, type: str) -> int:
    kinds = loom.store.kinds(loom.record().run_no, 1)
    return next(each.number for each in kinds if each.type == type)


def test_items_of_one_kind_of_errors_are_retried_alone(loom) -> None:
    """The others stay failed, so their task fails, until they are retried as well."""
    doing = Failing("b0", "b1", "b2", "b3")
    loom.run(KINDS, doing.action())
    doing.mend()
    even = ChosenKind("b", _kind(loom, "Even"))
    run = loom.retry(KINDS, doing.action(), kind_of=even)
    assert run.status is Status.FAILED
    assert sorted(doing.done) == ["b0", "b2"]
    assert run.tasks["b"].items == ItemCounts(6, 4, 2)
    require_exact_tiles(loom.store, run.id)
    with pytest.raises(NothingToRetryError, match="has failed with the kind"):
        loom.retry(KINDS, doing.action(), kind_of=even)
    doing.done.clear()
    run = loom.retry(KINDS, doing.action(), kind_of=ChosenKind("b", _kind(loom, "Odd")))
    assert run.status is Status.SUCCEEDED
    assert sorted(doing.done) == ["b1", "b3", "c 6"]
    assert max(doing.keys.values()) == 2


def test_a_retry_of_one_kind_says_how_many_items_it_runs(loom) -> None:
    """Before it begins."""
    doing = Failing("b0", "b1", "b2")
    loom.run(KINDS, doing.action())
    loom.retry(KINDS, doing.action(), kind_of=ChosenKind("b", _kind(loom, "Even")))
    (note, *_) = loom.watcher.reruns[-1].tasks
    assert (note.name, note.failed_items) == ("b", 2)


def test_items_of_a_task_that_stops_at_a_failure_are_not_chosen(loom) -> None:
    """Those that stay failed would stop it before any other."""
    text = KINDS.replace("with-items: {range: 6}", "with-items: {range: 6}, on-item-error: stop")
    doing = Failing("b0", "b1")
    loom.run(text, doing.action())
    with pytest.raises(UsageError, match="stops at an item that fails"):
        loom.retry(text, doing.action(), kind_of=ChosenKind("b", 1))


def test_items_are_not_chosen_of_a_task_that_starts_again(loom) -> None:
    """It comes after one that runs again, or has never run, or has none that failed."""
    doing = Failing("b0")
    loom.run(KINDS, doing.action())
    for task, error in (("x", TaskNotFoundError), ("c", TaskNotFoundError)):
        with pytest.raises(error):
            loom.retry(KINDS, doing.action(), kind_of=ChosenKind(task, 1))
    with pytest.raises(UsageError, match="starts again with all of its items"):
        loom.retry(KINDS, doing.action(), kind_of=ChosenKind("b", 1), from_task="b")
