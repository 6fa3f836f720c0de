"""Outcomes of a rehearsal, as plain values for plain asserts.

Everything is read from the store before it is closed, so an outcome outlives it. Values are plain
dicts and lists, which test runners compare and show well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, TypeVar

import msgspec

from fanwise.definition import did_you_mean
from fanwise.model import (
    ErrorInfo,
    ItemCounts,
    ItemOutcome,
    KvEntry,
    RecordedEvent,
    Run,
    Status,
    TaskSummary,
    VisitRecord,
)
from fanwise.plan.keys import value_of
from fanwise.ports import Records
from fanwise.stores import Store
from fanwise.values import Json, thaw

_T = TypeVar("_T")

_PAGE = 1_000
_MESSAGE_LENGTH = 80  # of an error's message in an outcome's text


class Attempt(msgspec.Struct, frozen=True):
    """One call of an action, real or not.

    `task` is the path of its task, as `check`, or `check[17].login` in a child workflow. `index` is
    None without items, and `number` counts the tries of this task or item from 1. `input` is what
    the action was given, checked. `after_s` is the time from the run's start, in seconds.
    """

    action: str
    task: str
    index: int | None
    number: int
    input: dict[str, Any]
    after_s: float


class RehearsedTask(msgspec.Struct, frozen=True):
    """The end of a task; of a task with several visits, that of the last one.

    `output` is what later tasks see: of a task with items the list of their outputs, with None
    where an item failed. `items` counts them, and is None for a task without items.
    """

    status: Status
    output: Any
    error: ErrorInfo | None
    attempts: int
    items: ItemCounts | None


class RehearsedItem(msgspec.Struct, frozen=True):
    """The end of an item."""

    index: int
    status: Status
    output: Any
    error: ErrorInfo | None
    attempts: int
    label: str | None


class ByName(dict[str, _T]):
    """A dict by names, which tells the nearest one if there is none of that name."""

    def __missing__(self, name: str) -> NoReturn:
        known = ", ".join(map(str, self)) or "nothing"
        raise KeyError(f'"{name}" isn\'t here. {did_you_mean(name, self) or f"There is: {known}."}')


class Outcome(msgspec.Struct, frozen=True):
    """The outcome of a rehearsal.

    `tasks` has every task of the workflow by name, and `items` the items of those with items, by
    index from 0, up to the last one that was started. `order` names the tasks in the order of their
    starts, each visit once. `attempts` are all calls of actions in their order, and `calls` their
    inputs by action, an empty list for one that was never called. `notices` are what a run's
    observer is told, and `events` what was decided upon, as recorded. `kv` has the values of the
    store's keys at the end. `run` is what `fanwise.run` returns.
    """

    run: Run
    tasks: ByName[RehearsedTask]
    items: ByName[list[RehearsedItem]]
    order: list[str]
    attempts: list[Attempt]
    calls: ByName[list[dict[str, Any]]]
    notices: list[str]
    events: list[RecordedEvent]
    kv: ByName[Json]

    @property
    def status(self) -> Status:
        """The status at the run's end."""
        return self.run.status

    @property
    def output(self) -> Any:
        """The run's output."""
        return thaw(self.run.output)

    @property
    def error(self) -> ErrorInfo | None:
        """The error of a run that failed, or None."""
        return self.run.error

    @property
    def duration_s(self) -> float | None:
        """Seconds that the run would have taken, if what was replaced took none."""
        return self.run.duration_s

    def __repr__(self) -> str:
        """The whole run in one line, which a failed assert shows."""
        tasks = ", ".join(_told(name, task) for name, task in self.tasks.items())
        text = f"Outcome {self.status.value}: {tasks}"
        if self.error is not None:
            message = self.error.message
            if len(message) > _MESSAGE_LENGTH:
                message = f"{message[:_MESSAGE_LENGTH]}..."
            text = f"{text}; {message}"
        return f"<{text}>"


def read_outcome(
    run: Run,
    records: Store,
    *,
    order: list[str],
    attempts: list[Attempt],
    actions: Sequence[str],
    notices: list[str],
) -> Outcome:
    """The outcome of a run that has ended, from what was recorded and noted of it."""
    record = records.run(run.id)
    assert record is not None
    run_no = record.run_no
    rows = {row.path: row for row in records.tasks(run_no)}  # of several visits the last one
    items = ByName[list[RehearsedItem]](
        {row.path: list(_items(records, row)) for row in rows.values() if row.has_items}
    )
    calls = ByName[list[dict[str, Any]]]({name: [] for name in actions})
    for attempt in attempts:
        calls[attempt.action].append(attempt.input)
    return Outcome(
        run=run,
        tasks=ByName(
            {name: _task(task, rows.get(name), items) for name, task in run.tasks.items()}
        ),
        items=items,
        order=order,
        attempts=attempts,
        calls=calls,
        notices=notices,
        events=list(records.events(run_no)),
        kv=ByName({each.name: thaw(value_of(each)) for each in _keys(records)}),
    )


def _task(
    task: TaskSummary, row: VisitRecord | None, items: ByName[list[RehearsedItem]]
) -> RehearsedTask:
    output = None if row is None or row.output is None else msgspec.json.decode(row.output)
    if task.items is not None and task.status in (Status.SUCCEEDED, Status.FAILED):
        output = [None] * task.items.total
        for item in items[task.name]:
            output[item.index] = item.output
    return RehearsedTask(task.status, output, task.error, task.attempts, task.items)


def _keys(records: Store) -> Iterator[KvEntry]:
    after = ""
    while page := records.kv_entries(after=after, limit=_PAGE):
        yield from page
        after = page[-1].name


def _items(records: Records, row: VisitRecord) -> Iterator[RehearsedItem]:
    after = -1
    while page := records.items(row.run_no, row.visit_no, after=after):
        yield from map(_item, page)
        after = page[-1].index


def _item(item: ItemOutcome) -> RehearsedItem:
    return RehearsedItem(
        index=item.index,
        status=item.status,
        output=None if item.output is None else msgspec.json.decode(item.output),
        error=None if item.error is None else msgspec.json.decode(item.error, type=ErrorInfo),
        attempts=item.attempts,
        label=item.label,
    )


def _told(name: str, task: RehearsedTask) -> str:
    if task.items is None or not task.items.failed:
        return f"{name} {task.status.value}"
    return (
        f"{name} {task.status.value} ({task.items.failed:,} of {task.items.total:,} items failed)"
    )
