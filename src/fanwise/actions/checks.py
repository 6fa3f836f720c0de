"""Checking an action's input against its annotations.

A value that has exactly an accepted type is passed on by reference: no copy, no pydantic. Anything
else goes through a pydantic `TypeAdapter` in its lax mode, built when it is first needed, because
importing pydantic costs a tenth of a second. What pydantic rebuilt as dicts and lists is frozen
again, so that all items can share it.

An `InputError` names the action, the field and what is accepted, never the value: values can be
secrets, so of pydantic's messages only those that repeat the annotation get through.
"""

from __future__ import annotations

import collections.abc
import enum
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union

from fanwise.catalog import Elements
from fanwise.errors import InputError
from fanwise.values import FrozenDict, FrozenList, LazyList

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

_ANYTHING: Final = (Any, object)
_UNIONS: Final = (Union, types.UnionType)

# JSON's own types: the type of a frozen value, and what to call it.
_JSON: Final[Mapping[type, tuple[type, str]]] = {
    str: (str, "text"),
    int: (int, "an integer"),
    float: (float, "a number"),
    bool: (bool, "true or false"),
    dict: (FrozenDict, "a map"),
    list: (FrozenList, "a list"),
    type(None): (type(None), "null"),
}

_CONTAINERS: Final = (
    *(dict, list, tuple, frozenset),
    *(collections.abc.Mapping, collections.abc.Sequence),
)
_IMMUTABLE_MODULES: Final = frozenset(
    {"datetime", "decimal", "fractions", "ipaddress", "pathlib", "uuid"}
)

_PLAIN_KEY: Final = re.compile(r"[\w-]{1,60}").fullmatch  # Others may break an error's line.

_EXACT_FLOAT_BITS: Final = 53

# Kinds of pydantic's errors whose messages are made from the annotation alone.
_CONSTRAINTS: Final = frozenset(
    {
        "enum",
        "greater_than",
        "greater_than_equal",
        "less_than",
        "less_than_equal",
        "literal_error",
        "multiple_of",
        "string_pattern_mismatch",
        "string_too_long",
        "string_too_short",
    }
)


def members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the annotation itself as the only one."""
    if typing.get_origin(annotation) in _UNIONS:
        return typing.get_args(annotation)
    return (annotation,)


def accepts(annotation: Any) -> str:
    """Describe the annotation in words: `text or null`."""
    return " or ".join(_words(member) for member in members(_bare(annotation)))


def is_shareable(annotation: Any) -> bool:
    """True if the checked value can't be changed, so that items may share it."""
    annotation = _bare(annotation)
    origin = typing.get_origin(annotation)
    if origin in _UNIONS or (origin or annotation) in _CONTAINERS:
        return all(is_shareable(part) for part in typing.get_args(annotation))
    if origin is Literal or annotation is Ellipsis or annotation in _ANYTHING:
        return True
    return isinstance(annotation, type) and (
        annotation in _JSON
        or annotation is bytes
        or issubclass(annotation, enum.Enum)
        or annotation.__module__.partition(".")[0] in _IMMUTABLE_MODULES
    )


def check_for(action: str, field: str, annotation: Any) -> Callable[[Any], Any] | None:
    """The check of one field of an action, or None if the annotation takes anything."""
    if any(member in _ANYTHING for member in members(annotation)):
        return None
    return _Check(action, field, annotation)


def fields_check(action: str, field: str) -> Callable[[object], object]:
    """The check of a field that declares the fields of an answer; it gives them as they are."""

    def check(value: object) -> object:
        from fanwise.plan.questions import declared_fields  # seldom needed

        if value is not None:
            if not isinstance(value, Mapping):
                raise InputError(f'input "{field}" of {action} must be a map of fields.')
            try:
                declared_fields(value)
            except InputError as error:
                raise InputError(f'input "{field}" of {action}: {error}') from None
        return value

    return check


DURATION_WORDS: Final = "a duration such as 30s or 1h30m, or a number of seconds"


def duration_check(action: str, field: str) -> Callable[[Any], float]:
    """The check of a field that takes a duration, which gives it in seconds."""

    def check(value: object) -> float:
        seconds = _seconds(value)
        if seconds is None:
            raise InputError(f'input "{field}" of {action} must be {DURATION_WORDS}.')
        return seconds

    return check


def stream_check(action: str, field: str) -> Callable[[object], object]:
    """The check of a field that takes a list of any length, which isn't read here."""

    def check(value: object) -> object:
        if isinstance(value, list | LazyList | Elements):
            return value
        raise InputError(f'input "{field}" of {action} must be a list.')

    return check


def _seconds(value: object) -> float | None:
    """The seconds of a duration as the language writes it, or None for anything else."""
    from fanwise.definition.literals import parse_duration  # with it comes pydantic

    try:
        return parse_duration(value)
    except ValueError:
        return None


class _Check:
    """Turns a frozen JSON value into what an annotation asks for, or raises `InputError`."""

    __slots__ = (
        "_action",
        "_adapter",
        "_annotation",
        "_exact",
        "_field",
        "_is_shareable",
        "_takes_duration",
    )

    def __init__(self, action: str, field: str, annotation: Any) -> None:
        self._action = action
        self._field = field
        self._annotation = annotation
        self._exact = frozenset(
            _JSON[shape][0] for shape in map(_json_shape, members(annotation)) if shape
        )
        self._is_shareable = is_shareable(annotation)
        self._takes_duration = timedelta in members(annotation)
        self._adapter: TypeAdapter[Any] | None = None

    def __call__(self, value: Any) -> Any:
        kind = type(value)
        if kind in self._exact:
            return value
        if kind is int and float in self._exact and value.bit_length() <= _EXACT_FLOAT_BITS:
            return float(value)
        if kind is str and self._takes_duration and (seconds := _seconds(value)) is not None:
            return timedelta(seconds=seconds)
        from pydantic import ValidationError

        adapter = self._adapter or self._build()
        try:
            result = adapter.validate_python(value)
        except ValidationError as error:
            raise self._refusal(value, error) from None
        except Exception as error:
            raise InputError(
                f"{self._place()} can't be checked: a validator raised {type(error).__name__}.",
                hint="Let validators raise ValueError.",
            ) from error
        return _frozen(result) if self._is_shareable else result

    def _build(self) -> TypeAdapter[Any]:
        from pydantic import PydanticUserError, TypeAdapter

        try:
            self._adapter = TypeAdapter(self._annotation)
        except PydanticUserError:
            raise InputError(
                f"{self._place()} is annotated as {accepts(self._annotation)}, which can't be "
                "made from JSON.",
                hint="Annotate it as a JSON type, a dataclass or a pydantic model.",
            ) from None
        return self._adapter

    def _place(self, path: str = "") -> str:
        return f'input "{self._field}{path}" of {self._action}'

    def _refusal(self, value: Any, error: ValidationError) -> InputError:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        kind = details[0]["type"]
        paths = [
            _path(value, detail["loc"], is_missing=detail["type"] == "missing")
            for detail in details
        ]
        path = paths[0]
        if kind == "missing":
            return InputError(f"{self._place(path)} is missing.")
        # Several complaints about one place come from the members of a union; none tells it all.
        wanted = _wanted(kind, details[0]["msg"]) if paths.count(path) == 1 else None
        if wanted is None or (not path and kind not in _CONSTRAINTS):
            wanted = (
                f"isn't what {self._field} takes"
                if path
                else f"must be {accepts(self._annotation)}"
            )
        return InputError(f"{self._place(path)} {wanted}.")


def _bare(annotation: Any) -> Any:
    """The annotation without its `Annotated` metadata."""
    if typing.get_origin(annotation) is Annotated:
        return typing.get_args(annotation)[0]
    return annotation


def _json_shape(annotation: Any) -> type | None:
    """The JSON type of the annotation, or None if it isn't one of JSON's."""
    origin, arguments = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if origin in (dict, list) and (arguments[-1:] == () or arguments[-1] in _ANYTHING):
        # The keys of a JSON map are text, whatever the annotation says of them.
        return typing.cast("type", origin) if arguments[:-1] in ((), (str,)) else None
    return annotation if isinstance(annotation, type) and annotation in _JSON else None


def _words(annotation: Any) -> str:
    annotation = _bare(annotation)
    shape = _json_shape(annotation)
    if shape:
        return _JSON[shape][1]
    if annotation in _ANYTHING:
        return "anything"
    if annotation is timedelta:
        return DURATION_WORDS
    if typing.get_origin(annotation) is Literal:
        return " or ".join(f'"{choice}"' for choice in typing.get_args(annotation))
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", repr(annotation))


def _wanted(kind: str, message: str) -> str | None:
    """The value that pydantic wants, or None where its message may repeat the given one."""
    if kind not in _CONSTRAINTS:
        if not kind.endswith(("_type", "_parsing")):
            return None
        message = message.partition(",")[0]  # What follows tells where in the value it failed.
    return re.sub(r"^\w+ (?=should)", "", message)


def _path(value: Any, location: Sequence[int | str], *, is_missing: bool) -> str:
    """Pydantic's location as the path that a reader knows: `[3].port`.

    Parts that don't lead into the value are pydantic's names for the members of a union, but for
    the last part of something missing, which is its name.
    """
    path = ""
    for place, part in enumerate(location, start=1):
        try:
            value = value[part]
        except (IndexError, KeyError, TypeError):
            if not (is_missing and place == len(location)):
                continue
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if _PLAIN_KEY(part) else "[...]"
    return path


def _frozen(value: Any) -> Any:
    """The value with every dict and list that can be changed made one that can't."""
    kind = type(value)
    if kind is dict:
        return FrozenDict({key: _frozen(part) for key, part in value.items()})
    if kind is list:
        return FrozenList([_frozen(part) for part in value])
    if kind is tuple:
        return tuple([_frozen(part) for part in value])
    return value
