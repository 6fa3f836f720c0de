"""Fields of forms, from the parameters that a workflow or a question declares. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from fanwise.definition import ParameterDefinition, type_of


class Field(NamedTuple):
    """A field: its control, and its value as that control has it.

    `control` is `text`, `number`, `check`, `choice`, `json`, or `secret` for a value that isn't
    given here. `type` is the JSON type that the value is read as, empty for any.
    """

    name: str
    control: str
    type: str
    words: str
    description: str
    is_required: bool
    value: str
    choices: Sequence[str] = ()


def fields_of(
    parameters: Mapping[str, ParameterDefinition], given: Mapping[str, object] | None = None
) -> Sequence[Field]:
    """Return the fields of parameters, filled with values that are given, else with defaults."""
    return [_field(name, each, given or {}) for name, each in parameters.items()]


def _field(name: str, parameter: ParameterDefinition, given: Mapping[str, object]) -> Field:
    type_ = parameter.type or type_of(parameter.default) or ""
    value = given.get(name, parameter.default)
    choices = [_text(each, type_) for each in parameter.choices or ()]
    control = _control(parameter, type_)
    return Field(
        name,
        control,
        type_,
        parameter.accepted.words,
        parameter.description,
        parameter.required,
        "" if control == "secret" or value is None else _text(value, type_),
        choices,
    )


def _control(parameter: ParameterDefinition, type_: str) -> str:
    if parameter.secret:
        return "secret"
    if parameter.choices:
        return "choice"
    if type_ == "boolean":
        return "check"
    if type_ in ("integer", "number"):
        return "number"
    return "text" if type_ == "string" else "json"


def _text(value: object, type_: str) -> str:
    """The text of a value in its control: a string as it is, all else as JSON."""
    if type_ == "string" and isinstance(value, str):
        return value
    indent = 2 if isinstance(value, list | dict) and len(str(value)) > 60 else None
    return json.dumps(msgspec.to_builtins(value), indent=indent, ensure_ascii=False)
