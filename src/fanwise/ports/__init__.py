"""The interfaces that the engine owns and the adapters implement, by their readers.

Each is narrow and says what its caller may rely on.
"""

from fanwise.ports.execution import AttemptLog, Call, Executor, Feed, Future, Ticket
from fanwise.ports.machine import (
    SECRET_PREFIX,
    Clock,
    Processes,
    ProcessState,
    Randomness,
    Secrets,
    Timer,
)
from fanwise.ports.observer import (
    Observer,
    RerunNote,
    RerunNotes,
    RerunReason,
    TaskProgress,
)
from fanwise.ports.sources import Catalog, Source, Sources
from fanwise.ports.store import (
    PAGE_BYTES,
    Journal,
    Mailbox,
    Maintenance,
    Ownership,
    Pages,
    Records,
)

__all__ = [
    "PAGE_BYTES",
    "SECRET_PREFIX",
    "AttemptLog",
    "Call",
    "Catalog",
    "Clock",
    "Executor",
    "Feed",
    "Future",
    "Journal",
    "Mailbox",
    "Maintenance",
    "Observer",
    "Ownership",
    "Pages",
    "ProcessState",
    "Processes",
    "Randomness",
    "Records",
    "RerunNote",
    "RerunNotes",
    "RerunReason",
    "Secrets",
    "Source",
    "Sources",
    "TaskProgress",
    "Ticket",
    "Timer",
]
