"""Events that are offered to the waits of all runs, and those that a new wait takes.

Each run takes an event once, by the first of its waits that it fits. An event has a flag until it
was offered. A wait that is opened takes an earlier event itself: of an event and a wait that come
at the same moment, the one that is committed later sees the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from fanwise.model import Arrival, Signal, Wait
from fanwise.stores import arrival_statements
from fanwise.stores.arrival_rows import to_arrival
from fanwise.stores.database import Database, Writer
from fanwise.stores.rows import SqlValue
from fanwise.stores.wait_rows import names_text, to_wait
from fanwise.stores.wait_settling import VIA_EVENT, lock_run, settle_by_signal

_MOST_AT_ONCE: Final = 1_000


def offer_arrivals(database: Database) -> None:
    """Settle the waits of all runs for events that have come."""
    while new := database.read(arrival_statements.NEW, most=_MOST_AT_ONCE):
        events = [to_arrival(row) for row in new]
        waited_for: dict[int, set[str]] = {}
        for run_no, names in database.read(arrival_statements.WAITED_FOR):
            waited_for.setdefault(run_no, set()).update(msgspec.json.decode(names))
        for run_no, names in waited_for.items():
            if wanted := [each for each in events if each.name in names]:
                _offer(database, run_no, wanted)
        _note_offered(database, events)


def _offer(database: Database, run_no: int, events: Sequence[Arrival]) -> None:
    def settle(writer: Writer) -> None:
        lock_run(writer, run_no)
        for each in events:
            found = writer.read(
                arrival_statements.WAIT_FOR,
                run_no=run_no,
                match_key=each.key,
                quoted=names_text([each.name])[1:-1],
                at=each.at,
                arrival_no=each.arrival_no,
            )
            for row in found:
                _take(writer, to_wait(row), each)

    database.controlling(settle)


def _note_offered(database: Database, events: Sequence[Arrival]) -> None:
    def note(writer: Writer) -> None:
        for each in events:
            writer.execute(arrival_statements.OFFERED, arrival_no=each.arrival_no)

    database.controlling(note)


def take_earlier_event(writer: Writer, wait: Wait) -> Wait:
    """The wait of a locked run after the first event since its start that it waits for, if any."""
    query = arrival_statements.earliest(len(wait.names), has_key=wait.key is not None)
    given: dict[str, SqlValue] = {f"name_{n}": name for n, name in enumerate(wait.names)}
    if wait.key is not None:
        given["match_key"] = wait.key
    for row in writer.read(query, run_no=wait.run_no, **given):
        return _take(writer, wait, to_arrival(row))
    return wait


def _take(writer: Writer, wait: Wait, event: Arrival) -> Wait:
    writer.execute(arrival_statements.TAKEN, run_no=wait.run_no, arrival_no=event.arrival_no)
    signal = Signal(event.name, event.key, event.data, event.by)
    return settle_by_signal(writer, wait, signal, VIA_EVENT)
