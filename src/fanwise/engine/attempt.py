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
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

import msgspec

from fanwise.catalog import ActionContext, ActionSpec, Elements, InputRule, StopFlag
from fanwise.context import AttemptContext, TemplateContext, WorkflowContext
from fanwise.engine.capture import AttemptLog
from fanwise.engine.evaluate import bounded
from fanwise.engine.masking import Masker
from fanwise.engine.visit import Visit
from fanwise.errors import AttemptError, InputError, LimitError, Place, ResultError
from fanwise.model import Arrival, KvChange, Limits
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
from fanwise.values import FrozenDict, FrozenList, decode, encode

_Check: TypeAlias = Callable[[Any], Any]
_Render: TypeAlias = Callable[[TemplateContext, None], object]


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

    @property
    def traceparent(self) -> str:
        """The span that has started the run; see `RunOrigin`."""

    def now(self) -> float:
        """The time."""

    def locate(self, text: str, value: Value) -> str:
        """The absolute path that `text`, which `value` gave, means."""

    def sleeper(self, ticket: Ticket) -> Callable[[float], Awaitable[None]]:
        """A function that sleeps so many seconds, for one attempt."""

    async def change_key(self, change: KvChange) -> int:
        """Make a change of a key of the store, and return its version after it."""

    async def emit(self, event: Arrival) -> bool:
        """Record an event, and return whether it is new."""

    async def new_links(self, ticket: Ticket, form: bytes) -> Mapping[str, str] | None:
        """Make links to the question that an attempt is about to ask; None if it has been asked."""

    def open_log(self, path: Callable[[Ticket], str]) -> AttemptLog:
        """A log of attempts, one after the other; `path` gives the path of each."""


class RenderedInput(NamedTuple):
    """An input that has its value already; `place` is its place in the workflow's file."""

    name: str
    value: object
    place: Place


class InputRender(NamedTuple):
    """An input's value for one attempt: rendered, then checked, if its action checks it."""

    name: str
    render: _Render
    check: _Check | None
    place: Place

    def value_in(self, context: TemplateContext) -> object:
        """The value that the action is called with. Raises `AttemptError`."""
        value = self.render(context, None)
        return value if self.check is None else self.checked(self.check, value)

    def checked(self, check: _Check, value: object) -> object:
        """Check a value. Raises `InputError`, with the input's place."""
        try:
            return check(value)
        except InputError as error:
            raise error.at(self.place) from None


def input_render(
    entry: PlannedInput, action: ActionSpec, around: Surroundings, *, travels: bool = False
) -> InputRender:
    """An input made ready to render, with outputs read and paths made absolute.

    An input that its action reads an element at a time stays unread, unless it travels.
    """
    value = entry.value
    render: _Render = value.evaluate
    field = action.fields.get(entry.name)
    if field is not None and field.is_stream and not travels and _is_template(value):
        render = partial(_streamed, value)
    else:
        if entry.reads_pages:
            render = partial(_read, render, value.place, around.limits)
        if field is not None and field.is_path:
            render = partial(_locate, render, value, around)
    return InputRender(entry.name, render, _check_of(action, entry.name), value.place)


def encode_result(value: object, masker: Masker) -> bytes:
    """The result of an attempt, masked, as JSON text.

    Raises `ResultError` for a value that isn't JSON.
    """
    try:
        output = encode(value, where="result")
    except ResultError:
        output = encode(_converted(value), where="result")
    return masked_json(output, masker) if masker.is_active else output


def masked_json(text: bytes, masker: Masker) -> bytes:
    """JSON text without secrets."""
    if masker.holds_none(text):
        return text
    return msgspec.json.encode(masker.mask(msgspec.json.decode(text)))


def too_large(path: str, output: bytes, limits: Limits) -> LimitError:
    """The error of an attempt whose result is over the limit."""
    return LimitError(
        f"the result of {path} has {len(output):,} bytes as JSON; "
        f"the limit is {limits.result_bytes:,}.",
        setting="limits.result_bytes",
    )


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
        runs_on: Sequence[str] = (),
        rendered: Iterable[RenderedInput] = (),
        child: Callable[..., Awaitable[object]] | None = None,
    ) -> None:
        self.function = action.function if child is None else child
        self.runs = action.runs
        self.timeout_s = timeout_s
        self.runs_on = runs_on
        self.visit = visit
        self.action = action
        self.inputs = inputs
        self.context = context
        self.around = around
        self._limits = around.limits
        self._parent = around.traceparent
        self._masker = around.masker
        self._is_child = child is not None
        self._context_field = action.context_field
        self._logger = logging.getLogger(f"fanwise.action.{action.name}")
        self._folder = str(around.workflow_folder)
        self._names_attempt = any(entry.value.names_attempt for entry in inputs)
        self._portable: PortableCall | None = None
        self._shared: Arguments = {}
        self._by_item: list[InputRender] = []
        for entry in inputs:
            if entry.name == action.limits_field:
                continue  # an action's `**values` may have any name but this
            own = input_render(entry, action, around)
            if entry.value.differs_by_item:
                self._by_item.append(own)
            else:
                self._share(entry.name, own.render(context, None), own.check, own.place)
        for name, value, place in rendered:
            self._share(name, value, _check_of(action, name), place)
        if action.limits_field is not None:
            self._shared[action.limits_field] = around.limits
        names = {*self._shared, *(own.name for own in self._by_item)}
        self._rules = rules_to_check(action, names)

    def _share(self, name: str, value: object, check: _Check | None, place: Place) -> None:
        """Check an input that all items share."""
        own = InputRender(name, lambda _context, _outcome: value, check, place)
        checked = own.value_in(self.context)
        field = self.action.fields.get(name)
        if field is None or field.shareable:
            self._shared[name] = checked
        else:  # a model, say, which an action may change: each attempt has its own
            self._by_item.append(own)

    def arguments(self, ticket: Ticket) -> Arguments:
        """The action's arguments. Raises `AttemptError`.

        This and `result` are called for each item, and do no more than the call asks for.
        """
        arguments = self._shared.copy()
        context: TemplateContext = ticket.context
        if self._names_attempt:
            facts = FrozenDict(key=self._key(ticket), number=ticket.attempt)
            context = AttemptContext(ticket.context, facts)
        for each in self._by_item:
            value = each.render(context, None)
            arguments[each.name] = value if each.check is None else each.checked(each.check, value)
        if self._rules:
            require_rules(self.action, self._rules, arguments)
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
            idempotency_key=self._key(ticket),
            deadline=None if self.timeout_s is None else around.now() + self.timeout_s,
            logger=self._logger,
            stop=around.stop,
            limits=self._limits,
            folder=self._folder,
            sleep=around.sleeper(ticket),
            change_key=around.change_key,
            emit=around.emit,
            new_links=partial(around.new_links, ticket),
            parent=self._parent,
        )

    def _key(self, ticket: Ticket) -> str:
        """The idempotency key: the same for all attempts of an item, and another for all else."""
        return f"{self.visit.run_id}/{self.describe(ticket)}/{self.visit.number}"

    def result(self, value: object, ticket: Ticket) -> bytes:
        """The action's result as JSON text. Raises `ResultError` or `LimitError`."""
        output = encode_result(value, self._masker)
        if len(output) > self._limits.result_bytes:
            raise too_large(self.describe(ticket), output, self._limits)
        return output

    def received(self, output: bytes) -> bytes:
        """A result that came as JSON text from another process, without secrets."""
        return masked_json(output, self._masker) if self._masker.is_active else output

    def describe(self, ticket: Ticket) -> str:
        """The path of the attempt's task and item, such as `check[17]`."""
        index = "" if ticket.index is None else f"[{ticket.index}]"
        return f"{self.visit.path}{index}"

    def open_log(self) -> AttemptLog:
        """A block whose printed text goes to a log of its own."""
        return self.around.open_log(self.describe)

    def log_of(self, ticket: Ticket) -> AttemptLog:
        """The log of an attempt that another process makes."""
        log = self.open_log()
        log.ticket = ticket
        return log

    def sleeper(self, ticket: Ticket) -> Callable[[float], Awaitable[None]]:
        """A function that sleeps so many seconds, for an attempt that another process makes."""
        return self.around.sleeper(ticket)

    def portable(self) -> PortableCall:
        """The call as data. Raises `AttemptError` if it has to stay in this process."""
        if self._portable is None:
            self._portable = _make_portable(self)
        return self._portable

    def secret_values(self) -> bytes:
        """The values at the secret paths of the portable call, as JSON text; never to be kept."""
        return _secrets_of(self)


def rules_to_check(action: ActionSpec, names: Collection[str]) -> Sequence[InputRule]:
    """The rules of an action that inputs of these names can break, for each call to check."""
    return [rule for rule in action.rules if rule.can_break(names)]


def require_rules(action: ActionSpec, rules: Sequence[InputRule], arguments: Arguments) -> None:
    """Raise `InputError` if the inputs that are given don't go together by these rules."""
    given = [name for name, value in arguments.items() if value is not None]
    for rule in rules:
        if fault := rule.fault(given, given):
            raise InputError(f"{action.name} {fault}.")


def _check_of(action: ActionSpec, name: str) -> _Check | None:
    field = action.fields.get(name)
    return None if field is None else field.check


def _is_template(value: Value) -> bool:
    return isinstance(value.raw, str) and not value.is_constant


def _streamed(value: Value, context: TemplateContext, outcome: None) -> object:
    """A list of any length, of which nothing is read yet."""
    begin = partial(value.templates[0].stream, context)
    found = begin()
    return Elements(begin) if isinstance(found, Iterator) else found


def _converted(value: object) -> object:
    from fanwise.conversions import converted  # seldom needed

    return converted(value)


def _read(
    render: _Render,
    place: Place,
    limits: Limits,
    context: TemplateContext,
    outcome: None,
) -> object:
    """Render, with the outputs of tasks with items read into lists."""
    value: object = bounded(render(context, outcome), place, limits)
    return value


def _locate(
    render: _Render,
    value: Value,
    around: Surroundings,
    context: TemplateContext,
    outcome: None,
) -> object:
    """Render, with a relative path made absolute, also in lists and maps of paths."""
    return _located(render(context, outcome), value, around)


def _located(path: object, value: Value, around: Surroundings) -> object:
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
    snapshot.require_size(around.limits.snapshot_bytes, setting="limits.snapshot_bytes")
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
                encode(_rendered(call, entry), where=entry.name),
                entry.value.place,
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
        traceparent=around.traceparent,
    )
    return PortableCall(spec, snapshot.data)


def _rendered(call: VisitCall, entry: PlannedInput) -> object:
    own = input_render(entry, call.action, call.around, travels=True)
    return own.render(call.context, None)


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
        rendered=[RenderedInput(text.name, decode(text.raw), text.place) for text in spec.shared],
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
