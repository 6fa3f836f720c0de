"""New runs as rows, as the journal and the queues make them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from fanwise.errors import RunExistsError, RunRepeatedError
from fanwise.model import RepeatKey, RunRecord
from fanwise.stores import rows, schema, slot_statements, statements
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


def require_no_repeat(writer: Writer, run_no: int, run_id: str, repeat: RepeatKey) -> None:
    """Note the repeat key of a new run. Raises `RunRepeatedError` if another run has it."""
    key = {"scope": repeat.scope, "key": repeat.key}
    if writer.read(slot_statements.REPEAT, run_no=run_no, for_s=repeat.for_s, **key):
        return
    ((known,),) = writer.read(slot_statements.REPEATED, **key)
    raise RunRepeatedError(
        f"run {run_id} would repeat run {known}, and isn't made.",
        run_id=known,
        hint=f"Look at that run: fanwise show {known}",
    )


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
