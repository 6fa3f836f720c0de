"""The plan of a rerun: the part of a run that is over that runs again, and the part that is kept.

Tasks that failed or were cut off run again, and tasks after them: of a task with items only the
items that haven't succeeded. Everything else is kept. A visit that failed runs again as the same
visit, with the same idempotency keys, unless its task was visited again afterwards. A visit that
comes after a rerun one is a new visit. With a repaired workflow a task is known by its name, and
its recorded work is kept unless its items come from elsewhere now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from difflib import get_close_matches

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
from fanwise.engine.recovery.corrections import Corrections
from fanwise.engine.recovery.event_codec import Visits
from fanwise.engine.recovery.history import History
from fanwise.engine.recovery.reopen import BROKEN, has_other_items, reopen_visit
from fanwise.engine.starting_point import first_state
from fanwise.errors import NothingToRetryError, TaskNotFoundError, UsageError
from fanwise.model import ChosenKind, Discard, RunRecord, Status, TaskResult, VisitRecord
from fanwise.plan import Plan, PlannedTask
from fanwise.ports import Records, RerunNote, RerunNotes, RerunReason

_VisitKey = tuple[int, int]


class RerunPlan(msgspec.Struct, frozen=True):
    """The plan of a rerun. Tasks are numbered as in the plan of the workflow that it runs.

    `kept` has the outcomes that are kept, `rows` the rows of the run's own visits, and
    `recorded_visits` each task's visits since the latest `RunStarted`, in their order. `restarted`
    renumbers the tasks without a kept outcome, `advanced` the visits that start after the kept
    part. `reopened` changes records of visits that run again, `notes` are for
    observers, `seq` is the last recorded event.
    """

    recorded_visits: Mapping[int, Sequence[int]]
    kept: Mapping[_VisitKey, KeptOutcome]
    rows: Visits
    restarted: Sequence[VisitsAdvanced]
    advanced: Sequence[VisitsAdvanced]
    reopened: Sequence[Discard | VisitRecord]
    notes: RerunNotes
    seq: int

    def outcome_of(self, command: StartTask) -> KeptOutcome | VisitsAdvanced | None:
        """The kept outcome of a visit, or a renumbering if the visit is a new one."""
        number, visit = command.task, command.visit
        had = next((each for each in self.recorded_visits.get(number, ()) if each >= visit), visit)
        if had > visit:
            return VisitsAdvanced(((number, had - 1),))
        return self.kept.get((number, visit))


def plan_rerun(
    plan: Plan,
    recorded: Plan,
    record: RunRecord,
    history: History,
    records: Records,
    *,
    from_task: str | None = None,
    kind_of: ChosenKind | None = None,
    corrected: Collection[str] = (),
) -> RerunPlan:
    """The plan of a rerun of `record` with `plan`; `recorded` is the plan it was recorded with.

    With `from_task` that task runs again as a new visit, whatever its outcome. Of the task of
    `kind_of` just the items that have failed with that kind run again. `corrected` names the
    parameters that have new values. Reads from the store, which may block. Raises
    `NothingToRetryError`, `TaskNotFoundError` for a task that hasn't run, and `UsageError` if
    `plan` lacks a task with recorded work, or if `kind_of` can't be run again by itself.
    """
    corrections = Corrections(plan, corrected)
    return _Rerun(plan, recorded, record, history, records, from_task, kind_of, corrections).plan()


class _Rerun:
    """A rerun being planned. A task number named `old` is of the recorded plan."""

    def __init__(
        self,
        plan: Plan,
        recorded: Plan,
        record: RunRecord,
        history: History,
        records: Records,
        from_task: str | None,
        kind_of: ChosenKind | None,
        corrections: Corrections,
    ) -> None:
        self._plan = plan
        self._recorded = recorded
        self._record = record
        self._history = history
        self._records = records
        self._is_repaired = _texts_of(plan) != _texts_of(recorded)
        self._replay = Replay(recorded, first_state(recorded))
        self._settled: dict[_VisitKey, tuple[int, SettleTask]] = {}
        self._ended: dict[_VisitKey, int] = {}  # at which event each visit's action ended
        self._last: dict[int, int] = {}  # the last visit of each task that has started
        for (old, visit), row in history.visits.items():
            if row.started_at is not None:
                self._last[old] = max(visit, self._last.get(old, 0))
        self._from_task = from_task
        self._kind_of = kind_of
        self._corrections = corrections
        self._reasons: dict[str, RerunReason] = {}  # by the names of tasks that run again
        self._failed_items: dict[str, int] = {}

    def plan(self) -> RerunPlan:
        self._require_places()
        self._read()
        broken = self._broken()
        if not (broken or self._is_repaired or self._record.status in BROKEN):
            raise NothingToRetryError(
                f"nothing of run {self._record.id} has failed.",
                run_id=self._record.id,
                hint=f"To start again from a task: fanwise retry {self._record.id} --from TASK",
            )
        kept = self._kept(broken)
        if self._kind_of is not None:
            self._choose(self._kind_of, broken)
        rows = {
            (self._new(old), visit): replace(row, output=None)  # a kept output isn't written again
            for (old, visit), row in self._history.visits.items()
            if self._new(old) >= 0
        }
        same = {self._new(old) for (old, _), is_same in broken.items() if is_same}
        stays = same | {number for number, _ in kept}
        return RerunPlan(
            recorded_visits=self._recorded_visits(),
            kept=kept,
            rows=rows,
            restarted=self._advanced(stays),
            advanced=self._advanced(same),
            reopened=[
                *self._gone(),
                *(each for key, is_same in broken.items() if is_same for each in self._undo(*key)),
            ],
            notes=RerunNotes(
                tuple(self._notes({number for number, _ in kept}, rows, same)),
                from_task=self._from_task,
                corrected=tuple(sorted(self._corrections.names)),
                is_repaired=self._is_repaired,
            ),
            seq=self._history.seq,
        )

    def _visited(self, name: str) -> int:
        """The old number of a task that has run since the latest `RunStarted`."""
        recorded, size = self._recorded, len(self._recorded.graph.names)
        if recorded.numbers.get(name, 0) >= size:
            raise UsageError(
                f'"{name}" is a task of {recorded.tasks[recorded.numbers[name]].path[0]}, '
                "and these have their turn at the end of every retry.",
                hint="Name another task.",
            )
        ran = [old for old, _ in self._settled if old in self._last and old < size]
        visited = {recorded.tasks[old].name: old for old in ran}
        if name not in visited:
            near = get_close_matches(name, visited, n=1)
            hint = f'Did you mean "{near[0]}"?' if near else f"It has run {', '.join(visited)}."
            raise TaskNotFoundError(
                f'run {self._record.id} has not run a task "{name}".',
                run_id=self._record.id,
                task=name,
                hint=hint if visited else "",
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
        """Find when and how each recorded visit ended."""
        for at, event in enumerate(self._history.events):
            if isinstance(event, TaskEnded):
                self._ended[event.task, event.visit] = at
            for command in self._replay.take(event):
                if isinstance(command, SettleTask) and command.visit:
                    self._settled[command.task, command.visit] = at, command

    def _broken(self) -> dict[_VisitKey, bool]:
        """The old visits that run again for their own sake, and whether as the same visit."""
        broken: dict[_VisitKey, bool] = {}
        for key, (_, settled) in self._settled.items():
            if key[0] >= len(self._recorded.graph.names):  # the end has its turn every time
                continue
            result, name = settled.result, self._recorded.tasks[key[0]].name
            failed_items = result.items.failed if result.items else 0
            if self._has_other_items(name, key[0]):
                broken[key] = False
                self._reasons[name] = RerunReason.OTHER_ITEMS
            elif result.status in BROKEN or failed_items:
                broken[key] = key[1] == self._last.get(key[0])
                self._reasons[name] = _reason(result)
                self._failed_items[name] = failed_items
        ended = self._replay.ended
        if ended is not None and ended.error is not None and ended.error.type == "Failed":
            # A new visit, unless it runs again as the same one because it failed itself.
            number = self._recorded.numbers[ended.error.data["task"]]
            leader = self._latest(number, RerunReason.LED_TO_FAIL)
            broken.setdefault(leader, False)
        if self._from_task is not None:
            broken[self._latest(self._visited(self._from_task), RerunReason.NAMED)] = False
        return broken

    def _choose(self, chosen: ChosenKind, broken: Mapping[_VisitKey, bool]) -> None:
        """Check that the items of one kind can run again by themselves, and count them."""
        old = self._visited(chosen.task)
        key = old, self._last[old]
        kinds = self._records.kinds(self._record.run_no, self._history.visits[key].visit_no)
        found = next((each for each in kinds if each.number == chosen.kind), None)
        if found is None:
            raise NothingToRetryError(
                f'no item of "{chosen.task}" of run {self._record.id} has failed with the kind '
                f"{chosen.kind}.",
                run_id=self._record.id,
                hint=f"`fanwise show {self._record.id}` numbers the kinds of errors.",
            )
        whole = f"Retry the whole of it: fanwise retry {self._record.id}"
        if not broken.get(key, False):
            raise UsageError(
                f'"{chosen.task}" starts again with all of its items, so none of them can be '
                "chosen.",
                hint=whole,
            )
        on_error = self._plan.tasks[self._new(old)].settings.on_item_error
        if on_error.given != "continue":
            raise UsageError(
                f'"{chosen.task}" stops at an item that fails, so those that stay as they are '
                "would stop it.",
                hint=whole,
            )
        self._failed_items[chosen.task] = found.count

    def _latest(self, old: int, reason: RerunReason) -> _VisitKey:
        """The latest visit of a task, which runs again for this reason if for no other."""
        self._reasons.setdefault(self._recorded.tasks[old].name, reason)
        return old, max(visit for number, visit in self._settled if number == old)

    def _has_other_items(self, name: str, old: int) -> bool:
        new = self._plan.tasks[self._plan.numbers[name]]
        is_other = has_other_items(new, self._recorded.tasks[old])
        return is_other or self._corrections.change_items(new)

    def _kept(self, broken: dict[_VisitKey, bool]) -> dict[_VisitKey, KeptOutcome]:
        """The outcomes to keep, by the plan's numbers.

        A visit in `broken` that came after another one becomes a new visit: it may have done work
        under its idempotency keys, and its input may differ now.
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
                    name = self._plan.tasks[number].name
                    self._reasons.setdefault(name, RerunReason.FOLLOWS_RERUN)
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

    def _recorded_visits(self) -> dict[int, list[int]]:
        visits: dict[int, list[int]] = {}
        for old, visit in sorted(self._settled):
            visits.setdefault(self._new(old), []).append(visit)
        return visits

    def _advanced(self, but: Set[int]) -> Sequence[VisitsAdvanced]:
        """Number the visits of all tasks `but` these over the recorded ones."""
        last = sorted((self._new(old), visit) for old, visit in self._last.items())
        visits = tuple(each for each in last if each[0] not in but)
        return (VisitsAdvanced(visits),) if visits else ()

    def _new(self, old: int) -> int:
        return self._plan.numbers.get(self._recorded.tasks[old].name, -1)

    def _gone(self) -> Iterator[Discard]:
        """The rows of tasks that haven't started and that the repaired workflow doesn't have."""
        for (old, _), row in self._history.visits.items():
            if self._new(old) < 0 and row.started_at is None:
                yield Discard(row.run_no, visit_no=row.visit_no, whole=True)

    def _undo(self, old: int, visit: int) -> Iterator[Discard | VisitRecord]:
        """The changes of records by which a visit can run again."""
        task = self._plan.tasks[self._new(old)]
        row, chosen = self._history.visits[old, visit], self._kind_of
        return reopen_visit(
            task,
            self._recorded.tasks[old],
            row,
            self._records,
            has_other_input=self._corrections.change_input(task),
            kind=chosen.kind if chosen is not None and chosen.task == task.name else None,
        )

    def _notes(self, kept: Set[int], rows: Visits, same: Set[int]) -> Iterator[RerunNote]:
        for task in self._plan.tasks[: len(self._plan.graph.names)]:
            started = [row for (no, _), row in rows.items() if no == task.number and row.started_at]
            if task.name in self._reasons:
                items = started[-1].items if started and task.number in same else None
                yield RerunNote(
                    task.name,
                    reason=self._reasons[task.name],
                    failed_items=self._failed_items.get(task.name, 0),
                    items=items,
                    uses=self._corrections.used_by(task) if items else (),
                )
            elif task.number in kept:
                old = self._recorded.tasks[self._recorded.numbers[task.name]]
                is_changed = _called_by(task) != _called_by(old)
                uses = self._corrections.used_by(task)
                yield RerunNote(task.name, is_kept=True, is_changed=is_changed, uses=uses)
            elif not started:
                yield RerunNote(task.name)


def _reason(result: TaskResult) -> RerunReason:
    """The reason for which a visit with this result runs again."""
    if result.status is Status.CANCELLED:
        return RerunReason.CANCELLED
    if result.items is not None and result.items.failed:
        return RerunReason.ITEMS_FAILED
    return RerunReason.FAILED


def _texts_of(plan: Plan) -> list[str]:
    """The texts of a workflow, which comes first, and of those that it calls."""
    return [plan.text, *sorted(each.text for each in plan.family()[1:])]


def _called_by(task: PlannedTask) -> tuple[str, Mapping[str, object]]:
    """The action or workflow that a task calls, and its input, as the workflow's text."""
    workflow = task.spec.workflow
    called = task.spec.name if workflow is None else workflow().text
    return called, {entry.name: entry.value.raw for entry in task.inputs}
