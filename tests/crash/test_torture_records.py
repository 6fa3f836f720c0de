"""What torture would find if something were lost, changed or done again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from benchmarks.torture_records import (
    Findings,
    Snapshot,
    compare_children,
    compare_outcomes,
    compare_records,
    compare_work,
    snapshot,
)
from fanwise.model import ItemCounts, Record, Status
from fanwise.testing.records import a_log, a_run, a_task, an_event, an_item

RUN = a_run("r", run_no=1)
EACH = a_task(1, 1, path="each", has_items=True, items=ItemCounts(2, 1, 1), status=Status.FAILED)
GOOD, BAD = an_item(1, 0), an_item(1, 1, status=Status.FAILED, output=None)
DONE: dict[str, Any] = {"status": Status.SUCCEEDED, "attempts": 1}
STEPS = [a_task(1, 2, path="each[0].step", **DONE), a_task(1, 3, path="each[1].step", **DONE)]
OTHER = a_task(1, 4, path="other", visit=2, **DONE)
ALL: list[Record] = [RUN, EACH, *STEPS, OTHER, an_event(1, 1), GOOD, BAD, a_log(1, path="each[0]")]


def taken(records: Sequence[Record]) -> Snapshot:
    found = snapshot(records)
    assert found is not None
    return found


def without(record: Record) -> Snapshot:
    return taken([each for each in ALL if each is not record])


def test_what_stays_is_no_finding() -> None:
    """Nor is what comes to it, or the status of the run and of a task that runs."""
    running = a_task(1, 5, path="more")
    ended = [replace(RUN, status=Status.SUCCEEDED), *ALL[1:], replace(running, **DONE)]
    after = taken([*ended, an_item(1, 2)])
    assert compare_records(taken([*ALL, running]), after) == Findings()


def test_what_is_gone_is_lost() -> None:
    """Each kind of record is missed, and so is the run as a whole."""
    for record in ALL[1:]:
        if record is not EACH:  # without it nothing is known of its items
            assert len(compare_records(taken(ALL), without(record)).lost) == 1
    assert len(compare_records(taken(ALL), None).lost) == len(ALL)


def test_what_differs_is_changed() -> None:
    """Also by a time alone; of the run itself, what it was started with."""
    changes: list[tuple[Record, Record]] = [
        (GOOD, replace(GOOD, started_at=GOOD.started_at + 1)),
        (OTHER, replace(OTHER, output=b"2")),
        (RUN, replace(RUN, definition="tasks: [{}]")),
    ]
    for old, new in changes:
        after = taken([new if each is old else each for each in ALL])
        assert len(compare_records(taken(ALL), after).changed) == 1


def test_work_is_repeated_if_its_outcome_was_recorded() -> None:
    """Keys name the task, the item and the visit; what only runs may begin again."""
    begun = ["r/each[0]/1", "r/other/1", "r/each[2]/1", "r/each[1].step/1", "r/other/2"]
    found = compare_work(taken(ALL), begun)
    assert found == Findings(repeated=["r/each[0]/1", "r/each[1].step/1", "r/other/2"])


def test_a_retry_keeps_all_but_what_had_failed() -> None:
    """Of a child that had failed its steps go as well, whatever became of them."""
    kept = taken(ALL).kept_by_a_retry()
    left = taken([each for each in ALL if each not in (BAD, *STEPS)])
    assert compare_records(kept, left).lost == ["each[0].step"]
    assert compare_work(kept, ["r/each[1]/1", "r/each[1].step/1"]) == Findings()
    assert compare_work(kept, ["r/each[0]/1", "r/each[0].step/1"]).repeated != []


def test_outcomes_are_compared_without_times() -> None:
    """When something happened is its own; what came of it isn't."""
    later = replace(OTHER, started_at=9.0, ended_at=10.0, visit_no=7)
    assert compare_outcomes(taken(ALL), taken([*ALL[:4], later, *ALL[5:]])) == Findings()
    other = taken([replace(RUN, output=b"7"), *ALL[1:-2]])
    assert [each.split(" is ")[0] for each in compare_outcomes(taken(ALL), other).differing] == [
        "each[1]",
        "run",
    ]


def test_children_that_share_too_few_slots_are_found() -> None:
    """By their items, whose times are those of one attempt; a child may have several at once."""
    tasks = [a_task(1, visit, path=f"each[{visit}].inner", has_items=True) for visit in range(3)]
    at = {0: 1.0, 1: 1.0, 2: 1.5}
    items = [
        an_item(1, index, visit_no=visit, started_at=at[visit], duration_s=1.0)
        for visit in at
        for index in range(2)
    ]
    found = taken([RUN, *tasks, *items])
    assert compare_children(found, 3) == Findings()
    (first, *_) = compare_children(found, 2).strange
    assert first == "at 1.5 each[0], each[1], each[2] were at work together"
