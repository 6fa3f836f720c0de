"""New runs as rows, as the journal and the queues make them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from fanwise.errors import RunExistsError, RunRepeatedError
from fanwise.model import RepeatKey, RunRecord
from fanwise.stores import rows, schema, slot_statements, statements
from fanwise.stores.database import Reader, Settle, Writer, refused
from fanwise.stores.rows import SqlValue
from fanwise.stores.sql_slots import limits_of, lock_keys

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


def still_repeated(writer: Writer, repeat: RepeatKey) -> str | None:
    """The id of the run that has a repeat key, or None."""
    key = {"scope": repeat.scope, "key": repeat.key}
    return next((known for (known,) in writer.read(slot_statements.STILL_REPEATED, **key)), None)


def refuse_repeat(writer: Writer, run: RunRecord) -> None:
    """Raise `RunRepeatedError` if another run has the repeat key of a new one.

    It comes before the limit of the new run, which isn't to be skipped, nor to have others make
    way for it, if it is a repeat. Of runs of one key made at once the limit's lock lets one pass.
    """
    repeat, limit = run.origin.repeat, run.origin.limit
    if repeat is None or limit is None:
        return
    lock_keys(writer, limits_of(limit))
    if known := still_repeated(writer, repeat):
        raise _repeated(run.id, known)


def require_no_repeat(writer: Writer, run_no: int, run_id: str, repeat: RepeatKey) -> None:
    """Note the repeat key of a new run. Raises `RunRepeatedError` if another run has it."""
    key = {"scope": repeat.scope, "key": repeat.key}
    if writer.read(slot_statements.REPEAT, run_no=run_no, for_s=repeat.for_s, **key):
        return
    ((known,),) = writer.read(slot_statements.REPEATED, **key)
    raise _repeated(run_id, known)


def _repeated(run_id: str, known: str) -> RunRepeatedError:
    return RunRepeatedError(
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
