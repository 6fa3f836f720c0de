"""One attempt, wherever it runs: render the input, check it, call the action, encode the result.

A `VisitCall` holds the part that all attempts of one visit share. Inputs whose templates name
neither `item` nor `index` are rendered, checked and frozen once, when it is made; each item gets
them by reference. Only inputs that differ by item are rendered and checked for each attempt.

A call needs no run, journal or observer: it asks its `Surroundings` for the little that differs
between the process that drives a run (`calls.py`) and a worker. `portable` turns a call into data,
and `restore_call` turns that back. Times are seconds since the epoch, spans are seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

import msgspec

from fanwise.catalog import ActionContext, ActionSpec, StopFlag
from fanwise.context import ItemContext, WorkflowContext
from fanwise.engine.capture import AttemptLog
from fanwise.engine.evaluate import bounded
from fanwise.engine.masking import Masker
from fanwise.engine.visit import Visit
from fanwise.errors import AttemptError, InputError, LimitError, Place
from fanwise.model import Limits
from fanwise.plan import PlannedInput, Value
from fanwise.plan.snapshot import (
    Snapshot,
    from_text,
    holds_secret,
    restore,
    secret_values,
    take_snapshot,
    to_text,
)
from fanwise.ports import Arguments, CallSpec, InputText, PortableCall, Ticket
from fanwise.values import FrozenDict, FrozenList, Json, decode, encode

_Check: TypeAlias = Callable[[Any], Any]
_Render: TypeAlias = Callable[[WorkflowContext | ItemContext, None], Json]


class Surroundings(Protocol):
    """The services that a visit's call asks of the process in which it runs.

    Results and logs are masked by `masker`. The folders are those in which relative paths start.
    """

    @property
    def limits(self) -> Limits:
        """The bounds of the run."""

    @property
    def masker(self) -> Masker:
        """Knows the values of secrets."""

    @property
    def stop(self) -> StopFlag:
        """Set once the visit is to stop."""

    @property
    def workflow_folder(self) -> Path:
        """The folder of the workflow's file."""

    @property
    def caller_folder(self) -> Path:
        """The folder in which the paths of `given` parameters start."""

    @property
    def given(self) -> frozenset[str]:
        """The names of the parameters that the run was given."""

    def now(self) -> float:
        """The time."""

    def locate(self, text: str, value: Value) -> str:
        """The absolute path that `text`, which `value` gave, means."""

    def sleeper(self, ticket: Ticket) -> Callable[[float], Awaitable[None]]:
        """A function that sleeps so many seconds, for one attempt."""

    def keep_log(self, ticket: Ticket, path: str, written_at: float, text: str) -> None:
        """Record a text that an attempt has printed."""


class RenderedInput(NamedTuple):
    """An input that has its value already; `place` is its place in the workflow's file."""

    name: str
    value: Json
    place: Place


class VisitCall:
    """The part that the attempts of one visit share. Implements `ports.ActionCall`.

    `inputs` are rendered here, those in `rendered` are not. With a `child` the action is a
    workflow, which takes its ticket with its input. Raises `AttemptError` if the shared inputs
    can't be rendered or don't fit the action.
    """

    def __init__(
        self,
        action: ActionSpec,
        inputs: Sequence[PlannedInput],
        visit: Visit,
        context: WorkflowContext,
        around: Surroundings,
        *,
        timeout_s: float | None,
        rendered: Iterable[RenderedInput] = (),
        child: Callable[..., Awaitable[object]] | None = None,
    ) -> None:
        self.function = action.function if child is None else child
        self.runs = action.runs
        self.timeout_s = timeout_s
        self.visit = visit
        self.action = action
        self.inputs = inputs
        self.context = context
        self.around = around
        self._limit = around.limits.result_bytes
        self._masker = around.masker
        self._masks = self._masker.is_active
        self._is_child = child is not None
        self._context_field = action.context_field
        self._shared: Arguments = {}
        self._by_item: list[tuple[str, _Render, _Check | None, Place]] = []
        for entry in inputs:
            if entry.value.differs_by_item:
                field = action.fields.get(entry.name)
                check = None if field is None else field.check
                self._by_item.append((entry.name, self.render(entry), check, entry.value.place))
            else:
                value = self.render(entry)(context, None)
                self._share(entry.name, value, entry.value.place)
        for name, value, place in rendered:
            self._share(name, value, place)

    def render(self, entry: PlannedInput) -> _Render:
        """The function that renders an input, with outputs read and paths made absolute."""
        render: _Render = entry.value.evaluate
        if entry.reads_pages:
            render = partial(_read, render, entry.value.place, self.around.limits)
        field = self.action.fields.get(entry.name)
        if field is not None and field.is_path:
            render = partial(_locate, render, entry.value, self.around)
        return render

    def _share(self, name: str, value: Json, place: Place) -> None:
        """Check an input that all items share."""
        field = self.action.fields.get(name)
        check = None if field is None else field.check
        checked = value if check is None else _checked(check, value, place)
        if field is None or field.shareable:
            self._shared[name] = checked
        else:  # a model, say, which an action may change: each attempt has its own
            self._by_item.append((name, lambda _context, _outcome: value, check, place))

    def arguments(self, ticket: Ticket) -> Arguments:
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
        visit, around = self.visit, self.around
        return ActionContext(
            run_id=visit.run_id,
            task=visit.path,
            index=ticket.index,
            attempt=ticket.attempt,
            idempotency_key=f"{visit.run_id}/{self.describe(ticket)}/{visit.number}",
            deadline=None if self.timeout_s is None else around.now() + self.timeout_s,
            logger=logging.getLogger(f"fanwise.action.{self.action.name}"),
            stop=around.stop,
            limits=around.limits,
            folder=str(around.workflow_folder),
            sleep=around.sleeper(ticket),
        )

    def result(self, value: object, ticket: Ticket) -> bytes:
        """The action's result as JSON text. Raises `ResultError` or `LimitError`."""
        output = encode(value, where="result")
        if self._masks and not self._masker.holds_none(output):
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
        return f"{self.visit.path}{index}"

    def open_log(self) -> AttemptLog:
        """A block whose printed text goes to a log of its own."""
        around = self.around
        return AttemptLog(around.limits.log_bytes, self._masker, around.now, self._keep_log)

    def _keep_log(self, ticket: Ticket, written_at: float, text: str) -> None:
        self.around.keep_log(ticket, self.describe(ticket), written_at, text)

    def portable(self) -> PortableCall:
        """The call as data. Raises `AttemptError` if it has to stay in this process."""
        return _make_portable(self)

    def secret_values(self) -> bytes:
        """The values at the secret paths of the portable call, as JSON text; never to be kept."""
        return _secrets_of(self)


def _checked(check: _Check, value: Json, place: Place) -> object:
    try:
        return check(value)
    except InputError as error:
        raise error.at(place) from None


def _read(
    render: _Render,
    place: Place,
    limits: Limits,
    context: WorkflowContext | ItemContext,
    outcome: None,
) -> Json:
    """Render, with the outputs of tasks with items read into lists."""
    value: Json = bounded(render(context, outcome), place, limits)
    return value


def _locate(
    render: _Render,
    value: Value,
    around: Surroundings,
    context: WorkflowContext | ItemContext,
    outcome: None,
) -> Json:
    """Render, with a relative path made absolute, also in lists and maps of paths."""
    return _located(render(context, outcome), value, around)


def _located(path: Json, value: Value, around: Surroundings) -> Json:
    if isinstance(path, str):
        return around.locate(path, value)
    if isinstance(path, dict):
        return FrozenDict({name: _located(part, value, around) for name, part in path.items()})
    if isinstance(path, list):
        return FrozenList([_located(part, value, around) for part in path])
    return path


# A call as data
#
# Inputs that all items share are rendered by the process that drives the run. Inputs that differ by
# item travel as their text, with a snapshot of the values that they name. So do shared inputs that
# name a secret: a rendered one would hold it, in whatever form its template gives it.


def _make_portable(call: VisitCall) -> PortableCall:
    """The call as data. Raises `AttemptError` if it has to stay in this process."""
    action = call.action.reference
    if action is None:
        kind = "a workflow" if call.action.workflow is not None else "a function of this process"
        raise AttemptError(
            f'"{call.action.name}" is {kind}, which no other process can call.',
            hint="Put the action into a pack's folder, or run it in this process.",
        )
    traveling, shared = _divided(call)
    snapshot = _snapshot(call, traveling)
    around, visit = call.around, call.visit
    spec = CallSpec(
        action=action,
        run_id=visit.run_id,
        run_no=visit.run_no,
        visit_no=visit.visit_no,
        path=visit.path,
        visit=visit.number,
        inputs=tuple(to_text(entry.name, entry.value) for entry in traveling),
        shared=tuple(
            InputText(
                entry.name,
                encode(call.render(entry)(call.context, None), where=entry.name),
                (entry.value.place,),
            )
            for entry in shared
        ),
        snapshot=snapshot.digest,
        secrets=snapshot.secrets,
        timeout_s=call.timeout_s,
        limits=around.limits,
        workflow_folder=str(around.workflow_folder),
        caller_folder=str(around.caller_folder),
        given=tuple(sorted(around.given)),
    )
    return PortableCall(spec, snapshot.data)


def _secrets_of(call: VisitCall) -> bytes:
    """The values at the secret paths of the portable call, as JSON text for `restore_call`."""
    traveling, _ = _divided(call)
    return secret_values(call.context, _snapshot(call, traveling).secrets)


def restore_call(
    portable: PortableCall, secrets: bytes, action: ActionSpec, around: Surroundings
) -> VisitCall:
    """The call in another process, where `action` is what its reference has found.

    `secrets` come from `VisitCall.secret_values`. Raises `AttemptError`, and `TemplateSyntaxError`
    where that process knows less of the language.
    """
    spec = portable.spec
    visit = Visit(spec.run_id, spec.run_no, spec.visit_no, spec.path, spec.visit)
    return VisitCall(
        action,
        [PlannedInput(text.name, from_text(text, spec.limits)) for text in spec.inputs],
        visit,
        restore(portable.snapshot, secrets),
        around,
        timeout_s=spec.timeout_s,
        rendered=[
            RenderedInput(text.name, decode(text.raw), text.places[0]) for text in spec.shared
        ],
    )


def _divided(call: VisitCall) -> tuple[Sequence[PlannedInput], Sequence[PlannedInput]]:
    """The inputs that are rendered by a worker, and those that are rendered here."""
    traveling: list[PlannedInput] = []
    shared: list[PlannedInput] = []
    for entry in call.inputs:
        travels = entry.value.differs_by_item or holds_secret(
            entry.value, call.context, lambda value: _is_secret(call, value)
        )
        (traveling if travels else shared).append(entry)
    return traveling, shared


def _snapshot(call: VisitCall, traveling: Sequence[PlannedInput]) -> Snapshot:
    values = [entry.value for entry in traveling]
    return take_snapshot(values, call.context, is_secret=lambda value: _is_secret(call, value))


def _is_secret(call: VisitCall, value: object) -> bool:
    """True if a value holds the text of a secret, in any form that is masked."""
    masker = call.around.masker
    return masker.is_active and not masker.holds_none(encode(value))
