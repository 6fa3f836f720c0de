"""The parameters of a run: reads them as their declared types, and fills in what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from weft.definition import ParameterDefinition, did_you_mean, fits_type
from weft.errors import ParameterError, ResultError
from weft.plan.model import Plan
from weft.values import FrozenDict, freeze

_WORDS: Final[Mapping[str, str]] = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list in JSON",
    "object": "a map in JSON",
}


def bind_parameters(plan: Plan, given: Mapping[str, Any]) -> FrozenDict:
    """The values of all declared parameters, frozen.

    Raises `ParameterError` with a line for each that is missing, unknown or of another type.
    """
    problems: list[str] = []
    for name in given:
        if name not in plan.parameters:
            known = ", ".join(plan.parameters)
            hint = did_you_mean(name, plan.parameters) or (
                f"It declares: {known}." if known else "It declares none."
            )
            problems.append(f'{plan.file}  the workflow has no parameter "{name}". {hint}')
    bound = {}
    for name, parameter in plan.parameters.items():
        if name not in given:
            if parameter.required:
                text = f'{plan.file}  the parameter "{name}" is required.'
                problems.append(f"{text} Give it with -p {name}=VALUE.")
            bound[name] = parameter.default
            continue
        try:
            bound[name] = freeze(given[name], where=f"parameters.{name}")
        except ResultError as error:
            problems.append(f"{plan.file}  {error}")
            continue
        if given[name] is not None and not _fits(parameter, bound[name]):
            problems.append(_misfit(plan, name, parameter))
    if problems:
        raise ParameterError("\n".join(problems))
    return FrozenDict(bound)


def read_parameter(plan: Plan, name: str, text: str) -> Any:
    """The value that `text` stands for, read as the type that the parameter is declared as.

    Raises `ParameterError` if it can't be read so. An unknown name is left to `bind_parameters`.
    """
    parameter = plan.parameters.get(name)
    if parameter is None or parameter.type in (None, "string"):
        return text
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise ParameterError(_misfit(plan, name, parameter)) from None
    if not _fits(parameter, freeze(value)):
        raise ParameterError(_misfit(plan, name, parameter))
    return value


def _fits(parameter: ParameterDefinition, value: Any) -> bool:
    return parameter.type is None or fits_type(value, parameter.type)


def _misfit(plan: Plan, name: str, parameter: ParameterDefinition) -> str:
    return f'{plan.file}  the parameter "{name}" takes {_WORDS[parameter.type or "string"]}.'
