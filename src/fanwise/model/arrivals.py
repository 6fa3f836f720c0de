"""Records of arrivals: events, requests and files that have come, for triggers and for waits."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

EVENT: Final = "event"
"""The source of arrivals that were emitted by a name, to all triggers and waits for that name."""

OWN_EVENTS: Final = "fanwise."
"""The beginning of the names of events that fanwise itself emits."""

ASKED: Final = f"{OWN_EVENTS}asked"
TRIGGER_FAILED: Final = f"{OWN_EVENTS}trigger.failed"

KEPT_ARRIVALS_S: Final = 7 * 86_400.0
"""The time for which an arrival is kept, and its id known."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """An event, a request or a file that has come; `id` is unique among those of a source and name.

    `source` is the kind of trigger that it is for, and `name` the event's name, or the path of a
    hook. `data` is JSON text, and `key` the key that a wait may ask for. `depth` counts the
    triggers that led to it. One that was `refused` for a reason goes to no trigger. The number and
    the time, by the store's clock, are the store's own.
    """

    source: str
    name: str
    id: str
    data: bytes = b"null"
    key: str | None = None
    by: str = ""
    depth: int = 0
    refused: str | None = None
    arrival_no: int = 0
    at: float = 0.0


class BatchEvent(Arrival, frozen=True, kw_only=True):
    """An event of the batch that has made a run, at its index in `trigger.events`."""

    run_no: int
    index: int


def is_own_event(name: str) -> bool:
    """Say whether fanwise itself emits events of that name, and nobody else may."""
    return name.startswith(OWN_EVENTS)


class Emitted(NamedTuple):
    """An event that was emitted; it isn't new if its id was known already."""

    id: str
    is_new: bool
