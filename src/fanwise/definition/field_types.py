"""What the keys of the language take: the annotations that the table in `schema.py` is made of.

Each checks one value by itself and parses literals; where templates are taken they stay the text
that they are. What isn't taken raises a `ValueError` whose message is a predicate, as in
`literals.py`, or a `BadValueError`, which has a code and a hint of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias

from pydantic import AfterValidator, BeforeValidator, PlainValidator, WithJsonSchema

from fanwise.definition.literals import (
    DURATION_PATTERN,
    PERCENTAGE_PATTERN,
    RATE_PATTERN,
    TYPES,
    Tolerance,
    has_template,
    parse_choice,
    parse_condition,
    parse_count,
    parse_duration,
    parse_flag,
    parse_rate,
    parse_timeout,
    parse_tolerance,
)
from fanwise.definition.problems import BadValueError, shown
from fanwise.patterns import compiled
from fanwise.values import EMPTY_DICT, FrozenDict

NAME_PATTERN: Final = "[A-Za-z_][A-Za-z0-9_]*"
FAIL: Final = "fail"
"""What `do` names to end a run as failed."""

_MAX_NAME_SHOWN: Final = 60
is_name: Final = re.compile(NAME_PATTERN, re.ASCII).fullmatch

_NAME_SCHEMA: Final = {"type": "string", "pattern": f"^{NAME_PATTERN}$"}
_TASK_SCHEMA: Final = {**_NAME_SCHEMA, "not": {"const": FAIL}}
_TEMPLATE_SCHEMA: Final = {"type": "string", "pattern": r"\{[{%#]"}


Annotations: TypeAlias = tuple[Any, ...]
"""The annotations of a key, which are spread after its type."""


class Reader(NamedTuple):
    """Says in an annotation which function reads the literals of its key."""

    read: Callable[[object], Any]


class _OrBlank:
    """Says in an annotation that JSON Schema allows null for an empty map."""

    def __get_pydantic_json_schema__(
        self, core_schema: object, handler: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        return {"anyOf": [handler(core_schema), {"type": "null"}]}


# Names


def _check_name(name: str, *, refusal: str = "can't be") -> str:
    if is_name(name):
        return name
    plain = re.sub("[^A-Za-z0-9_]+", "_", name).strip("_")
    raise BadValueError(
        "bad-name",
        f'{refusal} {shown(name)}: a name is letters, digits and "_", and begins with no digit',
        hint=f'Write "{plain}".' if is_name(plain) and len(plain) <= _MAX_NAME_SHOWN else "",
    )


def _check_task_name(name: str) -> str:
    if name == FAIL:
        raise BadValueError("reserved-name", f'can\'t be "{FAIL}", which ends a run as failed')
    return _check_name(name)


def _check_target(name: object) -> str:
    if not isinstance(name, str):
        raise BadValueError("bad-type", f"takes names of tasks, not {shown(name)}")
    if has_template(name):
        raise ValueError("takes names of tasks and no template")
    return _check_name(name, refusal="can't name")


def _check_need(name: object) -> str:
    if name == FAIL:
        raise BadValueError(
            "reserved-name",
            f'can\'t name "{FAIL}", which ends a run as failed',
            hint=f"Write next: {FAIL} on the task after which the run is to end.",
        )
    return _check_target(name)


# Texts, maps and lists


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


def _check_list(value: object, *, takes: str, hint: str) -> object:
    if isinstance(value, list):
        return value
    raise BadValueError("bad-type", f"takes {takes}, not {shown(value)}", hint=hint)


def check_not_empty(value: object) -> object:
    """Refuse a list of no tasks."""
    if value == []:
        raise BadValueError("bad-value", "is empty", hint="List at least one task.")
    return value


def empty_for_null(value: object) -> object:
    """Read a map that is left blank as an empty one."""
    return {} if value is None else value


def no_values() -> FrozenDict:
    """An empty map, as the factory of a default; pydantic writes none as such in JSON Schema."""
    return EMPTY_DICT


_check_names = partial(
    _check_list,
    takes="the name of a task or a list of names",
    hint="Write one name, or a list such as [fetch, filter].",
)
check_transitions = partial(
    _check_list,
    takes="names of tasks, or a list of transitions",
    hint='Write for example next: [{when: "{{ failed() }}", do: repair}, {do: store}].',
)
"""Refuse what isn't a list under `next`, where shorthand is written out already."""


# Literals


def _or_template(parse: Callable[[object], Any], **json_schema: object) -> Annotations:
    """What an annotation needs so that its key takes a template or what `parse` takes."""

    def check(value: object) -> Any:
        return value if isinstance(value, str) and has_template(value) else parse(value)

    schema = WithJsonSchema({"anyOf": [json_schema, _TEMPLATE_SCHEMA]})
    return PlainValidator(check), schema, Reader(parse)


def literal(parse: Callable[[object], object], **json_schema: object) -> Annotations:
    """Annotations of a key that takes a literal which `parse` reads, and no template."""
    return PlainValidator(parse), WithJsonSchema(json_schema)


def one_of(*choices: str) -> Annotations:
    """What annotates a key that takes one of these words, or a template."""
    return _or_template(partial(parse_choice, choices=choices), enum=list(choices))


def whole_number(minimum: int, maximum: int | None = None) -> Annotations:
    """What annotates a key that takes a whole number within bounds, or a template."""
    bounds = {"minimum": minimum} if maximum is None else {"minimum": minimum, "maximum": maximum}
    parse = partial(parse_count, minimum=minimum, maximum=maximum)
    return _or_template(parse, type="integer", **bounds)


def one_word_of(*choices: str) -> tuple[object, ...]:
    """The annotation of a key that takes one of these words, and no template."""
    parse = partial(parse_choice, choices=choices)
    return PlainValidator(parse), WithJsonSchema({"enum": list(choices)})


def a_count(minimum: int, maximum: int) -> tuple[object, ...]:
    """The annotation of a key that takes a whole number within bounds, and no template."""
    parse = partial(parse_count, minimum=minimum, maximum=maximum)
    schema = {"type": "integer", "minimum": minimum, "maximum": maximum}
    return PlainValidator(parse), WithJsonSchema(schema)


def a_duration() -> tuple[object, ...]:
    """The annotation of a key that takes a duration, and no template."""
    schema = {"type": ["string", "number"], "pattern": f"^{DURATION_PATTERN}$", "minimum": 0}
    return PlainValidator(parse_duration), WithJsonSchema(schema)


def _parse_type(value: object) -> str:
    return parse_choice(value, TYPES)


def _parse_choices(value: object) -> tuple[object, ...]:
    if not isinstance(value, list) or not value or None in value:
        raise ValueError("takes a list of values, with one at least, and none of them null")
    return tuple(value)


def _parse_bound(value: object) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ValueError("takes a number")


def _parse_pattern(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("takes a regular expression, a text")  # noqa: TRY004 - as of all values
    try:
        compiled(value)
    except ValueError as error:
        raise ValueError(
            f"takes a regular expression of RE2, and this is none or too large: {error}"
        ) from None
    return value


def _parse_join(value: object) -> int | str:
    if value == "all":
        return "all"
    try:
        return parse_count(value, minimum=1)
    except ValueError as error:
        raise ValueError(f"{error}, or all") from None


_duration = _or_template(
    parse_duration, type=["string", "number"], pattern=f"^{DURATION_PATTERN}$", minimum=0
)
_timeout = _or_template(
    parse_timeout, type=["string", "number"], pattern=f"^{DURATION_PATTERN}$", exclusiveMinimum=0
)
_rate = _or_template(
    parse_rate, type=["string", "number"], pattern=f"^{RATE_PATTERN}$", exclusiveMinimum=0
)
_tolerance = _or_template(
    parse_tolerance, type=["string", "integer"], pattern=f"^{PERCENTAGE_PATTERN}$", minimum=0
)
blankable: Final = (BeforeValidator(empty_for_null), _OrBlank())
"""What annotates a map that may be left blank, which is empty then."""

Name = Annotated[str, AfterValidator(_check_name), WithJsonSchema(_NAME_SCHEMA)]
TaskName = Annotated[str, AfterValidator(_check_task_name), WithJsonSchema(_TASK_SCHEMA)]
Action = Annotated[str, AfterValidator(_check_action)]
Text = Annotated[str, AfterValidator(_check_text)]
ParameterType = Annotated[
    str | None, PlainValidator(_parse_type), WithJsonSchema({"enum": list(TYPES)})
]
Choices = Annotated[
    tuple[object, ...] | None,
    PlainValidator(_parse_choices),
    WithJsonSchema({"type": "array", "minItems": 1}),
]
Bound = Annotated[
    int | float | None, PlainValidator(_parse_bound), WithJsonSchema({"type": "number"})
]
Pattern = Annotated[str | None, PlainValidator(_parse_pattern), WithJsonSchema({"type": "string"})]
Values = Annotated[dict[str, Any], *blankable, AfterValidator(FrozenDict)]
Variables = Annotated[dict[Name, Any], *blankable, AfterValidator(FrozenDict)]
Items = Annotated[
    Any,
    AfterValidator(_check_items),
    WithJsonSchema({"anyOf": [{"type": ["array", "object"]}, _TEMPLATE_SCHEMA]}),
]

Duration = Annotated[float | str, *_duration]
Timeout = Annotated[float | str | None, *_timeout]
Rate = Annotated[float | str | None, *_rate]
Tolerated = Annotated[Tolerance | str, *_tolerance]
Flag = Annotated[bool | str, *_or_template(parse_flag, type="boolean")]
Condition = Annotated[bool | str, *_or_template(parse_condition, type="boolean")]
OptionalCondition = Annotated[bool | str | None, *_or_template(parse_condition, type="boolean")]

Join = Annotated[
    int | Literal["all"] | None,
    PlainValidator(_parse_join),
    WithJsonSchema({"anyOf": [{"const": "all"}, {"type": "integer", "minimum": 1}]}),
]
MAX_VISITS: Final = 1_000_000

# What runs next is decided without evaluating anything.
MaxVisits = Annotated[int, *a_count(1, MAX_VISITS)]
_Need = Annotated[str, PlainValidator(_check_need), WithJsonSchema(_TASK_SCHEMA)]
_Target = Annotated[str, PlainValidator(_check_target), WithJsonSchema(_NAME_SCHEMA)]
Needs = Annotated[tuple[_Need, ...] | None, BeforeValidator(_check_names)]
Resources = Annotated[
    tuple[Name, ...],
    BeforeValidator(
        partial(_check_list, takes="a list of resources", hint="For example: runs-on: [gpu]")
    ),
]
Targets = Annotated[
    tuple[_Target, ...],
    BeforeValidator(check_not_empty),
    BeforeValidator(_check_names),
]
