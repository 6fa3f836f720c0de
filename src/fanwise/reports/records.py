"""The format of exports: a JSON object for each record, under the names of its fields.

The store's own number of the run is left out. Times are seconds since the epoch, and spans are in
seconds. JSON text in a record is part of its object as it is, never read.
"""

from __future__ import annotations

import msgspec

from fanwise.model import (
    ItemOutcome,
    LogEntry,
    Record,
    RecordedEvent,
    RunRecord,
    Sleep,
    VisitRecord,
)

FORMAT = 2
"""The version of the format, in the first line.

It changes when a key goes or means something else; new keys and kinds may come without.
"""

_HEADS: dict[type[Record], dict[str, object]] = {
    RunRecord: {"kind": "run", "format": FORMAT},
    VisitRecord: {"kind": "visit"},
    RecordedEvent: {"kind": "event"},
    ItemOutcome: {"kind": "item"},
    LogEntry: {"kind": "log"},
    Sleep: {"kind": "sleep"},
}


def record_object(record: Record) -> dict[str, object]:
    """The object of a record; JSON text in it is `msgspec.Raw`."""
    line = dict(_HEADS[type(record)])
    for field in record.__struct_fields__:
        if field != "run_no":
            value = getattr(record, field)
            key = "name" if field in line else field  # an event has a kind of its own
            line[key] = msgspec.Raw(value) if isinstance(value, bytes) else value
    return line
