"""The ports `Tiles` and `Changes` over a database."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from fanwise.model import ErrorKind, Tile, VisitProgress
from fanwise.ports import MOST_CELLS, Heads
from fanwise.stores import tile_rows, tile_statements
from fanwise.stores.database import Database, Reader
from fanwise.stores.parts import in_parts
from fanwise.stores.rows import Row

_PAGE_RUNS = 1_000


class SqlTiles:
    """The port `Tiles` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tiles(self, run_no: int, visit_no: int) -> Sequence[Tile]:
        """The task's tiles in the order of their numbers; see `Tiles.tiles`."""
        found = self._database.read(tile_statements.TILES, run_no=run_no, visit_no=visit_no)
        return [Tile(*row) for row in found]

    def tile_totals(self, run_no: int, visit_no: int) -> Tile:
        """The task's tiles added up; see `Tiles.tile_totals`."""
        found = self._database.read(tile_statements.TILE_TOTALS, run_no=run_no, visit_no=visit_no)
        return tile_rows.to_totals(found)

    def cells(self, run_no: int, visit_no: int, start: int, stop: int) -> bytes:
        """A byte for each of these indexes; see `Tiles.cells`."""
        if not 0 <= start <= stop <= start + MOST_CELLS:
            raise ValueError(f"cells from {start} to {stop}: at most {MOST_CELLS:,} at once")
        key = {"run_no": run_no, "visit_no": visit_no}
        found = self._database.read(tile_statements.CELLS, **key, start=start, stop=stop)
        return tile_rows.to_cells(found[0][0], start, stop)

    def failed_indexes(
        self, run_no: int, visit_no: int, *, after: int = -1, limit: int = 20_000
    ) -> Sequence[int]:
        """The first indexes of items that have failed; see `Tiles.failed_indexes`."""
        key = {"run_no": run_no, "visit_no": visit_no}
        query = tile_statements.FAILED_INDEXES
        return [index for (index,) in self._database.read(query, **key, after=after, limit=limit)]

    def last_failed_before(self, run_no: int, visit_no: int, index: int) -> int | None:
        """The failed item next before an index; see `Tiles.last_failed_before`."""
        key = {"run_no": run_no, "visit_no": visit_no}
        found = self._database.read(tile_statements.FAILED_BEFORE, **key, before=index)
        return int(found[0][0]) if found else None

    def kinds(self, run_no: int, visit_no: int, *, limit: int = 1_001) -> Sequence[ErrorKind]:
        """The kinds of errors, the most frequent first; see `Tiles.kinds`."""
        key = {"run_no": run_no, "visit_no": visit_no}
        found = self._database.read(tile_statements.KINDS, **key, limit=limit)
        return [tile_rows.to_kind(row) for row in found]

    def progress(self, run_no: int) -> Mapping[int, VisitProgress]:
        """The latest progress of the run's visits; see `Tiles.progress`."""
        found = self._database.read(tile_statements.PROGRESS, run_no=run_no)
        return {row[1]: VisitProgress(*row) for row in found}

    def in_work(
        self, run_nos: Collection[int], *, told_s: float
    ) -> Sequence[tuple[VisitProgress, Tile]]:
        """The visits that runs are at work on; see `Tiles.in_work`."""
        found: list[Row] = []
        for some in in_parts(list(run_nos), _PAGE_RUNS):
            found += self._database.read(tile_statements.in_work_of(some), told_s=told_s)
        return [tile_rows.to_in_work(row) for row in found]


class SqlChanges:
    """The port `Changes` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def heads(self, run_nos: Collection[int]) -> Heads:
        """The state of these runs."""
        numbers = list(run_nos)

        def read(reader: Reader) -> Heads:
            ((newest,),) = reader.read(tile_statements.NEWEST_RUN)
            found = dict.fromkeys(numbers, 0)
            for some in in_parts(numbers, _PAGE_RUNS):
                found.update(dict(reader.read(tile_statements.heads_of(some))))
            return Heads(found, newest)

        return self._database.reading(read)

    def await_heads(self, seen: Heads, timeout_s: float) -> Heads:
        """Block until the state of runs is another one; see `Changes.await_heads`."""
        until = time.monotonic() + timeout_s
        while True:
            stamp = self._database.stamp()  # before the look: a later change has another one
            found = self.heads(seen.runs)
            if found != seen:
                return found
            if not self._database.await_stamp(stamp, until - time.monotonic()):
                return found
