"""The port `Endings` over a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fanwise.model import Ending, Lease
from fanwise.stores import ending_statements, rows
from fanwise.stores.database import Database, Writer
from fanwise.stores.rows import Row

_FORGET_EACH: Final = 1_000


class SqlEndings:
    """The port `Endings` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def number_endings(self) -> int:
        """Give numbers to new ends; see `Endings.number_endings`. An idle look only reads."""
        if self._database.read(ending_statements.ANY_NEW):
            return self._database.controlling(_number)
        found = self._database.read(ending_statements.LAST)
        return int(found[0][0]) if found else 0

    def endings(self, after: int, most: int) -> Sequence[Ending]:
        """Return the ends above a number; see `Endings.endings`."""
        found = self._database.read(ending_statements.ENDINGS, after=after, most=most)
        return [_to_ending(row) for row in found]

    def held_leases(self) -> Sequence[Lease]:
        """Return the leases of open runs; see `Endings.held_leases`."""
        return [rows.to_lease(row) for row in self._database.read(ending_statements.HELD)]

    def note_interrupted(self, leases: Sequence[Lease]) -> None:
        """Record interruptions; see `Endings.note_interrupted`."""

        def note(writer: Writer) -> None:
            for lease in leases:
                writer.execute(ending_statements.INTERRUPT, run_no=lease.run_no, token=lease.token)

        self._database.controlling(note)


def _number(writer: Writer) -> int:
    ((before,),) = writer.read(ending_statements.LOCK)
    last = int(before) + writer.change(ending_statements.NUMBER, last_no=before)
    writer.execute(ending_statements.MOVE, last_no=last)
    if before // _FORGET_EACH != last // _FORGET_EACH:
        writer.execute(ending_statements.FORGET)
    return last


def _to_ending(row: Row) -> Ending:
    number, run_no, token, fire_no, workflow, status, ended_at, run_id, trigger, reason, facts = row
    return Ending(
        number,
        f"fire:{fire_no}" if run_no is None else f"run:{run_no}:{token}",
        workflow,
        status,
        ended_at,
        run_id,
        trigger,
        reason,
        None if facts is None else facts.encode(),
    )
