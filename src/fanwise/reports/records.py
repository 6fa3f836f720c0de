"""The format of exports: a JSON object for each record, under the names of its fields.

The store's own numbers of runs and logs are left out. Times are seconds since the epoch, and spans
are in seconds. JSON text in a record is part of its object as it is, never read.
"""

from __future__ import annotations

from typing import Final

import msgspec

from fanwise.model import (
    BatchEvent,
    ItemOutcome,
    LogEntry,
    Record,
    RecordedEvent,
    RunRecord,
    Sleep,
    VisitRecord,
    Wait,
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
    Wait: {"kind": "wait"},
    BatchEvent: {"kind": "trigger_event"},
}

_OWN_NUMBERS: Final = ("run_no", "log_no", "arrival_no")
"""The store's own numbers: another store would have given others."""


def record_object(record: Record) -> dict[str, object]:
    """The object of a record; JSON text in it is `msgspec.Raw`."""
    line = dict(_HEADS[type(record)])
    for field in record.__struct_fields__:
        if field not in _OWN_NUMBERS:
            value = getattr(record, field)
            key = "name" if field in line else field  # an event has a kind of its own
            line[key] = msgspec.Raw(value) if isinstance(value, bytes) else value
    return line
