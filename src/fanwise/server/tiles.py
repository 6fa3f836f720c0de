"""The items of a task as a whole: tiles from afar, a byte for each item from near, failed ones."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from fanwise.errors import RunNotFoundError, TaskNotFoundError, UsageError
from fanwise.model import TILE_ITEMS, Role, VisitRecord
from fanwise.ports import MOST_CELLS
from fanwise.server import tags
from fanwise.server.finding import fan_out_of, run_of
from fanwise.server.problems import Refusal
from fanwise.server.routes import Answer, Call, Fields, Route, json_answer

MOST_FAILURES: Final = 20_000
"""The most failed items that are told one by one."""

_tiles = re.compile(r"(\d{1,9})-(\d{1,9})", re.ASCII).fullmatch
_ERRORS: Final = (RunNotFoundError, TaskNotFoundError, UsageError)


class TileCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The items of a task by tiles of `size` indexes: how many of each have ended, and how.

    `total` is the number of all items, null while it isn't known. `failures` are the indexes of
    those that failed, null if there are too many.
    """

    size: int
    total: int | None
    succeeded: list[int]
    failed: list[int]
    cancelled: list[int]
    failures: list[int] | None


class CellsQuery(Fields, frozen=True):
    """The first and the last of the tiles that are meant, such as `500-519`."""

    tiles: str


class NeighbourQuery(Fields, frozen=True):
    """The index that a failed item is looked for after, or before."""

    after: int | None = None
    before: int | None = None


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """The index of a failed item, null if there is none."""

    index: int | None


def get_tiles(call: Call) -> Answer:
    """Tell how many items of each tile of a task have ended, and which have failed."""
    visit, store = _visit(call), call.parts.store
    found = store.tiles(visit.run_no, visit.visit_no)
    total = visit.items.total if visit.items is not None else visit.items_total
    length = max((found[-1].number + 1) if found else 0, -(-(total or 0) // TILE_ITEMS))
    counts = TileCounts(
        size=TILE_ITEMS,
        total=total,
        succeeded=[0] * length,
        failed=[0] * length,
        cancelled=[0] * length,
        failures=_failures(call, visit, sum(tile.failed for tile in found)),
    )
    for tile in found:
        counts.succeeded[tile.number] = tile.succeeded
        counts.failed[tile.number] = tile.failed
        counts.cancelled[tile.number] = tile.cancelled
    return json_answer(counts)


def get_cells(call: Call) -> Answer:
    """Give a byte for each item of some tiles: its status, its attempts and its duration.

    Bits 0 and 1 are the status (0 not recorded, 1 succeeded, 2 failed, 3 cancelled), bits 2 and 3
    the attempts less one, at most 3, and bits 4 to 7 the binary digits of its milliseconds.
    """
    visit, named = _visit(call), _tiles(call.query(CellsQuery).tiles)
    first, last = (int(named[1]), int(named[2])) if named else (0, -1)
    if first > last or (last - first + 1) * TILE_ITEMS > MOST_CELLS:
        most = MOST_CELLS // TILE_ITEMS
        raise Refusal(400, "bad-request", f"`tiles` takes at most {most} tiles, such as 500-519.")
    start, stop = first * TILE_ITEMS, (last + 1) * TILE_ITEMS
    found = call.parts.store.cells(visit.run_no, visit.visit_no, start, stop)
    return Answer(found, "application/octet-stream")


def get_failed(call: Call) -> Answer:
    """Find the next failed item after an index, or the last one before it."""
    visit, query, store = _visit(call), call.query(NeighbourQuery), call.parts.store
    if query.before is not None:
        found = store.last_failed_before(visit.run_no, visit.visit_no, query.before)
        return json_answer(Neighbour(index=found))
    after = -1 if query.after is None else query.after
    following = store.failed_indexes(visit.run_no, visit.visit_no, after=after, limit=1)
    return json_answer(Neighbour(index=following[0] if following else None))


def _visit(call: Call) -> VisitRecord:
    return fan_out_of(call, run_of(call))


def _failures(call: Call, visit: VisitRecord, count: int) -> list[int] | None:
    if count > MOST_FAILURES:
        return None
    found = call.parts.store.failed_indexes(visit.run_no, visit.visit_no, limit=MOST_FAILURES)
    return list(found)


_TASK: Final = "/api/v1/runs/{run_id}/tasks/{task}"

ROUTES: Final = (
    Route(
        method="GET",
        path=f"{_TASK}/tiles",
        handler=get_tiles,
        tag=tags.of_records,
        role=Role.READ,
        answer=TileCounts,
        errors=_ERRORS,
    ),
    Route(
        method="GET",
        path=f"{_TASK}/cells",
        handler=get_cells,
        tag=tags.of_records,
        role=Role.READ,
        query=CellsQuery,
        errors=_ERRORS,
    ),
    Route(
        method="GET",
        path=f"{_TASK}/failed",
        handler=get_failed,
        role=Role.READ,
        query=NeighbourQuery,
        answer=Neighbour,
        errors=_ERRORS,
    ),
)
