"""The statements of tiles, kinds of errors, progress and heads; see `fanwise.stores.statements`."""

from __future__ import annotations

from collections.abc import Collection

from fanwise.model import CELL_SPANS_S, Status
from fanwise.stores.database import Insert, Statement
from fanwise.stores.schema import NOT_SUCCEEDED, kinds, progress, tiles

_OF_VISIT = "run_no = :run_no AND visit_no = :visit_no"


_LONGER = "CASE WHEN excluded.longest_s > tiles.longest_s THEN excluded.longest_s"

INSERT_TILES = Insert(
    tiles,
    replaces=tiles.key,
    merges={
        **{name: f"tiles.{name} + excluded.{name}" for name in ("items", "attempts", "busy_s")},
        "longest_s": f"{_LONGER} ELSE tiles.longest_s END",  # the functions have no name in common
    },
)
INSERT_KINDS = Insert(kinds, replaces=kinds.key)

DELETE_HEAD = "DELETE FROM heads WHERE run_no = :run_no"

# Readers

_COUNTS = [
    f"sum(CASE status WHEN '{status.value}' THEN items ELSE 0 END)"
    for status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)
]
_SUMS = f"{', '.join(_COUNTS)}, sum(attempts), sum(busy_s), max(longest_s)"
TILES = f"SELECT tile, {_SUMS} FROM tiles WHERE {_OF_VISIT} GROUP BY tile ORDER BY tile"
TILE_TOTALS = f"SELECT 0, {_SUMS} FROM tiles WHERE {_OF_VISIT} GROUP BY visit_no"
SLOWEST_TILES = (
    f"SELECT tile FROM tiles WHERE {_OF_VISIT}"
    " GROUP BY tile ORDER BY max(longest_s) DESC, tile LIMIT :limit"
)
TILE_COUNTS = f"SELECT tile, sum(items) FROM tiles WHERE {_OF_VISIT} GROUP BY tile ORDER BY tile"

KINDS_TO_NUMBER = (
    f"SELECT kind_no, type, shape, parts, items, idx, label, message FROM kinds WHERE {_OF_VISIT}"
)
KINDS = f"{KINDS_TO_NUMBER} ORDER BY items DESC, idx LIMIT :limit"

PROGRESS = f"SELECT {', '.join(progress.columns)} FROM progress WHERE run_no = :run_no"

# A row for each item would cost more than all else: each step of the driver lets go of the
# interpreter, and takes it again. So the cells come as one text, with their indexes, as some items
# may be missing.
_STATUS_BITS = (
    f"CASE status WHEN '{Status.SUCCEEDED.value}' THEN 1 WHEN '{Status.FAILED.value}' THEN 2"
    " ELSE 3 END"
)
_ATTEMPT_BITS = "CASE WHEN attempts > 3 THEN 12 WHEN attempts > 1 THEN attempts * 4 - 4 ELSE 0 END"


def _span_bits(low: int, high: int) -> str:
    """The bits of a duration that has from `low` to `high` digits, by halves."""
    if low == high:
        return str(low << 4)
    middle = (low + high) // 2
    shorter, longer = _span_bits(low, middle), _span_bits(middle + 1, high)
    return f"CASE WHEN duration_s < {CELL_SPANS_S[middle]} THEN {shorter} ELSE {longer} END"


_SPAN_BITS = _span_bits(0, len(CELL_SPANS_S))
CELLS = (
    f"SELECT string_agg(CAST(256 * idx + {_STATUS_BITS} + {_ATTEMPT_BITS} + {_SPAN_BITS} AS TEXT),"
    f" ',') FROM items WHERE {_OF_VISIT} AND idx >= :start AND idx < :stop"
)
_FAILED = (
    f"SELECT idx FROM items WHERE {_OF_VISIT}"
    f" AND status = '{Status.FAILED.value}' AND {NOT_SUCCEEDED}"
)
FAILED_INDEXES = f"{_FAILED} AND idx > :after ORDER BY idx LIMIT :limit"
FAILED_BEFORE = f"{_FAILED} AND idx < :before ORDER BY idx DESC LIMIT 1"

NEWEST_RUN = "SELECT coalesce(max(run_no), 0) FROM runs"


def in_work_of(run_nos: Collection[int]) -> Statement:
    """The visits whose progress is among the newest of runs, each with its tiles added up."""
    columns = ", ".join(f"progress.{name}" for name in progress.columns)
    newest = "SELECT max(at) FROM progress AS told WHERE told.run_no = progress.run_no"
    return (
        f"SELECT {columns}, {_SUMS} FROM progress"
        " LEFT JOIN tiles ON tiles.run_no = progress.run_no AND tiles.visit_no = progress.visit_no"
        f" WHERE progress.run_no IN ({_numbers(run_nos)})"
        f" AND at > ({newest}) - CAST(:told_s AS DOUBLE PRECISION)"
        " GROUP BY progress.run_no, progress.visit_no ORDER BY progress.run_no, progress.visit_no"
    )


def heads_of(run_nos: Collection[int]) -> Statement:
    """The numbers of changes of runs: of their events, and of those without an event.

    A step is a commit with an event, and needs no page of the table `heads`.
    """
    others = "SELECT seq FROM heads WHERE heads.run_no = runs.run_no"
    events = "SELECT seq FROM events WHERE events.run_no = runs.run_no ORDER BY seq DESC LIMIT 1"
    return (
        f"SELECT run_no, coalesce(({others}), 0) + coalesce(({events}), 0)"
        f" FROM runs WHERE run_no IN ({_numbers(run_nos)})"
    )


def _numbers(run_nos: Collection[int]) -> str:
    return ", ".join([str(int(run_no)) for run_no in run_nos])
