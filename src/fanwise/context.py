"""The values that templates can see: one immutable context for a run, and 40 bytes per item.

A `WorkflowContext` is shared by every item of a fan-out and by every task that runs beside it.
Nothing changes one: when a task ends, `with_result` makes a new context that shares all values of
the old one, so its cost is one pointer for each task, once for each task. An `ItemContext` is three
references: the shared context, the item, and its index. When the last item ends, nothing refers to
the shared context any more and reference counting frees it.

This module renders nothing and knows nothing of templates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from fanwise.model import Status, TaskResult
from fanwise.values import EMPTY_DICT, FrozenDict, Json, freeze

TRIGGER_KEYS: Final = (
    "kind",
    "name",
    "workflow",
    "scheduled_at",
    "date",
    "previous_at",
    "fired_at",
    "is_catch_up",
    "event",
    "events",
    "depth",
    "by",
)
"""The parts of `trigger`, the cause of a run. The last is who started it by hand."""

MANUAL_TRIGGER: Final = FrozenDict({**dict.fromkeys(TRIGGER_KEYS), "kind": "manual"})
"""The `trigger` of a run that no trigger started."""

WITHHELD: Final = object()
"""The mark in `kv` for a secret that isn't to be read where values are recorded."""

_NO_RESULTS: Final[Mapping[str, TaskResult]] = {}


class ItemContext(msgspec.Struct, frozen=True, gc=False):
    """One item's view: `sys.getsizeof` gives 40 bytes, whatever `shared` holds.

    The garbage collector doesn't track it (`gc=False`): it can't be part of a cycle, because
    nothing that it refers to ever refers back.
    """

    shared: WorkflowContext
    item: Any
    index: int


class AttemptContext(msgspec.Struct, frozen=True, gc=False):
    """The view of one attempt's input: that of its item or task, and the attempt's own facts.

    It is made only for inputs that name `attempt`, and only while they are rendered.
    """

    context: WorkflowContext | ItemContext
    attempt: FrozenDict

    @property
    def shared(self) -> WorkflowContext:
        """The context of the run."""
        context = self.context
        return context.shared if isinstance(context, ItemContext) else context

    def __getattr__(self, name: str) -> object:
        return getattr(self.context, name)  # the item and its index, if there are any


class WorkflowContext:
    """Parameters, variables and task results, as one consistent and immutable whole.

    `run` is what `run.id` and its like read, `trigger` the cause of the run, and `secrets` what
    `secrets.NAME` reads; secrets are never recorded, printed or pickled. `kv` has what a visit has
    read of the store's keys, with `WITHHELD` for a secret that would be recorded.
    """

    __slots__ = ("kv", "parameters", "run", "secrets", "task_results", "trigger", "variables")

    parameters: FrozenDict
    variables: FrozenDict
    task_results: Mapping[str, TaskResult]
    run: FrozenDict
    trigger: FrozenDict
    secrets: Mapping[str, str]
    kv: Mapping[str, object]

    def __init__(
        self,
        parameters: Mapping[str, Json] = EMPTY_DICT,
        variables: Mapping[str, Json] = EMPTY_DICT,
        *,
        run: Mapping[str, Json] = EMPTY_DICT,
        trigger: Mapping[str, Json] = MANUAL_TRIGGER,
        secrets: Mapping[str, str] = EMPTY_DICT,
    ) -> None:
        """Freeze what is given. Raises `ResultError` for what isn't JSON."""
        self._set(
            freeze(parameters, where="parameters"),
            freeze(variables, where="vars"),
            _NO_RESULTS,
            freeze(run, where="run"),
            freeze(trigger, where="trigger"),
            secrets,
            EMPTY_DICT,
        )

    def _set(
        self,
        parameters: FrozenDict,
        variables: FrozenDict,
        task_results: Mapping[str, TaskResult],
        run: FrozenDict,
        trigger: FrozenDict,
        secrets: Mapping[str, str],
        kv: Mapping[str, object],
    ) -> WorkflowContext:
        put = object.__setattr__
        put(self, "parameters", parameters)
        put(self, "variables", variables)
        put(self, "task_results", task_results)
        put(self, "run", run)
        put(self, "trigger", trigger)
        put(self, "secrets", secrets)
        put(self, "kv", kv)
        return self

    def _sharing(
        self, variables: FrozenDict, task_results: Mapping[str, TaskResult]
    ) -> WorkflowContext:
        new = object.__new__(type(self))
        return new._set(
            self.parameters, variables, task_results, self.run, self.trigger, self.secrets, self.kv
        )

    def _but(self, **changed: object) -> WorkflowContext:
        new = object.__new__(type(self))
        for name in self.__slots__:
            object.__setattr__(new, name, changed.get(name, getattr(self, name)))
        return new

    @property
    def shared(self) -> WorkflowContext:
        """This context: a template reads it as it reads an item's."""
        return self

    def with_result(self, name: str, output: object) -> WorkflowContext:
        """A context in which task `name` has ended, sharing everything that this one holds.

        `output` is a `TaskResult`, or the output of a task that succeeded, which is frozen.
        """
        result = (
            output
            if isinstance(output, TaskResult)
            else TaskResult(Status.SUCCEEDED, output=freeze(output, where=f"task.{name}.output"))
        )
        return self._sharing(self.variables, {**self.task_results, name: result})

    def with_parameters(self, parameters: FrozenDict) -> WorkflowContext:
        """A context with these parameters, and all else as in this one."""
        return self._but(parameters=parameters)

    def with_variables(self, variables: Mapping[str, Json]) -> WorkflowContext:
        """A context in which these variables have these values, and all others the old ones."""
        if not variables:
            return self
        merged = FrozenDict({**self.variables, **freeze(dict(variables), where="vars")})
        return self._sharing(merged, self.task_results)

    def with_end(self, end: Mapping[str, Json]) -> WorkflowContext:
        """A context whose `run` has these keys as well."""
        return self._but(run=FrozenDict({**self.run, **end}))

    def with_kv(self, values: Mapping[str, object]) -> WorkflowContext:
        """A context in which `kv` has these frozen values."""
        return self._but(kv=values)

    def seeing(
        self, variables: FrozenDict, task_results: Mapping[str, TaskResult]
    ) -> WorkflowContext:
        """A context with these variables and results in place of its own; both stay immutable."""
        return self._sharing(variables, task_results)

    def for_item(self, item: object, index: int) -> ItemContext:
        """The context of one item, whose cost doesn't depend on what this context holds."""
        return ItemContext(self, item, index)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"a WorkflowContext can't be changed, so {name} can't be set; "
            "with_result() and with_variables() make a new context that shares all values."
        )

    __delattr__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WorkflowContext):
            return NotImplemented
        return self is other or all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the secrets, which the other process gets in another way.
        results = dict(self.task_results)
        return _restore, (self.parameters, self.variables, results, self.run, self.trigger)

    def __repr__(self) -> str:
        return (
            f"<WorkflowContext: {len(self.parameters)} parameters, "
            f"{len(self.variables)} variables, {len(self.task_results)} task results>"
        )


TemplateContext: TypeAlias = WorkflowContext | ItemContext | AttemptContext
"""The values that a template can see."""


def _restore(
    parameters: FrozenDict,
    variables: FrozenDict,
    task_results: Mapping[str, TaskResult],
    run: FrozenDict,
    trigger: FrozenDict,
) -> WorkflowContext:
    new = object.__new__(WorkflowContext)
    return new._set(parameters, variables, task_results, run, trigger, EMPTY_DICT, EMPTY_DICT)
