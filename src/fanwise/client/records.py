"""Answers of the API as the records that a store gives. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from fanwise.model import INTERRUPTED, ErrorInfo, FailedAttempt, ItemCounts, Status
from fanwise.reports.waits import Answered
from fanwise.run_store import Item, Log, RunDetails, RunSummary, TaskVisit
from fanwise.values import Json, decode

_NULL: Final = msgspec.Raw(b"null")


class SentRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a list."""

    run_id: str
    workflow: str
    status: str
    tags: tuple[str, ...]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error: ErrorInfo | None

    def summary(self) -> RunSummary:
        """The run as a store gives it."""
        return RunSummary(
            id=self.run_id,
            workflow=self.workflow,
            status=_status(self.status, self.started_at),
            is_interrupted=self.status == INTERRUPTED,
            tags=self.tags,
            created_at=self.created_at.timestamp(),
            started_at=_seconds(self.started_at),
            ended_at=_seconds(self.ended_at),
            error=self.error,
        )


class SentRuns(msgspec.Struct, frozen=True, kw_only=True):
    """A page of runs."""

    runs: list[SentRun]
    next: str | None


class SentDetails(SentRun, frozen=True, kw_only=True):
    """A run by itself, without the workflow's text."""

    file: str
    parameters: msgspec.Raw
    output: msgspec.Raw

    def details(self, definition: str) -> RunDetails:
        """The run as a store gives it."""
        return RunDetails(
            **msgspec.structs.asdict(self.summary()),
            file=self.file,
            definition=definition,
            parameters=decode(self.parameters),
            output=decode(self.output),
        )


class SentFile(msgspec.Struct, frozen=True, kw_only=True):
    """The text of a workflow."""

    text: str


class SentDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """The workflow of a run, then those that it calls."""

    files: list[SentFile]


class SentVisit(msgspec.Struct, frozen=True, kw_only=True):
    """A visit of a task."""

    path: str
    visit: int
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    attempts: int
    earlier: tuple[FailedAttempt, ...]
    error: ErrorInfo | None
    items: ItemCounts | None
    output: msgspec.Raw = _NULL

    def task_visit(self) -> TaskVisit:
        """The visit as a store gives it."""
        return TaskVisit(
            path=self.path,
            visit=self.visit,
            status=_status(self.status, self.started_at),
            started_at=_seconds(self.started_at),
            ended_at=_seconds(self.ended_at),
            attempts=self.attempts,
            output=decode(self.output),
            error=self.error,
            items=self.items,
            earlier=self.earlier,
        )


class SentVisits(msgspec.Struct, frozen=True, kw_only=True):
    """Visits in the order of their starts."""

    visits: list[SentVisit]


class SentItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item."""

    index: int
    label: str | None
    status: Status
    attempts: int
    started_at: datetime
    duration_s: float
    output: msgspec.Raw
    error: ErrorInfo | None
    item: msgspec.Raw
    earlier: tuple[FailedAttempt, ...]

    def value(self) -> Json:
        """The output, as frozen JSON."""
        found: Json = decode(self.output)
        return found

    def outcome(self) -> Item:
        """The item as a store gives it."""
        return Item(
            index=self.index,
            label=self.label,
            status=self.status,
            attempts=self.attempts,
            started_at=self.started_at.timestamp(),
            duration_s=self.duration_s,
            output=self.value(),
            error=self.error,
            item=decode(self.item),
            earlier=self.earlier,
        )


class SentLog(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what an attempt printed and logged."""

    path: str
    index: int | None
    label: str | None
    attempt: int
    written_at: datetime
    text: str

    def log(self) -> Log:
        """The part as a store gives it."""
        at = {"written_at": self.written_at.timestamp()}
        return Log(**(msgspec.structs.asdict(self) | at))


class SentLogs(msgspec.Struct, frozen=True, kw_only=True):
    """A page of logs, and the cursor after it."""

    logs: list[SentLog]
    next: str


class SentStart(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was started, or the earlier one; `skipped` is why it isn't run."""

    run_id: str
    is_new: bool
    skipped: str | None


class SentSignal(msgspec.Struct, frozen=True, kw_only=True):
    """The path of the task whose wait a signal has ended."""

    path: str | None


class SentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that counts, or that is kept for its question: without a time then."""

    path: str
    by: str
    at: datetime | None
    answer: msgspec.Raw

    def answered(self) -> Answered:
        """The answer as a store gives it."""
        at = None if self.at is None else self.at.timestamp()
        return Answered(self.path, self.by, at, decode(self.answer))


class SentEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The id of an event, and whether it is new."""

    event: str
    is_new: bool


class SentEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Events that were emitted, in their order."""

    events: list[SentEvent]


class _SentParameter(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of a workflow."""

    type: str | None
    choices: list[msgspec.Raw] | None

    def offered(self) -> Sequence[str]:
        """The values that it takes, as texts of the command line, if they are few."""
        if self.choices is None:
            return ["true", "false"] if self.type == "boolean" else []
        values = [(each, msgspec.json.decode(each)) for each in self.choices]
        return [value if isinstance(value, str) else bytes(raw).decode() for raw, value in values]


class _SentWorkflow(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow of the project that is served."""

    name: str
    parameters: dict[str, _SentParameter]


class SentWorkflows(msgspec.Struct, frozen=True, kw_only=True):
    """The workflows of the project that is served."""

    workflows: list[_SentWorkflow]


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """An object of which nothing is read."""


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _status(shown: str, started_at: datetime | None) -> Status:
    """The recorded status: a server shows what no process drives as interrupted."""
    if shown != INTERRUPTED:
        return Status(shown)
    return Status.PENDING if started_at is None else Status.RUNNING
