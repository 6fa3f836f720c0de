"""One attempt, wherever it runs: render the input, check it, call the action, encode the result.

`TaskCall` holds what the attempts of one visit of a task share. Inputs whose templates name neither
`item` nor `index` are rendered, checked and frozen once, when it is made; each item gets them by
reference. Only inputs that differ by item are rendered and checked for each attempt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from fanwise.bitmap import Bitmap
from fanwise.catalog import ActionContext, ActionSpec
from fanwise.context import ItemContext, WorkflowContext
from fanwise.engine.capture import AttemptLog, log_text
from fanwise.engine.evaluate import bounded
from fanwise.engine.services import RunServices
from fanwise.engine.sleeping import Sleeper
from fanwise.engine.visit import Visit
from fanwise.errors import InputError, LimitError, Place
from fanwise.model import Limits, LogEntry
from fanwise.plan import PlannedInput, PlannedTask, Value
from fanwise.ports import Ticket
from fanwise.values import encode

_Check = Callable[[Any], Any]
_Render = Callable[[Any, None], Any]


class TaskCall:
    """What the attempts of one visit of a task have in common. Implements `ports.Call`.

    With `resumes` the visit was begun by an earlier process, with the steps of `begun_children`.
    Raises `AttemptError` if the shared inputs can't be rendered or don't fit the action.
    """

    def __init__(
        self,
        task: PlannedTask,
        visit: Visit,
        context: WorkflowContext,
        run: RunServices,
        *,
        timeout_s: float | None,
        resumes: bool = False,
        begun_children: Bitmap | None = None,
    ) -> None:
        spec = task.spec
        self.function = spec.function
        self.runs = spec.runs
        self.timeout_s = timeout_s
        self._visit = visit
        self._resumes = resumes
        self._limit = run.services.limits.result_bytes
        self._masker = run.masker
        self._run = run
        self._context_field = spec.context_field
        self._logger_name = f"fanwise.action.{spec.name}"
        self._shared: dict[str, Any] = {}
        self._by_item: list[tuple[str, _Render, _Check | None, Place]] = []
        self._is_child = spec.workflow is not None
        if spec.workflow is not None:
            self.function = run.child(spec.workflow(), visit, context, run, begun_children)
        for entry in task.inputs:
            self._add(spec, entry, context, run)

    def _add(
        self, spec: ActionSpec, entry: PlannedInput, context: WorkflowContext, run: RunServices
    ) -> None:
        """Render an input now if all items share it, else keep it for each attempt."""
        field = spec.fields.get(entry.name)
        render: _Render = entry.value.evaluate
        if entry.reads_pages:
            render = _reading(render, entry.value.place, run.services.limits)
        if field is not None and field.is_path:
            render = _locating(render, entry.value, run)
        check = None if field is None else field.check
        place = entry.value.place
        if entry.value.differs_by_item:
            self._by_item.append((entry.name, render, check, place))
            return
        value = render(context, None)
        checked = value if check is None else _checked(check, value, place)
        if field is None or field.shareable:
            self._shared[entry.name] = checked
        else:  # a model, say, which an action may change: each attempt has its own
            self._by_item.append((entry.name, lambda _context, _outcome: value, check, place))

    def arguments(self, ticket: Ticket) -> dict[str, Any]:
        """The action's arguments. Raises `AttemptError`."""
        arguments = self._shared.copy()
        context = ticket.context
        for name, render, check, place in self._by_item:
            value = render(context, None)
            if check is not None:
                try:
                    value = check(value)
                except InputError as error:
                    raise error.at(place) from None
            arguments[name] = value
        if self._context_field is not None:
            arguments[self._context_field] = self._action_context(ticket)
        if self._is_child:
            return {"ticket": ticket, "given": arguments}
        return arguments

    def _action_context(self, ticket: Ticket) -> ActionContext:
        visit = self._visit
        return ActionContext(
            run_id=visit.run_id,
            task=visit.path,
            index=ticket.index,
            attempt=ticket.attempt,
            idempotency_key=f"{visit.run_id}/{self.describe(ticket)}/{visit.number}",
            deadline=self._deadline(),
            logger=logging.getLogger(self._logger_name),
            stop=self._run.stop,
            limits=self._run.services.limits,
            folder=str(self._run.workflow_folder),
            sleep=self._sleeper(ticket),
        )

    def _sleeper(self, ticket: Ticket) -> Sleeper:
        run, visit = self._run, self._visit
        return Sleeper(
            visit.run_no,
            visit.item(ticket.index),
            run.services.clock,
            run.journal,
            run.services.records,
            resumes=self._resumes and ticket.attempt == 1,
        )

    def _deadline(self) -> float | None:
        return None if self.timeout_s is None else self._run.services.clock.now() + self.timeout_s

    def result(self, value: object, ticket: Ticket) -> bytes:
        """What the action returned, as JSON text. Raises `ResultError` or `LimitError`."""
        output = encode(value, where="result")
        if not self._masker.holds_none(output):
            output = msgspec.json.encode(self._masker.mask(msgspec.json.decode(output)))
        if len(output) > self._limit:
            raise LimitError(
                f"the result of {self.describe(ticket)} has {len(output):,} bytes as JSON; "
                f"the limit is {self._limit:,}.",
                setting="limits.result_bytes",
            )
        return output

    def describe(self, ticket: Ticket) -> str:
        """The path of the attempt's task and item, such as `check[17]`."""
        index = "" if ticket.index is None else f"[{ticket.index}]"
        return f"{self._visit.path}{index}"

    def open_log(self) -> AttemptLog:
        """A block in which what is printed goes to a log of its own, which begins open."""
        return AttemptLog(self._run.services.limits.log_bytes, self._keep_log)

    def _keep_log(self, ticket: Ticket, started_at: float, written: bytes, left_out: int) -> None:
        visit = self._visit
        self._run.journal.add_log(
            LogEntry(
                visit.run_no,
                visit.visit_no,
                ticket.index,
                ticket.attempt,
                self.describe(ticket),
                started_at,
                log_text(written, left_out, self._masker),
            )
        )


def _checked(check: _Check, value: Any, place: Place) -> Any:
    try:
        return check(value)
    except InputError as error:
        raise error.at(place) from None


def _reading(render: _Render, place: Place, limits: Limits) -> _Render:
    """`render`, with the outputs of tasks with items read into lists."""

    def read(context: WorkflowContext | ItemContext, outcome: None) -> Any:
        return bounded(render(context, outcome), place, limits)

    return read


def _locating(render: _Render, value: Value, run: RunServices) -> _Render:
    """`render`, with a relative path made absolute."""

    def locate(context: WorkflowContext | ItemContext, outcome: None) -> Any:
        path = render(context, outcome)
        return run.locate(path, value) if isinstance(path, str) else path

    return locate
