"""Runs a child workflow whose tasks simply follow each other, without deciding after each step.

Most children are a few plain steps in listed order, run for each of very many items. Their plan is
compiled once for a visit, and each child then goes from one step to the next: its rows, its output
and the results that its templates see are those that the conductor's own way would give.

Only success is told here. At the first step that fails, and for any other surprise, a child departs
from the line: the rows that it has recorded are all that a driver needs to restore the child and
bring it to its end, as after a crash. So what follows a failure is decided in one place.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from fanwise.catalog import InputRule
from fanwise.conductor import Evaluate, EvaluationKind
from fanwise.context import WorkflowContext
from fanwise.engine.attempt import (
    InputRender,
    encode_result,
    input_render,
    require_rules,
    rules_to_check,
    too_large,
)
from fanwise.engine.calls import RunSurroundings
from fanwise.engine.capture import AttemptLog
from fanwise.engine.context_size import require_room
from fanwise.engine.evaluate import evaluate_asked
from fanwise.engine.inline import is_cut_off, is_plain, run_plain
from fanwise.engine.journal import refusal
from fanwise.engine.services import RunServices
from fanwise.engine.visit import Visit
from fanwise.errors import AttemptError, RecordRefusedError
from fanwise.graph import IMPLICIT
from fanwise.model import LogEntry, Status, TaskResult, VisitRecord
from fanwise.plan import Plan, PlannedTask
from fanwise.ports import Ticket
from fanwise.values import decode

_NOT_SEEN = TaskResult(Status.SKIPPED)


class Followed(NamedTuple):
    """The end of the line for one child: its output, or its rows if it `departed` before."""

    output: object
    departed: Sequence[VisitRecord] | None = None


class _Step(NamedTuple):
    """A task of the line. Without a `function` its call is made for each child."""

    task: PlannedTask
    shared: Mapping[str, object]
    inputs: tuple[InputRender, ...]
    rules: Sequence[InputRule]
    function: Callable[..., Awaitable[object]] | None


def is_straight(plan: Plan, executor: str | None = None) -> bool:
    """True if the workflow's tasks run in listed order, each once, and wait for nothing else.

    `executor` is the one of tasks that name none, or None.
    """
    edges = plan.graph.edges
    follows = {edge.target for edge in edges if edge.source == edge.target - 1}
    return (
        (plan.timeout is None or not plan.timeout.given)
        and not plan.variables
        and not plan.keys
        and len(plan.graph.names) == len(plan.tasks)  # none in `finally`
        and follows == set(range(1, len(plan.tasks)))
        and all(edge.source < edge.target and edge.transition == IMPLICIT for edge in edges)
        and all(_is_simple(task, executor) for task in plan.tasks)
    )


def _is_simple(task: PlannedTask, executor: str | None) -> bool:
    has_branches = task.when is not None or task.publish or task.transitions
    return is_plain(task, executor) and not has_branches


class _Printing:
    """Records what the steps of one child print; `row` is that of the step that runs."""

    __slots__ = ("_run", "row")

    def __init__(self, run: RunServices) -> None:
        self._run = run
        self.row: VisitRecord

    def keep_text(self, _ticket: Ticket, written_at: float, text: str) -> None:
        row = self.row
        log = LogEntry(row.run_no, row.visit_no, None, 1, row.path, written_at, text)
        self._run.journal.add_log(log)


class StraightLine:
    """A straight workflow as the children of one visit run it; `run` has their services."""

    def __init__(self, plan: Plan, run: RunServices, visit: Visit) -> None:
        self._plan = plan
        self._run = run
        self._steps = [self._compile(task, visit) for task in plan.tasks]
        self._slots = run.slots.of(run.depth, is_workflow=False)
        self._none_seen = dict.fromkeys(plan.numbers, _NOT_SEEN)

    def _compile(self, task: PlannedTask, visit: Visit) -> _Step:
        action = task.spec
        names_attempt = any(entry.value.names_attempt for entry in task.inputs)
        if action.workflow is not None or action.context_field is not None or names_attempt:
            return _Step(task, {}, (), (), None)
        around = RunSurroundings(self._run, visit, resumes=False)
        inputs = tuple(input_render(entry, action, around) for entry in task.inputs)
        rules = rules_to_check(action, [entry.name for entry in task.inputs])
        shared = {} if action.limits_field is None else {action.limits_field: around.limits}
        return _Step(task, shared, inputs, rules, action.function)

    async def follow(self, context: WorkflowContext, prefix: str) -> Followed:
        """Run a child from its first step on; paths of its tasks begin with `prefix`."""
        run, limits = self._run, self._run.services.limits
        rows: list[VisitRecord] = []
        results: Mapping[str, TaskResult] = self._none_seen
        held_bytes, ended_at = 0, 0.0
        printing = _Printing(run)
        log = AttemptLog(limits.log_bytes, run.masker, run.services.clock.now, printing.keep_text)
        for step in self._steps:
            seen = context.seeing(context.variables, results)
            printing.row = row = self._begin(step, prefix)
            row = await self._run_step(step, row, seen, log)
            try:
                held_bytes += len(row.output or b"")
                require_room(held_bytes, f"the result of {row.path}", limits.context_bytes)
            except AttemptError as error:
                row = replace(row, status=Status.FAILED, output=None, error=run.describe(error))
            # No two steps of a child end at the same time: it is restored in the order of these.
            ended_at = max(run.services.clock.now(), math.nextafter(ended_at, math.inf))
            row = await self._record(replace(row, ended_at=ended_at))
            rows.append(row)
            if row.output is None:
                return Followed(None, rows)
            result = TaskResult(Status.SUCCEEDED, output=decode(row.output))
            results = {**results, step.task.name: result}
        try:
            seen = context.seeing(context.variables, results)
            asked = Evaluate(EvaluationKind.OUTPUT, seen)
            return Followed(evaluate_asked(self._plan, asked, limits))
        except AttemptError:
            return Followed(None, rows)

    def _begin(self, step: _Step, prefix: str) -> VisitRecord:
        """The row of a step that starts, as it will be if it succeeds."""
        run = self._run
        return VisitRecord(
            run_no=run.run_no,
            visit_no=next(run.numbers),
            path=prefix + step.task.name,
            visit=1,
            status=Status.SUCCEEDED,
            started_at=run.services.clock.now(),
            attempts=1,
        )

    async def _run_step(
        self, step: _Step, row: VisitRecord, context: WorkflowContext, log: AttemptLog
    ) -> VisitRecord:
        """Make the one attempt of a step, and return its row but for the time of its end."""
        run = self._run
        if step.function is None:
            visit = Visit(run.run_id, run.run_no, row.visit_no, row.path, 1)
            end = await run_plain(step.task, visit, context, run, resumes=False)
            return replace(row, status=end.result.status, output=end.output, error=end.result.error)
        ticket = Ticket(context, None, 1)
        await self._slots.take()
        run.activity.awake += 1
        try:
            with log:
                log.ticket = ticket
                try:
                    given = {each.name: each.value_in(context) for each in step.inputs}
                    arguments = {**given, **step.shared}
                    if step.rules:
                        require_rules(step.task.spec, step.rules, arguments)
                    value = await step.function(**arguments)
                finally:
                    log.ticket = None
                    if log.has_text:
                        log.keep(ticket)
            output = encode_result(value, run.masker)
            limits = run.services.limits
            if len(output) > limits.result_bytes:
                raise too_large(row.path, output, limits)
            return replace(row, output=output)
        except BaseException as error:
            if is_cut_off(error):
                raise
            return replace(row, status=Status.FAILED, error=run.describe(error))
        finally:
            run.activity.left(1)
            self._slots.give_back()

    async def _record(self, row: VisitRecord) -> VisitRecord:
        """Record a step, as failed if the store refuses its result, and return its row."""
        try:
            await self._run.journal.commit(row)
        except RecordRefusedError as error:
            if row.status is not Status.SUCCEEDED:
                raise
            row = replace(row, status=Status.FAILED, output=None, error=refusal(error))
            await self._run.journal.commit(row)
        return row
