"""The parameters of a run: reads them as their declared types, and fills in what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from fanwise.definition import Accepted, ParameterDefinition, did_you_mean, fits_type, type_of
from fanwise.errors import ParameterError, ResultError
from fanwise.plan.model import Plan
from fanwise.ports import SECRET_PREFIX
from fanwise.values import FrozenDict, Json, JsonObject, freeze


class Declares(Protocol):
    """Declares parameters: a workflow, or a question of which they are the fields of an answer.

    `file` is the place that messages begin with.
    """

    @property
    def file(self) -> str:
        """The place that messages begin with."""

    @property
    def parameters(self) -> Mapping[str, ParameterDefinition]:
        """The parameters by their names."""


def bind_parameters(
    plan: Declares, given: Mapping[str, Any], *, remedy: str = "Give it with -p {name}=VALUE."
) -> FrozenDict:
    """The values of all declared parameters, frozen.

    Raises `ParameterError` with a line for each that is missing, with the `remedy`, unknown or of
    another type.
    """
    problems = [_unknown(plan, name) for name in given if name not in plan.parameters]
    bound = {}
    for name, parameter in plan.parameters.items():
        if name not in given:
            if parameter.required:
                text = f'{plan.file}  the parameter "{name}" is required.'
                problems.append(f"{text} {remedy.format(name=name)}")
            bound[name] = parameter.default
            continue
        try:
            bound[name] = _checked(plan, name, given[name])
        except ParameterError as error:
            problems.append(str(error))
    if problems:
        raise ParameterError("\n".join(problems))
    return FrozenDict(bound)


def require_recordable(plan: Plan, given: Iterable[str]) -> None:
    """Raise `ParameterError` if a run with these parameters needs a secret that isn't recorded."""
    names = set(given)
    secret = [
        n for n, each in plan.parameters.items() if each.secret and (n in names or each.required)
    ]
    if secret:
        raise ParameterError("\n".join([_unrecordable(plan, name, "is secret") for name in secret]))


def require_no_secrets(
    plan: Plan, bound: Mapping[str, object], mask: Callable[[object], object]
) -> None:
    """Raise `ParameterError` if a parameter's value holds a secret, which `mask` would replace."""
    holds = [name for name, value in bound.items() if mask(value) != value]
    if holds:
        raise ParameterError(
            "\n".join([_unrecordable(plan, name, "holds a secret") for name in holds])
        )


def _unrecordable(plan: Plan, name: str, why: str) -> str:
    return (
        f'{plan.file}  the parameter "{name}" {why}, and a submitted run has just what is '
        "recorded. Name the secret in the workflow as secrets.NAME: it is read from "
        f"{SECRET_PREFIX}NAME where `fanwise work` runs."
    )


def read_parameter(plan: Declares, name: str, text: str) -> Any:
    """The value that `text` stands for, read as the type that the parameter is declared as.

    Without a type it is read as the type of the choices, or of the default, or else it is text.

    Raises `ParameterError` if it can't be read so. An unknown name is left to `bind_parameters`.
    """
    parameter = plan.parameters.get(name)
    if parameter is None or parameter.secret:
        return text
    declared, kind = parameter.accepted.read_as, _kind(parameter)
    if kind in (None, "string"):
        return text
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        value = None
    if value is None or not fits_type(value, kind):
        if declared is None:
            raise _misfit(plan, name, Accepted(kind).words, "as its default is. Declare its type")
        raise _misfit(plan, name, parameter.accepted.words)
    return _checked(plan, name, value)


def read_given(plan: Declares, given: Mapping[str, Json], texts: Mapping[str, str]) -> JsonObject:
    """The parameters that are given, with those of `texts` read by their types, which win.

    Raises `ParameterError` with a line for each that doesn't fit.
    """
    found: JsonObject = dict(given)
    problems: list[str] = []
    for name, text in texts.items():
        try:
            found[name] = read_parameter(plan, name, text)
        except ParameterError as error:
            problems.append(str(error))
            found[name] = None
    try:
        bind_parameters(plan, found)
    except ParameterError as error:
        problems += str(error).splitlines()
    if problems:
        raise ParameterError("\n".join(problems))
    return found


def offered(parameter: ParameterDefinition) -> list[str]:
    """The values that a parameter takes, as texts of the command line, if they are few."""
    if parameter.choices is not None:
        return [
            each if isinstance(each, str) else msgspec.json.encode(each).decode()
            for each in parameter.choices
        ]
    return ["true", "false"] if _kind(parameter) == "boolean" else []


def _kind(parameter: ParameterDefinition) -> str | None:
    """The type as which the text of a parameter is read."""
    return parameter.accepted.read_as or type_of(parameter.default)


def _unknown(plan: Declares, name: object) -> str:
    known = ", ".join(plan.parameters)
    hint = f"It declares: {known}." if known else "It declares none."
    if not isinstance(name, str):
        return (
            f"{plan.file}  there is no parameter whose name is of type "
            f"{type(name).__name__}. {hint}"
        )
    hint = did_you_mean(name, plan.parameters) or hint
    return f'{plan.file}  there is no parameter "{name}". {hint}'


def _checked(plan: Declares, name: str, value: object) -> Any:
    """The parameter's value, frozen. Raises `ParameterError` if it isn't JSON or doesn't fit."""
    parameter = plan.parameters[name]
    try:
        frozen = freeze(value, where=f"parameters.{name}")
    except ResultError as error:
        raise ParameterError(f"{plan.file}  {error}") from None
    if not parameter.accepted.fits(frozen):
        raise _misfit(plan, name, parameter.accepted.words)
    return frozen


def _misfit(plan: Declares, name: str, takes: str, why: str = "") -> ParameterError:
    takes = f"{takes}, {why}" if why else takes
    return ParameterError(f'{plan.file}  the parameter "{name}" takes {takes}.')
