"""Records that the journal writes and a store holds; each describes its own columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from fanwise.model.arrivals import BatchEvent
from fanwise.model.results import ErrorInfo, FailedAttempt, ItemCounts, Status
from fanwise.model.slots import NamedLimit, RepeatKey, RunLimit
from fanwise.model.tiles import VisitProgress
from fanwise.model.waits import CloseWaits, Wait

_VISIT: Final = re.compile(r"#\d+")


class ItemOutcome(msgspec.Struct, frozen=True, gc=False):
    """The end of one item; recorded once. All `bytes` are JSON text in UTF-8.

    `run_no` and `visit_no` are the store's number of the run and the task's number within it,
    `attempts` is how often the item was tried, and `duration_s` how long its last attempt took.
    Only an item of which an attempt failed has `item`, the item itself, or text from it if it is
    too long; an item that failed has a label in any case. `earlier` are the failed attempts before
    its last one, each a `FailedAttempt`.
    """

    run_no: int
    visit_no: int
    index: int
    status: Status
    attempts: int
    started_at: float
    duration_s: float
    output: bytes | None = None
    error: bytes | None = None
    label: str | None = None
    item: bytes | None = None
    earlier: bytes | None = None


class VisitRecord(msgspec.Struct, frozen=True, gc=False):
    """One visit of a task, as recorded: its place in the run, its times and its outcome.

    `visit_no` numbers the run's visits from 1 in the order of their starts; `path` is the task's
    name, with the names and items above it where it runs inside another. `output` is JSON text of
    a task without items, and `earlier` are its failed attempts before the last one. `due_at` is
    when a delayed task starts, and `source` is what the file was like that its items are read from.
    `items` are counted at an end or a pause; before that `items_total` is the number of items, if
    it is known. `snapshot_bytes` is the size of the context's part that went to workers elsewhere.
    """

    run_no: int
    visit_no: int
    path: str
    visit: int
    status: Status
    has_items: bool = False
    due_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    attempts: int = 0
    output: bytes | None = None
    error: ErrorInfo | None = None
    items: ItemCounts | None = None
    source: FileFingerprint | None = None
    earlier: tuple[FailedAttempt, ...] = ()
    items_total: int | None = None
    snapshot_bytes: int | None = None


def inner_path(path: str, visit: int) -> str:
    """The path inside a visit: `poll` in the first one, `poll#2` in the second."""
    return path if visit == 1 else f"{path}#{visit}"


def without_visits(path: str) -> str:
    """Return a path as of the first visits of its tasks: `poll[1].ask` for `poll#2[1].ask#3`."""
    return _VISIT.sub("", path)


class RecordedEvent(msgspec.Struct, frozen=True, gc=False):
    """One event that the conductor was given, so that replaying them gives the same state.

    `seq` counts from 1 within the run; `kind` is the event's name, `data` its JSON text.
    """

    run_no: int
    seq: int
    kind: str
    data: bytes


class LogEntry(msgspec.Struct, frozen=True):
    """A part of the output and the logs of one attempt. `index` is None without items.

    `path` names the task and the item, as in `check[17]`. `at` is when the text was written, within
    a second. After a pause or a crash attempts count from 1 again, and the logs of earlier ones are
    kept. `label` is that of the item, and `log_no` is the store's number, which grows with each
    log: both are filled in when a log is read.
    """

    run_no: int
    visit_no: int
    index: int | None
    attempt: int
    path: str
    at: float
    text: str
    label: str | None = None
    log_no: int = 0

    def is_under(self, path: str) -> bool:
        """True if it is of the task or item at `path`, or of what runs inside it."""
        return self.path == path or self.path.startswith((f"{path}.", f"{path}["))


class RunOrigin(msgspec.Struct, frozen=True, omit_defaults=True):
    """The origin of a run beside its workflow and parameters, so that it can resume anywhere.

    `folder` is where relative paths of `given` parameters start, `packs` are pack folders, and
    `most_items` bounds each fan-out. `workflows` has the texts of the workflows that it calls, and
    `actions` a digest of the code of each action, by its name. `limit` is the limit across runs
    that the run is under, `priority` its place among those that wait, and `repeat` the key under
    which it is a repeat of another run. `named_limits` are those that its tasks name. `trigger` has
    the facts of the fire that has made the run, none of them null; without them it has none. Of a
    fire of a batch `events` is the number of events, which are recorded apart. `by` is the person
    who has started the run, or "" if a trigger has. `traceparent` is the header by which a request
    that has started the run named its span, which is the parent of the run's own.
    """

    folder: str = ""
    given: tuple[str, ...] = ()
    packs: tuple[str, ...] = ()
    most_items: int | None = None
    workflows: Mapping[str, str] = {}
    actions: Mapping[str, str] = {}
    limit: RunLimit | None = None
    priority: int = 0
    repeat: RepeatKey | None = None
    named_limits: tuple[NamedLimit, ...] = ()
    trigger: Mapping[str, object] = {}
    events: int | None = None
    by: str = ""
    traceparent: str = ""

    @property
    def starter(self) -> str:
        """The person who has started the run, also by firing its trigger; "" if nobody has."""
        return self.by or str(self.trigger.get("by", ""))


class RunRecord(msgspec.Struct, frozen=True):
    """A run as recorded. `definition` is the workflow's text, `parameters` and `output` JSON text.

    Secret parameters are recorded as null. `run_no` is the store's own number for the run, 0 until
    the store has given one. `tags` are words by which runs are found, sorted, each once.
    """

    run_no: int
    id: str
    workflow: str
    file: str
    definition: str
    parameters: bytes
    status: Status
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    output: bytes | None = None
    error: ErrorInfo | None = None
    tags: tuple[str, ...] = ()
    origin: RunOrigin = RunOrigin()


class Discard(msgspec.Struct, frozen=True, gc=False):
    """Take back the records of a retry, before anything else of the same commit is written.

    Of the items of the task `visit_no` these are the ones that haven't succeeded; with None no item
    is; with a `kind` of errors, just those that have failed with it, and those that were cancelled.
    `under` is the path of a task or an item, such as `check[17]`: all that the steps of a child
    workflow recorded that it ran, but for their logs, and its own sleeps and those within it. With
    "" none are. If it is `whole`, the visit goes as well, with all of its items, and so does all
    that ran `under` any of these.
    """

    run_no: int
    visit_no: int | None = None
    under: str = ""
    whole: bool = False
    kind: int | None = None


class Sleep(msgspec.Struct, frozen=True, gc=False):
    """Until when an attempt sleeps: after a crash just the rest of that is slept.

    `path` is that of the task or the item, as in `check[17].login`, with the visit after its name
    if that isn't the first; `turn` says which of its attempt's sleeps it is, from 1, or -N of the
    wait before its attempt N. Of each path only the latest is kept.
    """

    run_no: int
    path: str
    turn: int
    due_at: float


Record = (
    RunRecord
    | VisitRecord
    | ItemOutcome
    | RecordedEvent
    | LogEntry
    | Sleep
    | Discard
    | CloseWaits
    | Wait
    | VisitProgress
    | BatchEvent
)
"""Records of a run. The journal writes all but waits and events of a batch: runs, visits, sleeps
and progress replace earlier records of them; items, events and logs are added."""


class FileFingerprint(msgspec.Struct, frozen=True):
    """The features of a file at its first reading, by which a later change is noticed.

    `modified_at` is in seconds since the epoch, `sample` a hash of parts of its content. Which file
    it is isn't said, since the name of a file may hold a secret.
    """

    size_bytes: int
    modified_at: float
    sample: str
