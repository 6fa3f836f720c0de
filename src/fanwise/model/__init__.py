"""The frozen records that everything else passes around: runs, tasks, items, results, limits.

Times are seconds since the epoch (`_at`) or spans in seconds (`_s`), sizes are bytes (`_bytes`).
Records hold data only: no record knows how it is stored, shown or decided upon. Each module is for
one reader; import all names from here.
"""

from fanwise.model.limits import Limits
from fanwise.model.ownership import LEASE_S, Inbox, Lease, Owner, RequestKind, RunRequest
from fanwise.model.queues import DEFAULT_QUEUE, Claim, EngineRecord, Submission
from fanwise.model.records import (
    Discard,
    FileFingerprint,
    ItemOutcome,
    LogEntry,
    Record,
    RecordedEvent,
    RunOrigin,
    RunRecord,
    Sleep,
    VisitRecord,
    inner_path,
)
from fanwise.model.results import ErrorInfo, FailedAttempt, ItemCounts, Status, TaskResult
from fanwise.model.summaries import (
    EndedRun,
    ItemTimes,
    ItemTotals,
    RecordedItems,
    Run,
    StoreReport,
    StoreSize,
    TaskSummary,
    driven_span,
)
from fanwise.model.waits import (
    CloseWaits,
    OpenWait,
    Signal,
    Wait,
    WaitKind,
    WaitPlace,
    WaitRequest,
    WaitState,
    WaitToOpen,
)

__all__ = [
    "DEFAULT_QUEUE",
    "LEASE_S",
    "Claim",
    "CloseWaits",
    "Discard",
    "EndedRun",
    "EngineRecord",
    "ErrorInfo",
    "FailedAttempt",
    "FileFingerprint",
    "Inbox",
    "ItemCounts",
    "ItemOutcome",
    "ItemTimes",
    "ItemTotals",
    "Lease",
    "Limits",
    "LogEntry",
    "OpenWait",
    "Owner",
    "Record",
    "RecordedEvent",
    "RecordedItems",
    "RequestKind",
    "Run",
    "RunOrigin",
    "RunRecord",
    "RunRequest",
    "Signal",
    "Sleep",
    "Status",
    "StoreReport",
    "StoreSize",
    "Submission",
    "TaskResult",
    "TaskSummary",
    "VisitRecord",
    "Wait",
    "WaitKind",
    "WaitPlace",
    "WaitRequest",
    "WaitState",
    "WaitToOpen",
    "driven_span",
    "inner_path",
]
