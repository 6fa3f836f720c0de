"""The keys of the workflow language: their types, rules for single values, and documentation.

This is the one table: the loader checks files against it, and the JSON Schema of the language and
the reference in the documentation are made from it. Rules between several keys are in `rules.py`.

In these models a text where another type stands beside it (`float | str`) is a template; a literal
is parsed already. Values are frozen JSON. Nobody builds these models but the loader. Their fields
are the keys with `_` for `-`; durations are in seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    StrictBool,
    WithJsonSchema,
    model_validator,
)

from weft.definition.literals import (
    TYPES,
    Tolerance,
    has_template,
    parse_choice,
    parse_condition,
    parse_count,
    parse_duration,
    parse_flag,
    parse_tolerance,
)
from weft.definition.nodes import Node
from weft.definition.problems import BadValueError, shown
from weft.errors import Place
from weft.values import EMPTY_DICT, FrozenDict

MAX_CONCURRENCY: Final = 100_000
NAME_PATTERN: Final = "[A-Za-z_][A-Za-z0-9_]*"

_MAX_NAME_SHOWN: Final = 60
_TEMPLATE: Final = {"type": "string", "pattern": r"\{[{%#]"}
_is_name = re.compile(NAME_PATTERN, re.ASCII).fullmatch


def _check_name(name: str) -> str:
    if _is_name(name):
        return name
    plain = re.sub("[^A-Za-z0-9_]+", "_", name).strip("_")
    raise BadValueError(
        "bad-name",
        f"""can't be {shown(name)}: a name is letters, digits and "_", and begins with no digit""",
        hint=f'Write "{plain}".' if _is_name(plain) and len(plain) <= _MAX_NAME_SHOWN else "",
    )


def _check_task_name(name: str) -> str:
    if name == "fail":
        raise BadValueError("reserved-name", 'can\'t be "fail", which ends a run as failed')
    return _check_name(name)


def _check_text(text: str) -> str:
    if not text.strip():
        raise ValueError("takes a text that isn't empty")
    return text


def _check_action(name: str) -> str:
    if has_template(name):
        raise ValueError("takes the name of an action and no template")
    return _check_text(name)


def _check_items(value: object) -> object:
    if isinstance(value, list | dict) or (isinstance(value, str) and has_template(value)):
        return value
    raise BadValueError(
        "with-items-not-a-list",
        "takes a list, a template that gives one, or a map such as {jsonl: FILE}, "
        f"not {shown(value)}",
    )


def _check_not_empty(value: object) -> object:
    if value == []:
        raise BadValueError("bad-value", "is empty", hint="List at least one task.")
    return value


def _empty_for_null(value: object) -> object:
    return {} if value is None else value


def _no_values() -> FrozenDict:
    return EMPTY_DICT  # pydantic can't write a frozen default into a JSON Schema


def _or_template(parse: Callable[[object], Any], **json_schema: Any) -> tuple[Any, ...]:
    """What an annotation needs so that its key takes a template or what `parse` takes."""

    def check(value: object) -> Any:
        return value if isinstance(value, str) and has_template(value) else parse(value)

    return PlainValidator(check), WithJsonSchema({"anyOf": [json_schema, _TEMPLATE]})


def _choice(*choices: str) -> tuple[Any, ...]:
    return _or_template(lambda value: parse_choice(value, choices), enum=list(choices))


def _count(minimum: int, maximum: int | None = None) -> tuple[Any, ...]:
    bounds = {"minimum": minimum} if maximum is None else {"minimum": minimum, "maximum": maximum}
    return _or_template(
        lambda value: parse_count(value, minimum=minimum, maximum=maximum), type="integer", **bounds
    )


Name = Annotated[str, AfterValidator(_check_name), WithJsonSchema({"pattern": f"^{NAME_PATTERN}$"})]
Text = Annotated[str, AfterValidator(_check_text)]
Duration = Annotated[float | str, *_or_template(parse_duration, type=["string", "number"])]
Timeout = Annotated[float | str | None, *_or_template(parse_duration, type=["string", "number"])]
Flag = Annotated[bool | str, *_or_template(parse_flag, type="boolean")]
Condition = Annotated[bool | str, *_or_template(parse_condition, type="boolean")]
Values = Annotated[dict[str, Any], BeforeValidator(_empty_for_null), AfterValidator(FrozenDict)]
Variables = Annotated[dict[Name, Any], BeforeValidator(_empty_for_null), AfterValidator(FrozenDict)]


class _Keys(BaseModel):
    """A map of the file whose keys are all known."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        defer_build=True,
        alias_generator=lambda field: field.replace("_", "-"),
    )

    @model_validator(mode="before")
    @classmethod
    def _spell_with_hyphens(cls, data: Any) -> Any:
        """Read `_` as `-` in the keys that are known; others stay as they are written."""
        if not isinstance(data, dict) or not any("_" in key for key in data):
            return data
        known = cls.keys()
        return {
            hyphened if (hyphened := key.replace("_", "-")) in known else key: value
            for key, value in data.items()
        }

    @classmethod
    def keys(cls) -> list[str]:
        """The keys that this map takes, in the order documented."""
        return [field.replace("_", "-") for field in cls.model_fields]


class ParameterDefinition(_Keys):
    """A value that a run is started with."""

    type: Annotated[
        str | None,
        PlainValidator(lambda value: parse_choice(value, TYPES)),
        WithJsonSchema({"enum": list(TYPES)}),
    ] = Field(None, description="The type that a value must have; any if not declared.")
    required: StrictBool = Field(False, description="Whether a run must be given a value.")
    default: Any = Field(None, description="The literal value when none is given; default null.")
    secret: StrictBool = Field(False, description="Whether the value is masked and never recorded.")
    description: str = Field("", description="What the parameter is for.")


class RetryDefinition(_Keys):
    """When and how often a failed attempt is tried again."""

    count: Annotated[int | str, *_count(0)] = Field(description="Tries after the first one.")
    delay: Duration = Field(1.0, description="The wait before the second try; default 1s.")
    backoff: Annotated[str, *_choice("exponential", "linear", "constant")] = Field(
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


class TaskDefinition(_Keys):
    """One step of a workflow: it calls one action, once or once per item."""

    name: Annotated[str, AfterValidator(_check_task_name)] = Field(
        description="What templates and other tasks call this task.",
        json_schema_extra={"pattern": f"^{NAME_PATTERN}$"},
    )
    action: Annotated[str, AfterValidator(_check_action)] | None = Field(
        None, description="The action to call, `pack.name`, or the path of another workflow."
    )
    input: Values = Field(default_factory=_no_values, description="The action's input, by name.")
    with_items: Annotated[Any, AfterValidator(_check_items)] = Field(
        None,
        description="Runs the action once per item of a list, of a stream (`jsonl`, `csv`, "
        "`lines` or `range`), or of several lists side by side.",
        json_schema_extra={"type": ["string", "array", "object"]},
    )
    label: Text = Field("", description="What lists and errors call an item; default its index.")
    concurrency: Annotated[int | str, *_count(1, MAX_CONCURRENCY)] = Field(
        50, description="How many items run at once; default 50."
    )
    tolerate: Annotated[
        Tolerance | str, *_or_template(parse_tolerance, type=["string", "integer"])
    ] = Field(
        default_factory=lambda: Tolerance(count=0),
        description="Failed items that the task accepts, a number or a percentage; default 0.",
    )
    on_item_error: Annotated[str, *_choice("continue", "stop")] = Field(
        "continue",
        description="Whether further items start once a failure can't be tolerated: `continue` "
        "(default) runs all, `stop` starts no more.",
    )
    keep_output: Annotated[str, *_choice("all", "failed", "none")] = Field(
        "all", description="Which items' outputs are stored; default all."
    )
    retry: Annotated[RetryDefinition | None, BeforeValidator(_empty_for_null)] = Field(
        None, description="When and how often to try again."
    )
    timeout: Timeout = Field(None, description="The longest time for one attempt.")
    delay: Duration = Field(0.0, description="The wait before the task starts; default none.")
    when: Condition = Field(True, description="Whether the task runs or is skipped; default true.")
    publish: Variables = Field(
        default_factory=_no_values, description="Variables to set when the task succeeds."
    )
    on_error: Annotated[str, *_choice("fail", "continue")] = Field(
        "fail", description="Whether a failure fails the run (default) or is passed over."
    )

    @property
    def has_items(self) -> bool:
        """Whether the action is called once per item."""
        return self.with_items is not None


class WorkflowDefinition(_Keys):
    """A workflow: its parameters, its tasks and its output."""

    name: Text = Field(description="What runs call this workflow; default the file's name.")
    description: str = Field("", description="What the workflow is for.")
    parameters: Annotated[
        dict[Name, Annotated[ParameterDefinition, BeforeValidator(_empty_for_null)]],
        BeforeValidator(_empty_for_null),
        AfterValidator(FrozenDict),
    ] = Field(
        default_factory=_no_values, description="The values that a run is started with, by name."
    )
    vars: Variables = Field(
        default_factory=_no_values,
        description="Variables, evaluated once at the start; tasks can publish more.",
    )
    timeout: Timeout = Field(
        None, description="The longest running time of the whole run, without pauses."
    )
    tasks: Annotated[tuple[TaskDefinition, ...], BeforeValidator(_check_not_empty)] = Field(
        description="The steps, in the order in which they run.",
        json_schema_extra={"minItems": 1},
    )
    output: Any = Field(None, description="The run's output, evaluated at its end; default null.")

    _file: str = PrivateAttr()
    _text: str = PrivateAttr()
    _root: Node = PrivateAttr()

    def located(self, file: str, text: str, root: Node) -> Self:
        """The same definition with the file that it was loaded from, for its places."""
        self._file, self._text, self._root = file, text, root
        return self

    @property
    def file(self) -> str:
        """The name of the file that this was loaded from, as it was given."""
        return self._file

    @property
    def text(self) -> str:
        """The file's text."""
        return self._text

    def place(self, *path: str | int) -> Place:
        """Where the value at `path` starts, or the nearest value around it that is in the file."""
        return Place(self._file, *self._root.value_spot(path))

    def key_place(self, *path: str | int) -> Place:
        """Where the key of the value at `path` starts, or the nearest key or value around it."""
        return Place(self._file, *self._root.key_spot(path))
