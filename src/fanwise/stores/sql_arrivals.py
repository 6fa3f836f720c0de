"""The port `Arrivals` over a database.

An arrival and its deliveries are one transaction, so a trigger that listened before it misses none.
Whether an arrival is decided is a row of that trigger, never a place in the order of numbers: an
arrival may be committed after others with higher numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from fanwise.model import (
    EVENT,
    TRIGGER_FAILED,
    Arrival,
    BatchEvent,
    FireStatus,
    NewFire,
    TriggerTurn,
)
from fanwise.ports import PAGE_BYTES
from fanwise.ports.arrivals import Numbered
from fanwise.stores import arrival_statements, fire_statements
from fanwise.stores.arrival_rows import arrival_values, to_arrival, to_batch_event
from fanwise.stores.database import Database, Writer
from fanwise.stores.offers import offer_arrivals
from fanwise.stores.parts import in_parts, numbered
from fanwise.stores.rows import SqlValue
from fanwise.stores.wait_rows import checked
from fanwise.triggers.match import listens_for

_MOST_AT_ONCE: Final = 1_000
_Arrival = TypeVar("_Arrival", bound=Arrival)
_read_names: Final = msgspec.json.Decoder(tuple[str, ...]).decode


class SqlArrivals:
    """The port `Arrivals` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def arrive(
        self, arrivals: Sequence[Arrival], to: tuple[str, str] | None = None
    ) -> Sequence[bool]:
        """Record and deliver arrivals; see `Arrivals.arrive`."""
        for each in arrivals:
            checked(arrival_values(each), self._database.place)
        known: list[bool] = []
        for some in in_parts(arrivals, _MOST_AT_ONCE):

            def add(writer: Writer, some: Sequence[Arrival] = some) -> set[tuple[str, str]]:
                found = _add(writer, some)
                if to is not None:
                    _deliver_to(writer, to, found)
                else:
                    _deliver(writer, _listeners(writer), found)
                _forget(writer, found)
                writer.announce()
                return {(each.name, each.id) for each in found}

            new = self._database.controlling(add)
            for each in some:
                known.append((each.name, each.id) in new)
                new.discard((each.name, each.id))  # its twin in the same call isn't new
        return known

    def arrival(self, source: str, name: str, id: str) -> Arrival | None:
        """The arrival with an id; see `Arrivals.arrival`."""
        found = self._database.read(arrival_statements.ONE, source=source, name=name, id=id)
        return to_arrival(found[0]) if found else None

    def latest_events(self, after: float) -> Mapping[str, float]:
        """Return when events have come last; see `Arrivals.latest_events`."""
        return dict(self._database.read(arrival_statements.LATEST, after=after))

    def delivered(self, workflow: str, name: str, *, most: int) -> Sequence[Arrival]:
        """The first undecided arrivals of a trigger; see `Arrivals.delivered`."""
        found = self._database.read(
            arrival_statements.DELIVERED, workflow=workflow, name=name, most=most
        )
        return [to_arrival(row) for row in found]

    def gathered(
        self,
        workflow: str,
        name: str,
        batch: int,
        start: int,
        stop: int,
        *,
        limit_bytes: int = PAGE_BYTES,
    ) -> Numbered:
        """Some arrivals in a batch; see `Arrivals.gathered`."""
        given: Mapping[str, SqlValue] = {"start": start, "most": max(0, stop - start)}
        names = {"workflow": workflow, "name": name}
        found = self._database.read(arrival_statements.GATHERED, batch_no=batch, **names, **given)
        return list(enumerate(_page(map(to_arrival, found), limit_bytes), start))

    def batch_events(
        self, run_no: int, start: int, stop: int, *, limit_bytes: int = PAGE_BYTES
    ) -> Sequence[BatchEvent]:
        """Some events of a run's batch; see `Arrivals.batch_events`."""
        found = self._database.read(
            arrival_statements.BATCH_EVENTS, run_no=run_no, start=start, stop=stop
        )
        return list(_page(map(to_batch_event, found), limit_bytes))

    def offer_arrivals(self) -> None:
        """Settle waits for events that have come; see `Arrivals.offer_arrivals`."""
        offer_arrivals(self._database)


def emit_own(writer: Writer, events: Sequence[Arrival]) -> None:
    """Record events of fanwise itself, as far as triggers listen for them."""
    listeners = _listeners(writer) if events else []
    wanted = [
        each for each in events if any(listens_for(names, each.name) for _, names in listeners)
    ]
    if wanted:
        _deliver(writer, listeners, _add(writer, wanted))


def sort_arrivals(writer: Writer, trigger_no: int, turn: TriggerTurn) -> None:
    """Record the batches of arrivals, and the events that are delivered from now on."""
    if turn.listens is not None:
        listens = msgspec.json.encode(turn.listens).decode()
        writer.execute(fire_statements.LISTEN, trigger_no=trigger_no, listens=listens)
    if turn.batches is not None:
        batches = turn.batches.decode()
        writer.execute(fire_statements.KEEP_BATCHES, trigger_no=trigger_no, batches=batches)
    if turn.sorted:
        values: list[SqlValue] = []
        for arrival_no, batch_no in turn.sorted:
            values += (trigger_no, arrival_no, batch_no)
        writer.insert(arrival_statements.SORT, values)
        writer.execute(arrival_statements.DROP, trigger_no=trigger_no)


def take_batch(writer: Writer, trigger_no: int, fire: NewFire, run_no: int | None) -> None:
    """Record that the arrivals of a fire are decided, and are the events of its run."""
    if fire.batch is None:
        return
    batch = {"trigger_no": trigger_no, "batch_no": fire.batch}
    if run_no is not None and fire.has_events:
        writer.execute(arrival_statements.KEEP_EVENTS, run_no=run_no, **batch)
    writer.execute(arrival_statements.TAKE_BATCH, **batch)


def emit_failures(writer: Writer, turn: TriggerTurn, listens: str | None) -> None:
    """Record events of fires that have failed, but for those of a trigger that waits for such."""
    if listens is not None and listens_for(_read_names(listens), TRIGGER_FAILED):
        return
    names = {"workflow": turn.workflow, "trigger": turn.name}
    failed = [
        Arrival(
            source=EVENT,
            name=TRIGGER_FAILED,
            id=f"{turn.workflow}/{turn.name}/{fire.key}",
            data=msgspec.json.encode({**names, "key": fire.key, "reason": fire.reason}),
            by="fanwise",
        )
        for fire in turn.fires
        if fire.status is FireStatus.FAILED
    ]
    emit_own(writer, failed)


def _add(writer: Writer, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Add arrivals, and return the new ones with their numbers."""
    new: list[Arrival] = []
    for some in in_parts(arrivals, arrival_statements.MOST_ADDED):
        values = numbered(map(arrival_values, some))
        by_id = {(each.name, each.id): each for each in reversed(some)}
        for arrival_no, *known in writer.read(arrival_statements.add(len(some)), **values):
            found = by_id[known[0], known[1]]
            new.append(msgspec.structs.replace(found, arrival_no=arrival_no))
    return sorted(new, key=lambda each: each.arrival_no)


def _listeners(writer: Writer) -> list[tuple[int, tuple[str, ...]]]:
    found = writer.read(arrival_statements.LISTENERS)
    return [(trigger_no, _read_names(names)) for trigger_no, names in found]


def _deliver(
    writer: Writer, listeners: Iterable[tuple[int, tuple[str, ...]]], events: Sequence[Arrival]
) -> None:
    values: list[SqlValue] = []
    for trigger_no, names in listeners:
        for each in events:
            if each.refused is None and listens_for(names, each.name):
                values += (trigger_no, each.arrival_no, None)
    writer.insert(arrival_statements.DELIVER, values)


def _deliver_to(writer: Writer, to: tuple[str, str], arrivals: Sequence[Arrival]) -> None:
    names = {"workflow": to[0], "name": to[1]}
    writer.execute(fire_statements.ADD, **names)
    ((trigger_no,),) = writer.read(arrival_statements.TRIGGER_NO, **names)
    values: list[SqlValue] = []
    for each in arrivals:
        if each.refused is None:
            values += (trigger_no, each.arrival_no, None)
    writer.insert(arrival_statements.DELIVER, values)


def _forget(writer: Writer, added: Sequence[Arrival]) -> None:
    """Forget some of the oldest arrivals now and then."""
    if any(each.arrival_no % arrival_statements.FORGET_EACH == 0 for each in added):
        for statement in arrival_statements.FORGET:
            writer.execute(statement)


def _page(arrivals: Iterable[_Arrival], limit_bytes: int) -> Iterator[_Arrival]:
    size = 0
    for each in arrivals:
        yield each
        size += len(each.data)
        if size >= limit_bytes:
            return
