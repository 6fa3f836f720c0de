"""Items are summed up in tiles, their errors counted by kinds, and changes of runs numbered.

Tiles and kinds of the items that are there are made here, so that all stores have them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa
from alembic import op

from fanwise.model import ItemOutcome, Status
from fanwise.stores.tile_rows import VisitKinds, add_kind, number_kinds

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_TILES = """
INSERT INTO tiles (run_no, visit_no, tile, status, items, attempts, busy_s, longest_s)
SELECT run_no, visit_no, idx / 1000, status, count(*), sum(attempts), sum(duration_s),
    max(duration_s)
FROM items GROUP BY run_no, visit_no, idx / 1000, status
"""
_VISITS = """
SELECT DISTINCT run_no, visit_no FROM items WHERE status != 'succeeded' AND status = 'failed'
"""
_FAILED = """
SELECT idx, error, label FROM items
WHERE run_no = :run_no AND visit_no = :visit_no AND status = 'failed' AND status != 'succeeded'
    AND idx > :after ORDER BY idx LIMIT 1000
"""
_KINDS = """
SELECT kind_no, type, shape, parts, items, idx, label, message FROM kinds
WHERE run_no = :run_no AND visit_no = :visit_no
"""
_DROP = """
DELETE FROM kinds WHERE run_no = :run_no AND visit_no = :visit_no AND kind_no = :kind_no
"""
_SET_KIND = """
UPDATE items SET kind_no = :kind_no WHERE run_no = :run_no AND visit_no = :visit_no AND idx = :idx
"""


_Type = type[sa.BigInteger] | type[sa.Double[float]] | type[sa.Text]


def upgrade() -> None:
    """Add the tables and the column, and fill them."""
    number: _Type = sa.BigInteger
    time: _Type = sa.Double
    text: _Type = sa.Text
    _table(
        "tiles",
        ["run_no", "visit_no", "tile", "status"],
        {
            **dict.fromkeys(("run_no", "visit_no", "tile"), number),
            "status": text,
            **dict.fromkeys(("items", "attempts"), number),
            **dict.fromkeys(("busy_s", "longest_s"), time),
        },
        fillfactor=70,
    )
    kinds = _table(
        "kinds",
        ["run_no", "visit_no", "kind_no"],
        {
            **dict.fromkeys(("run_no", "visit_no", "kind_no"), number),
            **dict.fromkeys(("type", "shape", "parts"), text),
            **dict.fromkeys(("items", "idx"), number),
            **dict.fromkeys(("label", "message"), text),
        },
        nullable=("label",),
    )
    _table(
        "progress",
        ["run_no", "visit_no"],
        {
            **dict.fromkeys(("run_no", "visit_no"), number),
            "at": time,
            **dict.fromkeys(("total", "running", "waiting"), number),
            "per_s": time,
        },
        nullable=("total",),
        fillfactor=50,
    )
    _table(
        "heads",
        ["run_no"],
        {"run_no": number, "seq": number},
        clustered=False,
        fillfactor=50,
    )
    op.add_column("items", sa.Column("kind_no", number))
    op.execute(_TILES)
    _fill_kinds(op.get_bind(), kinds)
    where = sa.text("kind_no IS NOT NULL")
    op.create_index(
        "items_of_kinds",
        "items",
        ["run_no", "visit_no", "kind_no", "idx"],
        sqlite_where=where,
        postgresql_where=where,
    )


def _table(
    name: str,
    key: Sequence[str],
    columns: Mapping[str, _Type],
    *,
    nullable: Sequence[str] = (),
    clustered: bool = True,
    fillfactor: int | None = None,
) -> sa.Table:
    return op.create_table(
        name,
        *(
            sa.Column(column, kind, nullable=column in nullable, autoincrement=False)
            for column, kind in columns.items()
        ),
        sa.PrimaryKeyConstraint(*key, name=f"{name}_key"),
        sqlite_with_rowid=not clustered,
        postgresql_with={} if fillfactor is None else {"fillfactor": fillfactor},
    )


def _fill_kinds(connection: sa.Connection, table: sa.Table) -> None:
    """Count the failed items of each visit by kinds, a page at a time."""
    for run_no, visit_no in connection.execute(sa.text(_VISITS)).fetchall():
        visit = {"run_no": run_no, "visit_no": visit_no}
        for items in _pages(connection, visit):
            kinds: dict[tuple[int, int], VisitKinds] = {}
            for place, item in enumerate(items):
                add_kind(kinds, item, place)
            for of_visit in kinds.values():
                found = connection.execute(sa.text(_KINDS), visit).fetchall()
                values, numbers = number_kinds(of_visit, [tuple(row) for row in found])
                names, width = list(table.columns.keys()), len(table.columns)
                rows = [
                    dict(zip(names, values[start : start + width], strict=True))
                    for start in range(0, len(values), width)
                ]
                connection.execute(
                    sa.text(_DROP), [visit | {"kind_no": row["kind_no"]} for row in rows]
                )
                connection.execute(table.insert(), rows)
                connection.execute(
                    sa.text(_SET_KIND),
                    [
                        {**visit, "idx": items[place].index, "kind_no": kind_no}
                        for place, kind_no in numbers.items()
                    ],
                )


def _pages(connection: sa.Connection, visit: dict[str, int]) -> Iterator[Sequence[ItemOutcome]]:
    after = -1
    while found := connection.execute(sa.text(_FAILED), {**visit, "after": after}).fetchall():
        yield [
            ItemOutcome(
                visit["run_no"],
                visit["visit_no"],
                idx,
                Status.FAILED,
                attempts=1,
                started_at=0.0,
                duration_s=0.0,
                error=None if error is None else error.encode(),
                label=label,
            )
            for idx, error, label in found
        ]
        after = found[-1][0]
