"""New runs as rows, as the journal and the queues make them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from fanwise.errors import RunExistsError
from fanwise.model import RunRecord
from fanwise.stores import rows, schema, statements
from fanwise.stores.database import Reader, Settle, Writer, refused
from fanwise.stores.rows import SqlValue

_COLUMNS: Final = tuple(schema.runs.columns)[1:]


def run_values(run: RunRecord, place: str) -> Mapping[str, SqlValue]:
    """The values of a new run's row. Raises `RecordRefusedError` for what no row can hold."""
    try:
        return dict(zip(_COLUMNS, rows.from_run(run), strict=True))
    except (TypeError, ValueError) as error:
        raise refused(place, error) from error


def insert_run(writer: Writer, run: RunRecord, values: Mapping[str, SqlValue]) -> int | None:
    """Add the rows of a new run, and return its number; None if its id is taken."""
    for (run_no,) in writer.read(statements.INSERT_RUN, **values):
        writer.insert(statements.INSERT_TAGS, rows.from_tags(run_no, run.tags))
        return int(run_no)
    return None


def is_inserted(run: RunRecord, numbers: Collection[int]) -> Settle[int | None]:
    """A look for the rows of a new run, which got one of these numbers if it was committed."""

    def settle(reader: Reader) -> list[int | None]:
        found = [rows.to_run(row) for row in reader.read(statements.RUN, run_id=run.id)]
        return [each.run_no for each in found if each.run_no in numbers]

    return settle


def id_is_taken(run: RunRecord) -> RunExistsError:
    """The error for a new run whose id is taken."""
    return RunExistsError(
        f'a run with the id "{run.id}" exists already.',
        run_id=run.id,
        hint=f"Choose another id, or look at that run: fanwise show {run.id}",
    )
