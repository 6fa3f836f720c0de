"""A retry's plan reads well: in one line, or in a line for each task."""

from __future__ import annotations

import pytest

from fanwise.cli.text.rerun_lines import rerun_lines
from fanwise.model import ItemCounts
from fanwise.ports import RerunNote, RerunNotes, RerunReason

KEPT = RerunNote("a", is_kept=True)
ITEMS = RerunNote(
    "b", RerunReason.ITEMS_FAILED, failed_items=1_000, items=ItemCounts(3_000, 2_000, 1_000)
)
NEVER = RerunNote("c")


def test_a_plain_retry_takes_one_line() -> None:
    """With the number of items that run again, and the tasks that are kept."""
    assert rerun_lines(RerunNotes((KEPT, ITEMS, NEVER))) == [
        "runs b (1,000 of 3,000 items), c; keeps a"
    ]
    assert rerun_lines(RerunNotes((KEPT,))) == ["runs no task but those of finally; keeps a"]
    assert rerun_lines(RerunNotes((NEVER,))) == ["runs c"]


def test_one_line_names_five_tasks_and_counts_the_rest() -> None:
    """Of those that run again, and of those that are kept."""
    runs = [RerunNote(f"r{n}", RerunReason.FAILED) for n in range(7)]
    keeps = [RerunNote(f"k{n}", is_kept=True) for n in range(6)]
    assert rerun_lines(RerunNotes((*runs, *keeps))) == [
        "runs r0, r1, r2, r3, r4 and 2 more; keeps k0, k1, k2, k3, k4 and 1 more"
    ]


def test_a_repaired_workflow_takes_a_line_for_each_task() -> None:
    """A change in a task that is kept has no effect, which its line says."""
    changed = RerunNote("d", is_kept=True, is_changed=True)
    assert rerun_lines(RerunNotes((KEPT, ITEMS, NEVER, changed), is_repaired=True)) == [
        "a: kept, since it has succeeded",
        "b: runs again, since 1,000 of its items failed; 2,000 of 3,000 items are kept",
        "c: has not run yet",
        "d: kept, since it has succeeded; what has changed in it is not used",
    ]


@pytest.mark.parametrize("reason", RerunReason)
def test_each_reason_has_words(reason: RerunReason) -> None:
    """A retry from a named task says for each task why it runs again."""
    (line,) = rerun_lines(RerunNotes((RerunNote("a", reason),), from_task="a"))
    assert line.startswith("a: runs again, since ")
