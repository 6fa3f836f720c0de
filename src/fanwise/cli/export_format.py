"""The format of exports: a line of JSON for each record, under the names of its fields.

The store's own number of the run is left out. Times are seconds since the epoch, and spans are in
seconds. What records hold as JSON text is part of the line as it is, never read.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fanwise.cli.output import as_json
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
"""The version of the format, which the first line tells.

It changes when a key goes or means something else; new keys and kinds may come without.
"""

_HEADS: dict[type[Record], dict[str, Any]] = {
    RunRecord: {"kind": "run", "format": FORMAT},
    VisitRecord: {"kind": "visit"},
    RecordedEvent: {"kind": "event"},
    ItemOutcome: {"kind": "item"},
    LogEntry: {"kind": "log"},
    Sleep: {"kind": "sleep"},
}


def as_line(record: Record) -> str:
    """A record as its line."""
    return as_json(as_object(record))


def as_object(record: Record) -> dict[str, Any]:
    """A record as what its line holds."""
    line = dict(_HEADS[type(record)])
    for field in record.__struct_fields__:
        if field != "run_no":
            value = getattr(record, field)
            key = "name" if field in line else field  # an event has a kind of its own
            line[key] = msgspec.Raw(value) if isinstance(value, bytes) else value
    return line
