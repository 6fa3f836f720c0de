"""Tiles and kinds are those of the items, after any history of commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fanwise.errors import RecordRefusedError
from fanwise.model import Discard, ItemOutcome, Record, Status
from fanwise.shapes import agreed, shown, split
from fanwise.stores import Store, open_store
from fanwise.testing.records import a_run, a_task, an_item
from fanwise.testing.tiles_contract import cell_of, require_exact_tiles, require_tiles
from fanwise.values import decode, encode

_numbers = count()

INDEXES = [0, 1, 2, 998, 999, 1_000, 1_001, 5_000_000]
MESSAGES = ["no", "port 80 of 'a'", "port 80 of 'b'", "port 81 of 'a'", "N", "status 404"]


def an_outcome(visit_no: int, index: int, message: str | None, **values: object) -> ItemOutcome:
    """An item that failed with a message, or that succeeded without one."""
    if message is None:
        return an_item(1, index, visit_no=visit_no, **values)
    error = encode({"type": "E" if len(message) > 2 else "F", "message": message})
    failed = {"status": Status.FAILED, "output": None, "error": error}
    return an_item(1, index, visit_no=visit_no, **failed, **values)


items = st.builds(
    an_outcome,
    st.integers(1, 3),
    st.sampled_from(INDEXES),
    st.none() | st.sampled_from(MESSAGES),
    attempts=st.integers(1, 3),
    duration_s=st.floats(0, 100),
    label=st.none() | st.just("l"),
)
cancelled = st.builds(
    lambda visit_no, index: an_item(
        1, index, visit_no=visit_no, status=Status.CANCELLED, output=None
    ),
    st.integers(1, 3),
    st.sampled_from(INDEXES),
)
# The visits 2 and 3 are steps of a child of the item 0 of the first one.
discards = st.builds(
    Discard,
    st.just(1),
    visit_no=st.none() | st.integers(1, 2),
    under=st.sampled_from(["", "task_1[0]"]),
    whole=st.booleans(),
)
commits = st.lists(st.lists(items | cancelled | discards, max_size=8), max_size=6)
VISITS = [
    a_task(1, 1, has_items=True),
    a_task(1, 2, path="task_1[0].a", has_items=True),
    a_task(1, 3, path="task_1[0].b", has_items=True),
]


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store, in which each example has a run of its own."""
    is_file = request.param == "sqlite"
    url = str(tmp_path / "fanwise.db") if is_file else request.getfixturevalue("postgres_url")()
    with open_store(url) as opened:
        yield opened


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(commits)
def test_tiles_and_kinds_are_those_of_the_items(
    store: Store, groups: Sequence[Sequence[Record]]
) -> None:
    """After each commit, whether it adds, takes back, or is refused; on both databases."""
    run_id = f"run-{next(_numbers)}"
    run_no = store.create_run(a_run(run_id))
    for group in groups:
        try:
            store.commit([replace(record, run_no=run_no) for record in (*VISITS, *group)])
        except RecordRefusedError:
            continue
        require_exact_tiles(store, run_id)
        for visit_no in (1, 2, 3):
            require_visit(store, run_no, visit_no)


def require_visit(store: Store, run_no: int, visit_no: int) -> None:
    """What each reader gives is what the items say."""
    found = store.items(run_no, visit_no)
    failed = [item for item in found if item.status is Status.FAILED]
    tiles = store.tiles(run_no, visit_no)
    require_tiles(tiles, found)
    total = store.tile_totals(run_no, visit_no)
    assert total.items == len(found)
    assert (total.failed, total.attempts) == (len(failed), sum(item.attempts for item in found))
    assert list(store.failed_indexes(run_no, visit_no)) == [item.index for item in failed]
    recorded = store.recorded_items(run_no, visit_no)
    assert list(recorded.indexes) == [item.index for item in found]
    cells = store.cells(run_no, visit_no, 0, 1_002)
    for item in found:
        if item.index < len(cells):
            assert cells[item.index] == cell_of(item)
    assert sum(1 for each in cells if each) == sum(item.index < len(cells) for item in found)
    require_kinds(store, run_no, visit_no, failed)


def require_kinds(store: Store, run_no: int, visit_no: int, failed: Sequence[ItemOutcome]) -> None:
    by_kind: dict[tuple[object, ...], list[ItemOutcome]] = defaultdict(list)
    for item in failed:
        error = decode(item.error or b"")
        by_kind[error["type"], split(error["message"])[0]].append(item)
    expected = set()
    for (type_, shape), of_kind in by_kind.items():
        messages = [decode(item.error or b"")["message"] for item in of_kind]
        parts: Sequence[str | None] = split(messages[0])[1]
        for message in messages:
            parts = agreed(parts, split(message)[1])
        first = of_kind[0]
        text = shown(shape, parts)
        expected.add((type_, text, len(of_kind), first.index, first.label, messages[0]))
    kinds = store.kinds(run_no, visit_no)
    assert expected == {(k.type, k.shape, k.count, k.index, k.label, k.message) for k in kinds}
    assert [kind.count for kind in kinds] == sorted((k.count for k in kinds), reverse=True)
    for kind in kinds:
        of_kind = store.items(run_no, visit_no, kind=kind.number)
        assert [item.index for item in of_kind][:1] == [kind.index]
        assert len(of_kind) == kind.count
