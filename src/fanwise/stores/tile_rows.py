"""Tiles and kinds of errors of the items in one commit, and rows of tiles and kinds as records.

Millions of items pass through `add_tiles` while the event loop waits for the same interpreter, so
the items of a tile are added up as a whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, TypeAlias, cast

import msgspec
from msgspec import json

from fanwise.model import (
    MAX_KINDS,
    OTHER_KINDS,
    TILE_ITEMS,
    ErrorKind,
    ItemOutcome,
    Tile,
    VisitProgress,
)
from fanwise.shapes import MESSAGE_LENGTH, Parts, agreed, shown, split
from fanwise.stores import statements
from fanwise.stores.database import Insert
from fanwise.stores.rows import Row, Rows, SqlValue
from fanwise.stores.schema import progress

TileKey: TypeAlias = tuple[int, int, int, str]
"""The run, the visit, the tile's number and the status of its items."""

TileSums: TypeAlias = tuple[int, int, float, float]
"""Items, attempts, the time that their last attempts took together, and the longest one."""

_NO_SUMS: TileSums = 0, 0, 0.0, 0.0
_PROGRESS_COLUMNS: Final = len(progress.columns)


class _Error(msgspec.Struct):
    type: str
    message: str


_read_error = json.Decoder(_Error).decode
_read_numbers = json.Decoder(list[int]).decode


def add_tiles(tiles: dict[TileKey, TileSums], values: Sequence[SqlValue], width: int) -> None:
    """Add the items of rows, whose values stand one row after the other, to their tiles."""
    run_nos = cast("Sequence[int]", values[::width])
    visit_nos = cast("Sequence[int]", values[1::width])
    indexes = cast("Sequence[int]", values[2::width])
    of_status = cast("Sequence[str]", values[3::width])
    attempts = cast("Sequence[int]", values[4::width])
    spans = cast("Sequence[float]", values[6::width])
    for begin, end in _alike(run_nos, visit_nos, of_status):
        key = run_nos[begin], visit_nos[begin], of_status[begin]
        _add_alike(tiles, key, indexes[begin:end], attempts[begin:end], spans[begin:end])


def _alike(*columns: Sequence[int | str]) -> Iterator[tuple[int, int]]:
    """The spans of rows that have the same values in all columns; usually it is one."""
    count = len(columns[0])
    if count and all([column.count(column[0]) == count for column in columns]):
        yield 0, count
        return
    begin = 0
    for _, alike in groupby(zip(*columns, strict=True)):
        end = begin + len(list(alike))
        yield begin, end
        begin = end


def _add_alike(
    tiles: dict[TileKey, TileSums],
    key: tuple[int, int, str],
    indexes: Sequence[int],
    attempts: Sequence[int],
    spans: Sequence[float],
) -> None:
    """Add items of one visit that ended in one way, with the time that each last attempt took."""
    run_no, visit_no, status = key
    are_ordered = indexes == sorted(indexes)  # as they mostly are
    begin = 0
    while begin < len(indexes):
        number = indexes[begin] // TILE_ITEMS
        stop = (number + 1) * TILE_ITEMS
        end = bisect_left(indexes, stop, begin) if are_ordered else _leaving(indexes, begin, stop)
        tile, took = (run_no, visit_no, number, status), spans[begin:end]
        count, tries, busy_s, longest_s = tiles.get(tile, _NO_SUMS)
        tiles[tile] = (
            count + end - begin,
            tries + sum(attempts[begin:end]),
            busy_s + sum(took),
            max(longest_s, max(took)),
        )
        begin = end


def _leaving(indexes: Sequence[int], begin: int, stop: int) -> int:
    """The place of the first index from `begin` on that isn't in the tile before `stop`."""
    start = stop - TILE_ITEMS
    for place in range(begin, len(indexes)):
        if not start <= indexes[place] < stop:
            return place
    return len(indexes)


class Along:
    """The rows that are written along with a commit, of tiles and kinds, and the runs in it.

    `kinds` are those of each run and visit, which get their numbers in the transaction.
    """

    __slots__ = ("kinds", "runs", "tiles")

    def __init__(self, written: Rows) -> None:
        tiles: dict[TileKey, TileSums] = {}
        for insert, values in (
            (statements.INSERT_SHORT_ITEMS, written.short_items),
            (statements.INSERT_LABELLED_ITEMS, written.labelled_items),
            (statements.INSERT_ITEMS, written.items),
        ):
            if values:
                add_tiles(tiles, values, len(insert.columns))
        self.tiles: list[SqlValue] = []
        for key, sums in tiles.items():
            self.tiles += (*key, *sums)
        self.kinds: dict[tuple[int, int], VisitKinds] = {}
        for item, place in written.failed:
            add_kind(self.kinds, item, place)
        self.runs = _changed_runs(written, tiles)


def _changed_runs(written: Rows, tiles: Iterable[TileKey]) -> set[int]:
    """The runs of which a commit writes anything, but no event, which moves their heads as well."""
    runs = {each.run_no for each in written.discards} | {key[0] for key in tiles}
    for insert, values in (
        (statements.INSERT_RUNS, written.runs),
        (statements.INSERT_TASKS, written.tasks),
        (statements.INSERT_SHORT_TASKS, written.short_tasks),
        (statements.INSERT_LOGS, written.logs),
        (statements.INSERT_SLEEPS, written.sleeps),
        (statements.INSERT_PROGRESS, written.progress),
    ):
        runs.update(_runs_of(insert, values))
    return runs - _runs_of(statements.INSERT_EVENTS, written.events)


def _runs_of(insert: Insert, values: Sequence[SqlValue]) -> set[int]:
    return {int(str(run_no)) for run_no in values[:: len(insert.columns)]}


class KindRows:
    """Errors of one kind in a commit. `places` are those of their `kind_no` among all values."""

    __slots__ = ("count", "first", "message", "parts", "places", "shape", "type")

    def __init__(
        self, type_: str, shape: str, parts: Parts, first: ItemOutcome, message: str
    ) -> None:
        self.type = type_
        self.shape = shape
        self.parts = parts
        self.first = first
        self.message = message
        self.count = 0
        self.places: list[int] = []

    def add(
        self, parts: Parts, item: ItemOutcome, message: str, count: int, places: Sequence[int]
    ) -> None:
        """Count items that have failed in this way, of which `item` is the first."""
        self.count += count
        self.places += places
        self.parts = agreed(self.parts, parts)
        if item.index < self.first.index:
            self.first, self.message = item, message

    def row(self, kind_no: int, found: Row | None) -> Row:
        """The row of the kind, which has the row `found` already, or none."""
        first, count, parts = self.first, self.count, self.parts
        example: Row = (first.index, first.label, self.message)
        if found is not None:
            _, _, _, found_parts, found_count, *found_example = found
            count += found_count
            parts = agreed(parts, json.decode(found_parts))
            if found_example[0] < first.index:
                example = tuple(found_example)
        names = first.run_no, first.visit_no, kind_no, self.type, self.shape
        return (*names, _json(parts), count, *example)


VisitKinds: TypeAlias = dict[tuple[str, str], KindRows]
"""The kinds of a visit by type and shape."""

_OTHERS = "", "[]"  # no message has a shape without any text


def add_kind(kinds: dict[tuple[int, int], VisitKinds], item: ItemOutcome, place: int) -> None:
    """Count an item that has failed among the kinds of its visit."""
    if item.error is None:
        return
    try:
        error = _read_error(item.error)
    except msgspec.MsgspecError:  # of a type of its own, so that every failure has a kind
        error = _Error("", item.error.decode())
    type_, message = error.type.replace("\0", ""), error.message[:MESSAGE_LENGTH].replace("\0", "")
    shape, parts = split(message)
    key = type_, _json(shape)
    of_visit = kinds.setdefault((item.run_no, item.visit_no), {})
    if key not in of_visit:
        of_visit[key] = KindRows(*key, parts, item, message)
    of_visit[key].add(parts, item, message, 1, (place,))


def number_kinds(kinds: VisitKinds, found: Sequence[Row]) -> tuple[list[SqlValue], dict[int, int]]:
    """Return the rows of a visit's kinds, and the `kind_no` for each place among the items' values.

    `found` are the rows that the visit has already.
    """
    known = {(row[1], row[2]): row for row in found}
    used = max((row[0] for row in found), default=0)
    values: list[SqlValue] = []
    numbers: dict[int, int] = {}
    others: KindRows | None = None
    for key, kind in kinds.items():
        row = known.get(key)
        if row is None and used >= MAX_KINDS:
            if others is None:
                others = KindRows(*_OTHERS, (), kind.first, kind.message)
            others.add((), kind.first, kind.message, kind.count, kind.places)
            continue
        used += row is None
        kind_no = used if row is None else row[0]
        values += kind.row(kind_no, row)
        numbers |= dict.fromkeys(kind.places, kind_no)
    if others is not None:
        values += others.row(OTHER_KINDS, known.get(_OTHERS))
        numbers |= dict.fromkeys(others.places, OTHER_KINDS)
    return values, numbers


def to_totals(rows: Sequence[Row]) -> Tile:
    """Return the tile of the only row, or an empty tile if there is none."""
    return Tile(*rows[0]) if rows else Tile(0)


def to_in_work(row: Row) -> tuple[VisitProgress, Tile]:
    """Return the progress of a visit with its tiles added up; it may have none yet."""
    told = VisitProgress(*row[:_PROGRESS_COLUMNS])
    return told, Tile(0, *(each or 0 for each in row[_PROGRESS_COLUMNS:]))


def to_kind(row: Row) -> ErrorKind:
    """Return the kind of a row of `kinds`."""
    kind_no, type_, shape, parts, count, index, label, message = row
    text = shown(json.decode(shape), json.decode(parts))
    return ErrorKind(kind_no, type_, text, count, index, label, message)


def to_cells(text: str | None, start: int, stop: int) -> bytes:
    """Return a byte for each index from `start` to before `stop`.

    `text` has those of the items that are recorded, each with 256 times its index.
    """
    cells = bytearray(stop - start)
    for number in _read_numbers(f"[{text or ''}]"):
        cells[(number >> 8) - start] = number & 255
    return bytes(cells)


def _json(value: Sequence[str | None]) -> str:
    return json.encode(value).decode()
