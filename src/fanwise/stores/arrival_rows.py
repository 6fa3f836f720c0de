"""Arrivals as rows of the tables `arrivals` and `batch_events`, and back."""

from __future__ import annotations

from fanwise.model import EVENT, Arrival, BatchEvent
from fanwise.stores import arrival_statements
from fanwise.stores.rows import Row, SqlValue


def arrival_values(arrival: Arrival) -> dict[str, SqlValue]:
    """Return the values of an arrival that is added."""
    given = (
        *(arrival.source, arrival.name, arrival.id, arrival.key, arrival.by, arrival.depth),
        *(arrival.refused, arrival.source == EVENT, arrival.data.decode()),
    )
    return dict(zip(arrival_statements.GIVEN, given, strict=True))


def to_arrival(row: Row) -> Arrival:
    """Return the arrival of a row with `arrival_statements.COLUMNS`."""
    arrival_no, refused, source, name, given_id, at, key, by, depth, data = row
    return Arrival(
        source=source,
        name=name,
        id=given_id,
        data=data.encode(),
        key=key,
        by=by,
        depth=depth,
        refused=refused,
        arrival_no=arrival_no,
        at=at,
    )


def to_batch_event(row: Row) -> BatchEvent:
    """Return the event of a row of `batch_events`."""
    run_no, index, source, name, given_id, at, key, by, depth, data = row
    return BatchEvent(
        source=source,
        name=name,
        id=given_id,
        data=data.encode(),
        key=key,
        by=by,
        depth=depth,
        at=at,
        run_no=run_no,
        index=index,
    )
