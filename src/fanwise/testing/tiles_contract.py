"""Promises of every store about tiles, cells, kinds of errors and the changes of runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from msgspec.structs import replace

from fanwise.bitmap import Bitmap
from fanwise.model import (
    CELL_SPANS_S,
    MAX_KINDS,
    OTHER_KINDS,
    TILE_ITEMS,
    Discard,
    ErrorKind,
    ItemOutcome,
    OrderKind,
    Record,
    RecordedItems,
    RequestKind,
    RunOrder,
    RunRequest,
    Status,
    Submission,
    Tile,
    VisitProgress,
    VisitRecord,
)
from fanwise.ports import MOST_CELLS, Heads
from fanwise.stores import Store
from fanwise.testing.ownership_contract import an_owner
from fanwise.testing.records import a_log, a_run, a_task, an_event, an_item
from fanwise.values import encode


def a_failure(run_no: int, index: int, message: str, **changes: object) -> ItemOutcome:
    """An item that failed with an error of the type `Broken`, with `changes`."""
    error = encode({"type": "Broken", "message": message})
    failed = an_item(run_no, index, status=Status.FAILED, output=None, error=error)
    return replace(failed, **changes)


def tiles_of(items: Iterable[ItemOutcome]) -> list[Tile]:
    """The tiles that a store has to have of a task's items."""
    by_tile: dict[int, list[ItemOutcome]] = {}
    for item in items:
        by_tile.setdefault(item.index // TILE_ITEMS, []).append(item)
    found = []
    for number, of_tile in sorted(by_tile.items()):
        counts = Counter(item.status for item in of_tile)
        found.append(
            Tile(
                number,
                counts[Status.SUCCEEDED],
                counts[Status.FAILED],
                counts[Status.CANCELLED],
                sum(item.attempts for item in of_tile),
                sum(item.duration_s for item in of_tile),
                max(item.duration_s for item in of_tile),
            )
        )
    return found


def cell_of(item: ItemOutcome) -> int:
    """The byte for an item; see `Tiles.cells`."""
    status = {Status.SUCCEEDED: 1, Status.FAILED: 2}.get(item.status, 3)
    digits = sum(item.duration_s >= span_s for span_s in CELL_SPANS_S)
    return status | min(max(item.attempts - 1, 0), 3) << 2 | digits << 4


def require_tiles(found: Sequence[Tile], items: Iterable[ItemOutcome]) -> None:
    """Require that tiles are those of the items, whatever the order in which they were added."""
    expected = tiles_of(items)
    assert [replace(tile, busy_s=0.0) for tile in found] == [
        replace(tile, busy_s=0.0) for tile in expected
    ]
    for tile, other in zip(found, expected, strict=True):
        assert math.isclose(tile.busy_s, other.busy_s, rel_tol=1e-9, abs_tol=1e-12)


def require_exact_tiles(store: Store, run_id: str) -> None:
    """Require that all of a run's items are in its tiles, and each failed one in its kinds."""
    items: dict[int, list[ItemOutcome]] = {}
    for record in store.export(run_id):
        if isinstance(record, VisitRecord):
            items.setdefault(record.visit_no, [])
        if isinstance(record, ItemOutcome):
            items[record.visit_no].append(record)
    run = store.run(run_id)
    for visit_no, of_visit in items.items() if run is not None else ():
        assert run is not None
        require_tiles(list(store.tiles(run.run_no, visit_no)), of_visit)
        failed = [item for item in of_visit if item.status is Status.FAILED]
        kinds = store.kinds(run.run_no, visit_no)
        assert sum(kind.count for kind in kinds) == len(failed)
        assert {kind.index for kind in kinds} <= {item.index for item in failed}


class TilesContract:
    """The promises of `Tiles` and `Changes`."""

    def test_tiles_sum_up_what_was_recorded(self, store: Store) -> None:
        """By status, over commits, and apart for each run and task."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        items = [
            an_item(run_no, 0, duration_s=0.5),
            a_failure(run_no, 999, "no", attempts=3, duration_s=2.5),
            an_item(run_no, 1_000, attempts=2, label="b"),
            an_item(run_no, 5_000_000, status=Status.CANCELLED, output=None),
            an_item(run_no, 1_001, output=b'"' + b"x" * 5_000 + b'"'),
            a_failure(run_no, 1, "no"),
        ]
        store.commit([*items[:4], an_item(run_no, 0, visit_no=2), an_item(other, 2)])
        store.commit(items[4:])
        require_tiles(list(store.tiles(run_no, 1)), items)
        assert list(store.tiles(run_no, 2)) == [Tile(0, 1, 0, 0, 1, 0.1, 0.1)]
        assert list(store.tiles(other, 1)) == [Tile(0, 1, 0, 0, 1, 0.1, 0.1)]
        total = store.tile_totals(run_no, 1)
        assert (total.number, total.items, total.failed, total.attempts) == (0, 6, 2, 9)
        assert total.longest_s == 2.5
        assert store.tile_totals(run_no, 7) == Tile(0)

    def test_a_commit_that_is_refused_changes_no_tile(self, store: Store) -> None:
        """Nor does an item count twice that comes twice."""
        run_no = store.create_run(a_run())
        store.commit([an_item(run_no, 0)])
        with pytest.raises(Exception, match="refuses"):
            store.commit([an_item(run_no, 1), an_item(run_no, 0)])
        assert store.tile_totals(run_no, 1).items == 1

    def test_items_that_are_taken_back_leave_tiles_and_kinds(self, store: Store) -> None:
        """Those that haven't succeeded, and all of a visit or of the steps of a child."""
        run_no = store.create_run(a_run())
        good, bad = an_item(run_no, 3), a_failure(run_no, 4, "no", duration_s=9.0)
        step = a_task(run_no, 2, path="task_1[4].inner", has_items=True)
        inner = [an_item(run_no, 0, visit_no=2), a_failure(run_no, 1, "no", visit_no=2)]
        store.commit([a_task(run_no, 1, has_items=True), step, good, bad, *inner])
        store.commit([Discard(run_no, 1, under="task_1[4]")])
        assert list(store.tiles(run_no, 1)) == tiles_of([good])
        assert [*store.kinds(run_no, 1), *store.tiles(run_no, 2), *store.kinds(run_no, 2)] == []
        store.commit([a_failure(run_no, 4, "still no")])
        assert [kind.count for kind in store.kinds(run_no, 1)] == [1]
        store.commit([Discard(run_no, 1, whole=True)])
        assert [*store.tiles(run_no, 1), *store.kinds(run_no, 1)] == []

    def test_failed_items_of_one_kind_are_taken_back(self, store: Store) -> None:
        """With all that were cancelled; the others stay in their tiles and kinds."""
        run_no = store.create_run(a_run())
        kept = [an_item(run_no, 3), *(a_failure(run_no, 5 + 700 * at, "no") for at in range(3))]
        gone = [
            *(a_failure(run_no, 6 + 700 * at, "never", duration_s=9.0) for at in range(3)),
            an_item(run_no, 2_500, status=Status.CANCELLED, output=None),
        ]
        store.commit([a_task(run_no, 1, has_items=True), *kept, *gone])
        numbers = {kind.message: kind.number for kind in store.kinds(run_no, 1)}
        store.commit([Discard(run_no, 1, kind=numbers["never"])])
        assert list(store.items(run_no, 1)) == sorted(kept, key=lambda item: item.index)
        require_tiles(list(store.tiles(run_no, 1)), kept)
        (kind,) = store.kinds(run_no, 1)
        assert (kind.number, kind.count) == (numbers["no"], 3)
        store.commit([a_failure(run_no, 6, "never"), a_failure(run_no, 7, "why")])
        found = store.kinds(run_no, 1)
        assert len({each.number for each in found}) == 3
        assert store.items(run_no, 1, kind=found[0].number)[0].index == 5

    def test_an_item_is_a_byte(self, store: Store) -> None:
        """Also one of a kind that has no other: bits say how it ended, how often and how long."""
        run_no = store.create_run(a_run())
        items = [
            an_item(run_no, 2, duration_s=0.0005),
            a_failure(run_no, 3, "no", attempts=2, duration_s=0.005),
            an_item(run_no, 5, status=Status.CANCELLED, attempts=9, duration_s=1e9),
        ]
        store.commit(items)
        assert store.cells(run_no, 1, 1, 6) == bytes([0, 0b1, 0b110110, 0, 0b11111111])
        assert store.cells(run_no, 1, 3, 3) == b""
        for start, stop in ((5, 4), (-1, 4), (0, MOST_CELLS + 1)):
            with pytest.raises(ValueError, match="at most"):
                store.cells(run_no, 1, start, stop)

    def test_a_cell_tells_attempts_and_the_digits_of_a_duration(self, store: Store) -> None:
        """At each span that has a digit more, just below it, and for a clock that was set back."""
        run_no = store.create_run(a_run())
        spans = [-1.0, *(span for each in CELL_SPANS_S for span in (each * 0.999, each))]
        cases = [(attempts, span) for attempts in (0, 1, 2, 3, 4, 5, 250) for span in spans]
        items = [
            an_item(run_no, index, attempts=attempts, duration_s=span)
            for index, (attempts, span) in enumerate(cases)
        ]
        store.commit(items)
        assert store.cells(run_no, 1, 0, len(items)) == bytes(map(cell_of, items))

    def test_failed_items_are_found_in_both_directions(self, store: Store) -> None:
        """The next one, the last one before, and all of them up to a limit."""
        run_no = store.create_run(a_run())
        failed = [a_failure(run_no, index, "no") for index in (4, 7, 1_500)]
        cancelled = an_item(run_no, 8, status=Status.CANCELLED, output=None)
        store.commit([*failed, cancelled, an_item(run_no, 5), a_failure(run_no, 6, "", visit_no=2)])
        assert list(store.failed_indexes(run_no, 1)) == [4, 7, 1_500]
        assert list(store.failed_indexes(run_no, 1, limit=2)) == [4, 7]
        assert list(store.failed_indexes(run_no, 1, after=7, limit=1)) == [1_500]
        assert store.last_failed_before(run_no, 1, 1_500) == 7
        assert store.last_failed_before(run_no, 1, 4) is None

    def test_errors_of_one_type_and_shape_are_a_kind(self, store: Store) -> None:
        """It shows where they differ, counts on over commits, and gives the first as an example."""
        run_no = store.create_run(a_run())
        store.commit([a_failure(run_no, 9, "port 80 of 'a' is shut", label="nine")])
        (kind,) = store.kinds(run_no, 1)
        assert kind == ErrorKind(
            *(1, "Broken", "port 80 of 'a' is shut", 1, 9, "nine", "port 80 of 'a' is shut")
        )
        first = a_failure(run_no, 2, "port 80 of 'b' is shut")
        other = a_failure(run_no, 3, "port 80 of 'b' is shut", error=b'{"type":"X","message":"a"}')
        store.commit([other, a_failure(run_no, 12, "port 80 of 'c' is shut"), first])
        kinds = store.kinds(run_no, 1)
        assert list(kinds) == [
            ErrorKind(1, "Broken", "port 80 of TEXT is shut", 3, 2, None, "port 80 of 'b' is shut"),
            ErrorKind(2, "X", "a", 1, 3, None, "a"),
        ]
        assert [item.index for item in store.items(run_no, 1, kind=1)] == [2, 9, 12]
        assert [item.index for item in store.items(run_no, 1, kind=1, after=2, label="n")] == [9]
        assert [item.index for item in store.items(run_no, 1, kind=2)] == [3]
        assert list(store.items(run_no, 1, kind=2, status=Status.SUCCEEDED)) == []
        assert list(store.kinds(run_no, 1, limit=1)) == list(kinds[:1])

    def test_kinds_beyond_a_bound_are_one(self, store: Store) -> None:
        """It has the number 0, no type and no shape; kinds that are known are counted on."""
        run_no = store.create_run(a_run())
        words = [
            "".join(chr(97 + number // 26**place % 26) for place in range(3))
            for number in range(MAX_KINDS + 3)
        ]
        store.commit([a_failure(run_no, index, word) for index, word in enumerate(words[:-2])])
        store.commit(
            [a_failure(run_no, 5_000 + at, word) for at, word in enumerate([words[0], *words[-2:]])]
        )
        kinds = store.kinds(run_no, 1)
        others = next(kind for kind in kinds if kind.number == OTHER_KINDS)
        assert (others.type, others.shape, others.count, others.index) == ("", "", 3, MAX_KINDS)
        assert len(kinds) == MAX_KINDS + 1
        assert [item.index for item in store.items(run_no, 1, kind=OTHER_KINDS)] == [
            1_000,
            5_001,
            5_002,
        ]
        assert next(kind for kind in kinds if kind.shape == words[0]).count == 2

    def test_an_error_that_says_nothing_readable_has_a_kind(self, store: Store) -> None:
        """Also one with a NUL in it, which no store holds."""
        run_no = store.create_run(a_run())
        with_nul = b'{"type":"X","message":"a\\u0000b"}'
        errors = [b"[1]", with_nul]
        store.commit([a_failure(run_no, at, "", error=text) for at, text in enumerate(errors)])
        assert sorted(kind.shape for kind in store.kinds(run_no, 1)) == ["[1]", "ab"]

    def test_recorded_items_are_known_from_full_and_other_tiles(self, store: Store) -> None:
        """Whatever lies between them, and whether or not they have failed."""
        run_no = store.create_run(a_run())
        indexes = [*range(500, 3_000), 4_200, *range(7_000, 8_000)]
        bad = {900, 2_100, 7_005}
        store.commit(
            [a_failure(run_no, at, "no") if at in bad else an_item(run_no, at) for at in indexes]
        )
        found = store.recorded_items(run_no, 1)
        assert found == RecordedItems(Bitmap(indexes), len(indexes) - 3, 3, len(indexes))

    def test_the_latest_progress_of_a_visit_counts(self, store: Store) -> None:
        """Others keep theirs."""
        run_no = store.create_run(a_run())
        first = VisitProgress(run_no, 1, 10.0, None, 4, 0, 2.5)
        latest, other = replace(first, at=11.0, total=9), replace(first, visit_no=2)
        store.commit([first, other])
        store.commit([latest])
        assert store.progress(run_no) == {1: latest, 2: other}

    def test_the_visits_that_runs_are_at_work_on_come_with_their_tiles(self, store: Store) -> None:
        """Those whose progress is as new as that of any other of their run; of no other runs."""
        one, two, other = (store.create_run(a_run(each)) for each in "abc")
        old = VisitProgress(one, 1, 10.0, 9, 1, 0, 2.5)
        new = [
            VisitProgress(one, 2, 12.5, None, 4, 0, 2.5),
            VisitProgress(one, 3, 14.0, 7, 4, 0, 2.5),
            VisitProgress(two, 1, 5.0, 1, 1, 0, 0.0),
        ]
        store.commit([old, *new, replace(old, run_no=other)])
        items = [an_item(one, at) for at in (0, 1_000)] + [a_failure(one, 5, "no")]
        store.commit([replace(each, visit_no=visit) for visit in (1, 3) for each in items])
        found = dict(store.in_work([one, two], told_s=2.0))
        assert list(found) == sorted(new, key=lambda each: (each.run_no, each.visit_no))
        assert found[new[0]] == found[new[2]] == Tile(0)
        assert found[new[1]] == store.tile_totals(one, 3)
        assert (found[new[1]].succeeded, found[new[1]].failed) == (2, 1)
        assert store.in_work([], told_s=2.0) == []

    def test_each_commit_of_a_run_moves_its_head(self, store: Store) -> None:
        """Whatever is in it; heads of others stay."""
        one, two = store.create_run(a_run("a")), store.create_run(a_run("b"))
        before = store.heads([one, two])
        assert before == Heads({one: 0, two: 0}, two)
        groups: list[list[Record]] = [
            [an_event(one, 1)],
            [an_item(one, 0)],
            [a_task(one)],
            [a_log(one)],
            [VisitProgress(one, 1, 1.0, None, 0, 0, 0.0)],
            [Discard(one, 1)],
            [replace(a_run("a"), run_no=one)],
        ]
        for number, group in enumerate(groups, start=1):
            store.commit(group)
            assert store.heads([one, two]).runs == {one: number, two: 0}

    def test_what_others_do_with_a_run_moves_its_head(self, store: Store) -> None:
        """It is taken, asked for something, given back, ordered and declined; then deleted."""
        run_no = store.create_run(a_run(status=Status.FAILED))
        engine_no = store.enroll(an_owner())
        seen = [store.heads([run_no])]
        lease = store.acquire(run_no, engine_no)
        assert lease is not None
        seen.append(store.heads([run_no]))
        store.send(run_no, RunRequest.of(RequestKind.PAUSE, "ada"))
        seen.append(store.heads([run_no]))
        store.release(run_no, lease.token)
        seen.append(store.heads([run_no]))
        run = store.run("run-1")
        assert run is not None
        order = RunOrder(kind=OrderKind.RETRY, by="ada")
        assert store.order(run, order, Submission(), after=lease.token)
        seen.append(store.heads([run_no]))
        store.decline(run_no, "its file has changed")
        seen.append(store.heads([run_no]))
        assert store.delete_run(next(iter(store.ended_runs())))
        seen.append(store.heads([run_no]))
        assert all(one != other for one, other in pairwise(seen))
        assert seen[-1] == Heads({run_no: 0}, 0)

    def test_a_watcher_hears_of_a_change(self, store: Store) -> None:
        """Of its runs and of new ones; without any it is told so in time."""
        run_no = store.create_run(a_run("a"))
        seen = store.heads([run_no])
        assert store.await_heads(seen, 0.0) == seen
        assert store.await_heads(Heads({run_no: 7}, run_no), 60.0) == seen
        with ThreadPoolExecutor(1) as pool:
            heard = pool.submit(store.await_heads, seen, 60.0)
            store.commit([an_item(run_no, 0)])
            seen = heard.result()
            assert seen.runs == {run_no: 1}
            heard = pool.submit(store.await_heads, seen, 60.0)
            other = store.create_run(a_run("b"))
            assert heard.result() == Heads({run_no: 1}, other)
