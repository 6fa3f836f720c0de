"""The keys of the workflow language: what each takes, its default, and its documentation.

This is the one table: the loader checks files against it, and the JSON Schema of the language and
the reference in the documentation are made from it. Checks of single values are in `kinds.py`,
rules between several keys in `rules.py`.

In these models a text where another type stands beside it (`float | str`) is a template; a literal
is parsed already. Values are frozen JSON. Nobody builds these models but the loader. Their fields
are the keys with `_` for `-`, and `finally_`; durations are in seconds, rates in starts per second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    StrictBool,
)

from fanwise.catalog import EXECUTORS
from fanwise.definition.accepted import Accepted
from fanwise.definition.field_types import (
    Action,
    Bound,
    Choices,
    Condition,
    Duration,
    Flag,
    Items,
    Join,
    MaxVisits,
    Name,
    Needs,
    OptionalCondition,
    ParameterType,
    Pattern,
    Rate,
    Reader,
    Resources,
    Targets,
    TaskName,
    Text,
    Timeout,
    Tolerated,
    Values,
    Variables,
    a_duration,
    blankable,
    check_not_empty,
    check_transitions,
    empty_for_null,
    no_values,
    one_of,
    one_word_of,
    whole_number,
)
from fanwise.definition.keys import Keys
from fanwise.definition.literals import Tolerance
from fanwise.definition.yaml.nodes import Node
from fanwise.errors import Place
from fanwise.model import MOST_PRIORITY, WHEN_FULL
from fanwise.values import FrozenDict

if TYPE_CHECKING:
    from fanwise.definition.trigger_schema import TriggerDefinition

MAX_CONCURRENCY: Final = 100_000
MAX_BATCH_SIZE: Final = 100_000

ORDER_KEYS: Final = ("needs", "next", "join", "max-visits")
"""The keys of a task that concern its place among `tasks`; those of the end have theirs."""


class ParameterDefinition(Keys):
    """A value that a run is started with."""

    type: ParameterType = Field(
        None, description="The type that a value must have; any if not declared."
    )
    required: StrictBool = Field(False, description="Whether a run must be given a value.")
    default: Any = Field(None, description="The literal value when none is given; default null.")
    choices: Choices = Field(
        None, description="The values that it takes, and no others; default any."
    )
    minimum: Bound = Field(None, description="The smallest number that it takes.")
    maximum: Bound = Field(None, description="The largest number that it takes.")
    pattern: Pattern = Field(
        None, description="A regular expression that the whole of a text has to match."
    )
    secret: StrictBool = Field(False, description="Whether the value is masked and never recorded.")
    description: str = Field("", description="What the parameter is for.")

    @property
    def accepted(self) -> Accepted:
        """The values that fit."""
        # Only text can be masked.
        kind = "string" if self.secret else self.type
        return Accepted(kind, self.choices, self.minimum, self.maximum, self.pattern)


class RetryDefinition(Keys):
    """When and how often a failed attempt is tried again."""

    count: Annotated[int | str, *whole_number(0)] = Field(description="Tries after the first one.")
    within: Timeout = Field(
        None,
        description="How long after the start of the first try another may start; default no "
        "bound.",
    )
    delay: Duration = Field(1.0, description="The wait before the second try; default 1s.")
    backoff: Annotated[str, *one_of("exponential", "linear", "constant")] = Field(
        "exponential",
        description="How the delay grows with each try: it doubles (the default), grows by the "
        "same each time, or stays.",
    )
    max_delay: Timeout = Field(None, description="The longest wait; default no bound.")
    jitter: Flag = Field(
        True, description="Whether each wait is drawn from half to all of it; default true."
    )
    when: Condition = Field(
        True, description="Which failures are tried again, as a template; default all."
    )
    until: OptionalCondition = Field(
        None,
        description="What a success must fulfil, as a template; while it doesn't, it is tried "
        "again. Default none.",
    )


class TransitionDefinition(Keys):
    """A way from a task that has ended to those that follow."""

    when: OptionalCondition = Field(
        None,
        description="Whether the way is taken; by default when its task succeeded or was skipped.",
    )
    publish: Variables = Field(
        default_factory=no_values, description="Variables to set for the tasks under `do` only."
    )
    do: Targets = Field(
        description="The tasks that follow, or `fail`, which ends the run as failed.",
        json_schema_extra={"minItems": 1},
    )
    message: Text = Field(
        "",
        description="What the run's error says if `do` has `fail`; default which task led there.",
    )


class TaskDefinition(Keys):
    """One step of a workflow: it calls one action, once or once per item."""

    name: TaskName = Field(description="What templates and other tasks call this task.")
    action: Action | None = Field(
        None, description="The action to call, `pack.name`, or the path of another workflow."
    )
    needs: Needs = Field(
        None,
        description="Tasks that must succeed before this one starts, one name or a list; `[]` "
        "starts at once. Default the task before, if no task has `needs` or `next`.",
    )
    input: Values = Field(default_factory=no_values, description="The action's input, by name.")
    with_items: Items = Field(
        None,
        description="Runs the action once per item of a list, of a stream (`jsonl`, `csv`, "
        "`lines`, `files` or `range`), or of several lists side by side.",
    )
    label: Text = Field("", description="What lists and errors call an item; default its index.")
    concurrency: Annotated[int | str, *whole_number(1, MAX_CONCURRENCY)] = Field(
        50, description="How many items run at once; default 50."
    )
    rate: Rate = Field(
        None,
        description="How many attempts start per second, minute or hour, evenly spaced, such as "
        "`100/s`; default unlimited.",
    )
    limit: Name | None = Field(
        None,
        description="A named limit of the project, which attempts of this task share with others "
        "over all engines; default none.",
    )
    batch_size: Annotated[int | str | None, *whole_number(1, MAX_BATCH_SIZE)] = Field(
        None, description="Gives the action lists of up to so many items; default single items."
    )
    tolerate: Tolerated = Field(
        default_factory=lambda: Tolerance(count=0),
        description="Failed items that the task accepts, a number or a percentage; default 0.",
    )
    bad_records: Annotated[str, *one_of("fail", "skip", "tolerate")] = Field(
        "fail",
        description="What happens to records of a file that can't be read: they fail their item "
        "(`fail`, default), are left out (`skip`), or are left out and count as failed records, "
        "of which `tolerate` says how many (`tolerate`).",
    )
    on_item_error: Annotated[str, *one_of("continue", "stop")] = Field(
        "continue",
        description="Whether further items start once a failure can't be tolerated: `continue` "
        "(default) runs all, `stop` starts no more.",
    )
    keep_output: Annotated[str, *one_of("all", "failed", "none")] = Field(
        "all", description="Which items' outputs are stored; default all."
    )
    retry: Annotated[RetryDefinition | None, BeforeValidator(empty_for_null)] = Field(
        None, description="When and how often to try again."
    )
    timeout: Timeout = Field(None, description="The longest time for one attempt.")
    executor: Annotated[str | None, *one_of(*EXECUTORS)] = Field(
        None,
        description="Where the action runs: `local` is the process that drives the run, `process` "
        "its child processes, `ray` a Ray cluster. Default what the run says, else `process` for "
        "`cpu=True`.",
    )
    runs_on: Resources = Field(
        (),
        description="Resources of the Ray cluster that a node has to have. Needs the executor "
        "`ray`.",
    )
    delay: Duration = Field(0.0, description="The wait before the task starts; default none.")
    when: Condition = Field(True, description="Whether the task runs or is skipped; default true.")
    publish: Variables = Field(
        default_factory=no_values, description="Variables to set when the task succeeds."
    )
    on_error: Annotated[str, *one_of("fail", "continue")] = Field(
        "fail", description="Whether a failure fails the run (default) or is passed over."
    )
    next: Annotated[
        tuple[TransitionDefinition, ...] | None,
        BeforeValidator(check_transitions),
    ] = Field(
        None,
        description="What follows: names of tasks, or transitions of `when`, `publish` and `do`, "
        "of which every one that holds is taken.",
    )
    join: Join = Field(
        None,
        description="How many of the transitions to this task must be taken: `all`, or a number, "
        "at which it starts without waiting for more. Default one, once no other can be taken.",
    )
    max_visits: MaxVisits = Field(
        10_000, description="How often a task on a cycle starts at most; default 10000."
    )

    @property
    def has_items(self) -> bool:
        """Whether the action is called once per item."""
        return self.with_items is not None


class ConcurrencyDefinition(Keys):
    """The number of runs of a workflow that are driven at once, over all engines of a store."""

    limit: Annotated[int | str, *whole_number(1, MAX_CONCURRENCY)] = Field(
        description="How many runs of one key are driven at a time; a template of parameters may "
        "give it."
    )
    key: Text = Field(
        "",
        description="Runs with another key don't count, as a template of parameters; default all "
        "runs of the workflow have the same.",
    )
    when_full: Annotated[str, *one_word_of(*WHEN_FULL)] = Field(
        "queue",
        description="What becomes of a new run when there is no slot: it waits (`queue`, default), "
        "isn't made (`skip`), has the oldest one cancelled (`cancel`), or waits in place of the "
        "one that waits (`latest`).",
    )
    while_waiting: Annotated[str, *one_word_of("release", "keep")] = Field(
        "release",
        description="What a run does with its slot that waits for an answer, an event or a time: "
        "it gives it back (`release`, default) or keeps it (`keep`).",
    )
    children: bool = Field(
        False,
        description="Whether a slot is taken each time that another workflow calls this one as "
        "well; default not.",
    )


class DedupeDefinition(Keys):
    """The rule by which a new run would repeat one that is there, and isn't made."""

    key: Text = Field(description="What the two have in common, as a template of parameters.")
    for_: Annotated[float, *a_duration()] = Field(
        description="How long after a run was made no other one with its key is."
    )


class WorkflowDefinition(Keys):
    """A workflow: its parameters, its tasks and its output."""

    name: Text = Field(description="What runs call this workflow; default the file's name.")
    description: str = Field("", description="What the workflow is for.")
    parameters: Annotated[
        dict[Name, Annotated[ParameterDefinition, *blankable]],
        *blankable,
        AfterValidator(FrozenDict),
    ] = Field(
        default_factory=no_values, description="The values that a run is started with, by name."
    )
    vars: Variables = Field(
        default_factory=no_values,
        description="Variables, evaluated once at the start; tasks can publish more.",
    )
    timeout: Timeout = Field(
        None, description="The longest running time of the whole run, without pauses."
    )
    concurrency: ConcurrencyDefinition | None = Field(
        None,
        description="How many runs are driven at a time, a number or a map; default no bound.",
    )
    priority: Annotated[int | str, *whole_number(-MOST_PRIORITY, MOST_PRIORITY)] = Field(
        0, description="Runs with a higher one are taken from a queue first; default 0."
    )
    dedupe: DedupeDefinition | None = Field(
        None, description="When a new run would repeat one that is there; default never."
    )
    tasks: Annotated[tuple[TaskDefinition, ...], BeforeValidator(check_not_empty)] = Field(
        description="The steps. They run in the order listed, unless any has `needs` or `next`.",
        json_schema_extra={"minItems": 1},
    )
    on_failure: tuple[TaskDefinition, ...] = Field(
        (),
        description="Steps that run if the run has failed, in the order listed, before those of "
        "`finally`.",
    )
    finally_: tuple[TaskDefinition, ...] = Field(
        (), description="Steps that run at the end, in the order listed, however the run ended."
    )
    output: Any = Field(None, description="The run's output, evaluated at its end; default null.")
    # Read by models of their own, which take their time to import.
    on: tuple[object, ...] = Field((), description="The triggers that start runs.")

    _file: str = PrivateAttr()
    _text: str = PrivateAttr()
    _root: Node = PrivateAttr()
    _triggers: tuple[TriggerDefinition, ...] = PrivateAttr(())

    def located(
        self, file: str, text: str, root: Node, triggers: tuple[TriggerDefinition, ...]
    ) -> Self:
        """The same definition with the file that it was loaded from, and the triggers of `on`."""
        self._file, self._text, self._root, self._triggers = file, text, root, triggers
        return self

    @property
    def triggers(self) -> tuple[TriggerDefinition, ...]:
        """The triggers under `on`."""
        return self._triggers

    @property
    def file(self) -> str:
        """The name of the file that this was loaded from, as it was given."""
        return self._file

    @property
    def text(self) -> str:
        """The file's text."""
        return self._text

    @property
    def task_lists(self) -> Mapping[str, tuple[TaskDefinition, ...]]:
        """All tasks, by the key that they stand under, in the order of their numbers."""
        return {"tasks": self.tasks, "on-failure": self.on_failure, "finally": self.finally_}

    @property
    def ending(self) -> tuple[TaskDefinition, ...]:
        """The tasks that run at the end, in their order."""
        return (*self.on_failure, *self.finally_)

    @property
    def root(self) -> Node:
        """The file as a tree."""
        return self._root

    def place(self, *path: str | int) -> Place:
        """Where the value at `path` starts, or the nearest value around it that is in the file."""
        return Place(self._file, *self._root.value_spot(path))

    def key_place(self, *path: str | int) -> Place:
        """Where the key of the value at `path` starts, or the nearest key or value around it."""
        return Place(self._file, *self._root.key_spot(path))


_OWNERS: Final[Mapping[str, tuple[type[Keys], ...]]] = {
    "retry": (RetryDefinition,),
    "concurrency": (ConcurrencyDefinition,),
}


def reader(key: str) -> Callable[[object], Any]:
    """What reads a literal of a key, such as `timeout`, `retry.count` or the workflow's `priority`.

    It reads as well what a template gave for that key. It raises `ValueError` as the functions of
    `literals.py` do. Raises `KeyError` for a key that takes no template, or any value.
    """
    owner, _, name = key.rpartition(".")
    models = _OWNERS.get(owner, (WorkflowDefinition, TaskDefinition))
    fields = {field: model.model_fields[field] for model in models for field in model.model_fields}
    for each in fields[name.replace("-", "_")].metadata:
        if isinstance(each, Reader):
            return each.read
    raise KeyError(key)
