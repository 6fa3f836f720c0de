"""What a retry keeps of a run that is over, and what it does again.

Whatever failed or was cut off is done again, and whatever comes after it: of a task with items just
those that haven't succeeded. All else is kept. A visit that is made again because it failed is the
same visit, with the same idempotency keys, unless its task was visited again afterwards. One that
is made again because it comes after what is made again is a new one. With a repaired workflow a
task is known by its name, and what it had done is kept unless its items come from elsewhere now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec.structs import replace

from fanwise.conductor import (
    KeptOutcome,
    Replay,
    SettleTask,
    StartTask,
    TaskEnded,
    VisitsAdvanced,
)
from fanwise.engine.recovery import History, Visits
from fanwise.engine.retry_notes import RerunNote, in_one_line, line_by_line
from fanwise.engine.starting_point import first_state
from fanwise.errors import UsageError
from fanwise.model import Discard, RunRecord, Status, TaskResult, VisitRecord, inner_path
from fanwise.plan import Plan, PlannedTask
from fanwise.ports import Records

_BROKEN = frozenset({Status.FAILED, Status.CANCELLED})
_VisitKey = tuple[int, int]


class RerunPlan(msgspec.Struct, frozen=True):
    """How a run is done again. Tasks are numbered as in the plan that it goes on with.

    `kept` has the outcomes that are kept, `rows` what is recorded of the run's own visits, and
    `told` the visits of each task since the run was last told from its start, in their order.
    `anew` numbers the tasks of which nothing is kept, and `advanced` whatever starts after what is
    kept. `notes` say in lines what is done again, what is kept, and why.
    """

    told: Mapping[int, Sequence[int]]
    kept: Mapping[_VisitKey, KeptOutcome]
    rows: Visits
    anew: Sequence[VisitsAdvanced]
    advanced: Sequence[VisitsAdvanced]
    discards: Sequence[Discard]
    notes: Sequence[str]
    seq: int

    def outcome_of(self, command: StartTask) -> KeptOutcome | VisitsAdvanced | None:
        """What is kept of a visit, or the number that it had if it is another one."""
        number, visit = command.task, command.visit
        had = next((each for each in self.told.get(number, ()) if each >= visit), visit)
        if had > visit:
            return VisitsAdvanced(((number, had - 1),))
        return self.kept.get((number, visit))


def plan_retry(
    plan: Plan,
    recorded: Plan,
    record: RunRecord,
    history: History,
    records: Records,
    *,
    from_task: str | None = None,
) -> RerunPlan:
    """What to do to make a run again with `plan`, which was recorded with another, or the same.

    With `from_task` that task starts anew, whatever became of it. Reads from the store, which may
    block. Raises `UsageError` if there is nothing to do again, or recorded work has no place in
    `plan`.
    """
    return _Retry(plan, recorded, record, history, records, from_task).again()


class _Retry:
    """One retry being planned. What is named `old` is numbered as in the recorded plan."""

    def __init__(
        self,
        plan: Plan,
        recorded: Plan,
        record: RunRecord,
        history: History,
        records: Records,
        from_task: str | None,
    ) -> None:
        self._plan = plan
        self._recorded = recorded
        self._record = record
        self._history = history
        self._records = records
        self._is_repaired = plan.text != recorded.text
        self._replay = Replay(recorded, first_state(recorded))
        self._settled: dict[_VisitKey, tuple[int, SettleTask]] = {}
        self._ended: dict[_VisitKey, int] = {}  # at which event each visit's action ended
        self._last: dict[int, int] = {}  # the last visit of each task that has started
        for (old, visit), row in history.visits.items():
            if row.started_at is not None:
                self._last[old] = max(visit, self._last.get(old, 0))
        self._from_task = from_task
        self._why: dict[str, str] = {}  # a task is made again

    def again(self) -> RerunPlan:
        self._require_places()
        self._read()
        broken = self._broken()
        if not (broken or self._is_repaired or self._record.status in _BROKEN):
            raise UsageError(
                f"nothing of run {self._record.id} has failed.",
                hint=f"To start again from a task: fanwise retry {self._record.id} --from TASK",
            )
        kept = self._kept(broken)
        rows = {
            (self._new(old), visit): replace(row, output=None)  # of what is kept it isn't written
            for (old, visit), row in self._history.visits.items()
        }
        same = {self._new(old) for (old, _), is_same in broken.items() if is_same}
        stays = same | {number for number, _ in kept}
        return RerunPlan(
            told=self._told(),
            kept=kept,
            rows=rows,
            anew=self._advanced(stays),
            advanced=self._advanced(same),
            discards=[
                each for key, is_same in broken.items() if is_same for each in self._undo(*key)
            ],
            notes=self._notes(kept, rows, same),
            seq=self._history.seq,
        )

    def _visited(self, name: str) -> int:
        """The old number of a task that has run since the run was last told from its start."""
        recorded, size = self._recorded, len(self._recorded.graph.names)
        if recorded.numbers.get(name, 0) >= size:
            raise UsageError(
                f'"{name}" is a task of finally, and these run at the end of every retry.',
                hint="Name another task.",
            )
        ran = [old for old, _ in self._settled if old in self._last and old < size]
        visited = {recorded.tasks[old].name: old for old in ran}
        if name not in visited:
            near = get_close_matches(name, visited, n=1)
            hint = f'Did you mean "{near[0]}"?' if near else f"It has run {', '.join(visited)}."
            raise UsageError(
                f'run {self._record.id} has not run a task "{name}".', hint=hint if visited else ""
            )
        return visited[name]

    def _require_places(self) -> None:
        """Raise `UsageError` if a task that was recorded isn't in the plan."""
        names = [self._recorded.tasks[old].name for old in sorted(self._last)]
        if missing := [name for name in names if name not in self._plan.numbers]:
            near = get_close_matches(missing[0], self._plan.numbers, n=1)
            known = f' Is it called "{near[0]}" now?' if near else ""
            raise UsageError(
                f'{self._plan.file}  has no task "{missing[0]}", of which run {self._record.id} '
                "has recorded work.",
                hint=f"Keep the names of tasks that have run, or start a new run.{known}",
            )

    def _read(self) -> None:
        """Find out when each visit of before ended, and how."""
        for at, event in enumerate(self._history.events):
            if isinstance(event, TaskEnded):
                self._ended[event.task, event.visit] = at
            for command in self._replay.take(event):
                if isinstance(command, SettleTask) and command.visit:
                    self._settled[command.task, command.visit] = at, command

    def _broken(self) -> dict[_VisitKey, bool]:
        """The old visits that are made again for their own sake, and whether as the same visit."""
        broken: dict[_VisitKey, bool] = {}
        for key, (_, settled) in self._settled.items():
            if key[0] >= len(self._recorded.graph.names):  # `finally` runs at every end
                continue
            result, name = settled.result, self._recorded.tasks[key[0]].name
            failed_items = result.items.failed if result.items else 0
            if self._has_other_items(name, key[0]):
                broken[key] = False
                self._why[name] = "its items come from elsewhere now"
            elif result.status in _BROKEN or failed_items:
                broken[key] = key[1] == self._last.get(key[0])
                self._why[name] = _why(result)
        ended = self._replay.ended
        if ended is not None and ended.error is not None and ended.error.type == "Failed":
            # As a new visit, unless it is made again as the same one because it failed itself.
            leader = self._latest(self._recorded.numbers[ended.error.data["task"]], "led to fail")
            broken.setdefault(leader, False)
        if self._from_task is not None:
            broken[self._latest(self._visited(self._from_task), "was asked for")] = False
        return broken

    def _latest(self, old: int, why: str) -> _VisitKey:
        """The latest visit of a task, which is made again for this reason if for no other."""
        self._why.setdefault(self._recorded.tasks[old].name, f"it {why}")
        return old, max(visit for number, visit in self._settled if number == old)

    def _has_other_items(self, name: str, old: int) -> bool:
        new = self._plan.tasks[self._plan.numbers[name]]
        return bool(_items_of(new) != _items_of(self._recorded.tasks[old]))

    def _kept(self, broken: dict[_VisitKey, bool]) -> dict[_VisitKey, KeptOutcome]:
        """The outcomes that nothing speaks against, by the plan's numbers.

        Of `broken`, a visit that came after another one becomes a new one: it may have done work
        that its idempotency keys stand for, and its input is another one now.
        """
        graph = self._plan.graph
        starts: dict[int, list[_VisitKey]] = {}
        for key in broken:
            starts.setdefault(self._ended.get(key, self._settled[key][0]), []).append(key)
        kept: dict[_VisitKey, KeptOutcome] = {}
        undone = 0  # a bit set of tasks with a broken visit before the event
        for at, event in enumerate(self._history.events):
            if isinstance(event, TaskEnded):
                key, number = (event.task, event.visit), self._new(event.task)
                if number >= len(graph.names):
                    continue
                comes_after = bool(graph.before(number) & undone)
                if comes_after:
                    self._why.setdefault(self._plan.tasks[number].name, "what comes before it does")
                if self._is_worth_keeping(event, key, broken) and not comes_after:
                    ended = replace(event, task=number)
                    kept[number, event.visit] = KeptOutcome(at, ended)
            for key in starts.get(at, ()):
                number = self._new(key[0])
                if graph.before(number) & undone:
                    broken[key] = False
                undone |= 1 << number
        return kept

    def _is_worth_keeping(
        self, event: TaskEnded, key: _VisitKey, broken: Mapping[_VisitKey, bool]
    ) -> bool:
        if event.result.status is not Status.SUCCEEDED:
            return False
        if key not in broken:
            return True
        # Its action succeeded, and then one of its templates failed that may be repaired by now.
        has_failed_items = event.result.items is not None and event.result.items.failed > 0
        return self._is_repaired and broken[key] and not has_failed_items

    def _told(self) -> dict[int, list[int]]:
        told: dict[int, list[int]] = {}
        for old, visit in sorted(self._settled):
            told.setdefault(self._new(old), []).append(visit)
        return told

    def _advanced(self, but: Set[int]) -> Sequence[VisitsAdvanced]:
        """Gives the visits of all tasks `but` these numbers over those that are recorded."""
        last = sorted((self._new(old), visit) for old, visit in self._last.items())
        visits = tuple(each for each in last if each[0] not in but)
        return (VisitsAdvanced(visits),) if visits else ()

    def _new(self, old: int) -> int:
        return self._plan.numbers.get(self._recorded.tasks[old].name, -1)

    def _undo(self, old: int, visit: int) -> Iterator[Discard]:
        """What to take back of a visit that is made again."""
        row = self._history.visits[old, visit]
        inside = inner_path(row.path, row.visit)
        if row.has_items:
            for index in self._begun_in_vain(row, inside):
                yield Discard(row.run_no, under=f"{inside}[{index}]")
            yield Discard(row.run_no, visit_no=row.visit_no, under=inside)
        else:
            yield Discard(row.run_no, under=inside)

    def _begun_in_vain(self, row: VisitRecord, inside: str) -> Iterator[int]:
        """The items with steps of a child that haven't succeeded, recorded or not."""
        succeeded = self._records.recorded_items(row.run_no, row.visit_no).indexes
        for index in self._unsuccessful(row):
            succeeded.discard(index)
        begun = self._records.begun_items(row.run_no, inside)
        return (index for index in begun if index not in succeeded)

    def _unsuccessful(self, row: VisitRecord) -> Iterator[int]:
        for status in _BROKEN:
            after = -1
            while page := self._records.items(row.run_no, row.visit_no, status=status, after=after):
                yield from (item.index for item in page)
                after = page[-1].index

    def _notes(self, kept: Collection[_VisitKey], rows: Visits, same: Set[int]) -> Sequence[str]:
        fates = list(self._fates({number for number, _ in kept}, rows, same))
        if self._is_repaired or self._from_task is not None:
            return line_by_line(fates)
        return [in_one_line(fates)]

    def _fates(self, kept: Set[int], rows: Visits, same: Set[int]) -> Iterator[RerunNote]:
        for task in self._plan.tasks[: len(self._plan.graph.names)]:
            started = [row for (no, _), row in rows.items() if no == task.number and row.started_at]
            if task.name in self._why:
                items = started[-1].items if started and task.number in same else None
                yield RerunNote(task.name, why=self._why[task.name], items=items)
            elif task.number in kept:
                old = self._recorded.tasks[self._recorded.numbers[task.name]]
                yield RerunNote(
                    task.name, is_kept=True, is_changed=_asked_of(task) != _asked_of(old)
                )
            elif not started:
                yield RerunNote(task.name)


def _why(result: TaskResult) -> str:
    """Why a visit with this result is made again."""
    if result.status is Status.CANCELLED:
        return "it was cancelled"
    if result.items is not None and result.items.failed:
        return f"{result.items.failed:,} of its items failed"
    return "it failed"


def _asked_of(task: PlannedTask) -> Any:
    """What a task calls, and with what input, as the workflow's text."""
    workflow = task.spec.workflow
    called = task.spec.name if workflow is None else workflow().text
    return called, {entry.name: entry.value.raw for entry in task.inputs}


def _items_of(task: PlannedTask) -> Any:
    """What says which items a task has, as the workflow's text."""
    if task.items is None:
        return None
    batch = task.settings.get("batch-size")
    size = None if batch is None else (batch.value.raw if batch.value else batch.literal)
    return task.items.kind, {name: part.raw for name, part in task.items.parts.items()}, size
