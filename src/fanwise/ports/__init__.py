"""The interfaces that the engine owns and the adapters implement, by their readers.

Each is narrow and says what its caller may rely on.
"""

from fanwise.ports.access import Access
from fanwise.ports.arrivals import Arrivals
from fanwise.ports.endings import Endings
from fanwise.ports.execution import (
    ActionCall,
    Arguments,
    AttemptLog,
    CallSpec,
    ChunkFeed,
    Executor,
    Feed,
    Future,
    InputText,
    PortableCall,
    RemoteAttemptError,
    Ticket,
)
from fanwise.ports.fires import Fires
from fanwise.ports.kv import KeyValues
from fanwise.ports.machine import (
    SECRET_PREFIX,
    Clock,
    Processes,
    ProcessState,
    Randomness,
    Secrets,
    Timer,
    is_driven,
)
from fanwise.ports.observer import (
    Observer,
    RerunNote,
    RerunNotes,
    RerunReason,
    TaskProgress,
    together,
)
from fanwise.ports.queue import Queue
from fanwise.ports.shares import Shares
from fanwise.ports.slots import RunSlots
from fanwise.ports.sources import Catalog, Notice, Source, Sources
from fanwise.ports.store import (
    PAGE_BYTES,
    Journal,
    Mailbox,
    Maintenance,
    Ownership,
    Pages,
    Records,
)
from fanwise.ports.tiles import MOST_CELLS, Changes, Heads, Tiles
from fanwise.ports.waits import CheckAnswer, Waits

__all__ = [
    "MOST_CELLS",
    "PAGE_BYTES",
    "SECRET_PREFIX",
    "Access",
    "ActionCall",
    "Arguments",
    "Arrivals",
    "AttemptLog",
    "CallSpec",
    "Catalog",
    "Changes",
    "CheckAnswer",
    "ChunkFeed",
    "Clock",
    "Endings",
    "Executor",
    "Feed",
    "Fires",
    "Future",
    "Heads",
    "InputText",
    "Journal",
    "KeyValues",
    "Mailbox",
    "Maintenance",
    "Notice",
    "Observer",
    "Ownership",
    "Pages",
    "PortableCall",
    "ProcessState",
    "Processes",
    "Queue",
    "Randomness",
    "Records",
    "RemoteAttemptError",
    "RerunNote",
    "RerunNotes",
    "RerunReason",
    "RunSlots",
    "Secrets",
    "Shares",
    "Source",
    "Sources",
    "TaskProgress",
    "Ticket",
    "Tiles",
    "Timer",
    "Waits",
    "is_driven",
    "together",
]
