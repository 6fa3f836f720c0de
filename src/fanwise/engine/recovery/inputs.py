"""The input of an item of a recorded run, rendered again from what is recorded of the run.

No code of an author runs. The item comes from its source, of which a file has to be as it was.
Templates are those that are recorded now, so after a retry with a repaired workflow they are the
repaired ones. Values that weren't recorded can't come back: those of keys of the store.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from fanwise.bitmap import Bitmap
from fanwise.conductor import Replay, StartTask
from fanwise.context import AttemptContext, WorkflowContext
from fanwise.engine.evaluate import bounded
from fanwise.engine.items import Locate, items_file, open_items, require_unchanged
from fanwise.engine.recovery.history import read_history
from fanwise.engine.run_factory import PreparedRun
from fanwise.engine.settings import TaskSettings, resolve_settings
from fanwise.engine.starting_point import first_state
from fanwise.errors import AttemptError, SourceChangedError, UsageError
from fanwise.model import ErrorInfo, ItemOutcome, Limits, VisitRecord
from fanwise.plan import PlannedItems, PlannedTask
from fanwise.ports import Records, Source, Sources
from fanwise.trace_ids import visit_key
from fanwise.values import FrozenDict


class InputReader(NamedTuple):
    """Renders inputs of one run; `prepared` has no real secret. Looking for an item is bounded."""

    prepared: PreparedRun
    records: Records
    sources: Sources
    limits: Limits
    locate: Locate
    search_s: float

    def read(self, visit: VisitRecord, item: ItemOutcome) -> object:
        """The values of an item's input by their names, without secrets. May block.

        Raises `UsageError` for an input that can't be known, and `SourceChangedError`.
        """
        name = f"the input of {visit.path}[{item.index}]"
        try:
            value = self._rendered(visit, item, name)
        except TimeoutError:
            raise UsageError(
                f"{name} can't be looked for any longer: its item lies too far in its source."
            ) from None
        except AttemptError as error:
            raise UsageError(f"{name} can't be rendered again: {error.message}") from None
        return self.prepared.masker.mask(value)

    def _rendered(self, visit: VisitRecord, item: ItemOutcome, name: str) -> object:
        task = self._task(visit, name)
        context = self._context(task, visit, name)
        assert task.items is not None
        self._require_file(task.items, context, visit, name)
        settings = resolve_settings(task, context)
        found = asyncio.run(self._find(task.items, context, settings, item.index))
        if found is None or isinstance(found, ErrorInfo):
            raise UsageError(f"{name} can't be known: its source has no such item any more.")
        path = f"{visit.path}[{item.index}]"
        key = visit_key(self.prepared.record.id, path, visit.visit)
        facts = FrozenDict(key=key, number=item.attempts)
        seen = AttemptContext(context.for_item(found, item.index), facts)
        values = {entry.name: entry.value.evaluate(seen, None) for entry in task.inputs}
        return bounded(FrozenDict(values), task.place, self.limits)

    def _task(self, visit: VisitRecord, name: str) -> PlannedTask:
        plan = self.prepared.plan
        number = plan.numbers.get(visit.path)
        if number is None or plan.tasks[number].items is None:
            raise UsageError(
                f"{name} can't be known: its task isn't one of the run's own workflow.",
                hint="The parameters of the workflow that was called are recorded nowhere.",
            )
        task = plan.tasks[number]
        if task.keys:
            raise UsageError(
                f"{name} can't be known: the task reads the key {task.keys[0]} of the store, whose"
                " value of then isn't recorded."
            )
        return task

    def _context(self, task: PlannedTask, visit: VisitRecord, name: str) -> WorkflowContext:
        """The context that the visit has started with."""
        plan, record, context = self.prepared.plan, self.prepared.record, self.prepared.context
        replay = Replay(plan, first_state(plan))
        for event in read_history(plan, record, context, self.records).events:
            for command in replay.take(event):
                match command:
                    case StartTask(task=task.number, visit=visit.visit):
                        return command.context
        raise UsageError(f"{name} can't be known: its visit was before the run was retried.")

    def _require_file(
        self, items: PlannedItems, context: WorkflowContext, visit: VisitRecord, name: str
    ) -> None:
        file = items_file(items, context, self.locate)
        if file is None:
            return
        if visit.source is None:
            raise UsageError(f"{name} can't be known: its items came from no regular file.")
        run_id = self.prepared.record.id
        try:
            require_unchanged(self.sources, run_id, visit.path, items.kind, file, visit.source)
        except SourceChangedError as error:
            raise SourceChangedError(
                error.message,
                run_id=run_id,
                task=visit.path,
                file=file,
                hint="The input is shown once the file is as it was.",
            ) from None

    async def _find(
        self, items: PlannedItems, context: WorkflowContext, settings: TaskSettings, index: int
    ) -> object:
        """The item of a source, or None if it has none at this index."""
        source = open_items(
            items,
            context,
            self.sources,
            self.limits,
            self.locate,
            batch_size=settings.batch_size,
            most=self.prepared.record.origin.most_items,
            done=_all_before(index),
            left_out=None if settings.bad_records == "fail" else lambda _count, _errors: None,
        )
        try:
            async with asyncio.timeout(self.search_s):
                return await _nth(source, index)
        finally:
            source.close()


def _all_before(index: int) -> Bitmap:
    indexes = Bitmap()
    if index:
        indexes.add_range(0, index - 1)
    return indexes


async def _nth(source: Source, index: int) -> object:
    begin = 0
    while chunk := await source.read():
        if index < begin + len(chunk):
            return chunk[index - begin]
        begin += len(chunk)
        await asyncio.sleep(0)  # a source in memory reads without a pause, for the time to be seen
    return None
