"""`@fanwise.action`: how a plain function becomes an action.

The decorator returns the function itself with a mark on it; `spec_of` turns a marked function into
an `ActionSpec` once its module has been imported whole, so that an annotation may name a class that
stands further down in the file. Neither keeps a list of functions, and neither ever calls one.

Every error is an `ActionLoadError` of one line that begins with the function's file and line.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

from fanwise.actions.checks import (
    DURATION_WORDS,
    accepts,
    check_for,
    duration_check,
    fields_check,
    is_shareable,
    members,
    stream_check,
)
from fanwise.catalog import ActionContext, ActionField, ActionSpec, Given, InputRule, Runs
from fanwise.errors import ActionLoadError
from fanwise.model import Limits

F = TypeVar("F", bound=Callable[..., Any])

SCRIPT = object()
"""Marks a parameter as text that a shell runs: `script: Annotated[str, SCRIPT]`."""

PATH = object()
"""Marks a text as the path of a file or folder: `path: Annotated[str, PATH]`. A `Path` is one."""

DURATION = object()
"""Marks a number of seconds that may be given as `500ms` or `1h30m`: `Annotated[float,
DURATION]`."""

STREAM = object()
"""Marks a list that is read an element at a time: `rows: Annotated[Iterable[object], STREAM]`."""

FIELDS = object()
"""Marks a map as fields that an answer has, declared as `parameters` are."""

_MARKS = (SCRIPT, PATH, DURATION, STREAM, FIELDS)
_MARK = "__fanwise_action__"
# Parameters of these types are no inputs: the engine gives them, to an action that asks.
_SERVICES: tuple[type, ...] = (ActionContext, Limits)

_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")


class Written(NamedTuple):
    """Marks a parameter with a check that the action makes itself at run time.

    A value that a workflow's file gives is checked with it before the run: `check` raises an
    `AttemptError` for one that can't be right. Null isn't checked.
    """

    check: Callable[..., object]


Choices: TypeAlias = Sequence[str | tuple[str, ...]]


class _Mark(NamedTuple):
    """The decorator's mark on a function."""

    name: str
    cpu: bool
    rules: Sequence[InputRule]


def action(
    name: str,
    *,
    cpu: bool = False,
    one_of: Choices = (),
    at_most_one_of: Choices = (),
    some_of: Choices = (),
    together: Choices = (),
) -> Callable[[F], F]:
    """Make a function an action called `name`, which is `pack.name`.

    The function's parameters and their annotations say what input the action takes, and its
    docstring describes it. `async def` runs on the event loop, `def` in a thread, and a `def` with
    `cpu=True` in a process. Raises `ActionLoadError` for what can't be an action.

    The others name parameters, or tuples of those that belong together, and say how many of them
    are given: exactly one, at most one, at least one, or all or none. Null isn't given.
    """
    if not isinstance(name, str):
        raise ActionLoadError(
            f"{_place(name)}  @action is used without a name.",
            hint='Write @fanwise.action("pack.name").',
        )

    named = {
        Given.ONE_OF: one_of,
        Given.AT_MOST_ONE_OF: at_most_one_of,
        Given.SOME_OF: some_of,
        Given.TOGETHER: together,
    }
    rules = tuple(InputRule(given, _choices(names)) for given, names in named.items() if names)

    def mark(function: F) -> F:
        _verify(_Mark(name, cpu, rules), function)
        setattr(function, _MARK, _Mark(name, cpu, rules))
        return function

    return mark


def spec_of(function: object) -> ActionSpec | None:
    """The spec of a function that was marked by `action`, or None for anything else.

    Raises `ActionLoadError` if an annotation can't be evaluated, or if two parameters ask for the
    same service of the engine.
    """
    if not isinstance(function, types.FunctionType):
        return None
    mark = function.__dict__.get(_MARK)
    if mark is None:
        return None
    parameters = inspect.signature(function).parameters
    annotations = _annotations(function, mark.name, parameters)
    fields: dict[str, ActionField] = {}
    services: dict[type, str] = {}
    open_input = False
    for parameter in parameters.values():
        annotation = annotations.get(parameter.name, Any)
        service = next((each for each in _SERVICES if each in members(annotation)), None)
        if parameter.kind is parameter.VAR_KEYWORD:
            open_input = True
        elif service is None:
            fields[parameter.name] = _field(mark.name, parameter, annotation)
        elif service in services:
            raise ActionLoadError(
                f'{_place(function)}  action "{mark.name}" asks for {service.__name__} twice: in '
                f'"{services[service]}" and in "{parameter.name}".',
                hint="Keep one of these parameters.",
            )
        else:
            services[service] = parameter.name
    return ActionSpec(
        name=mark.name,
        function=function,
        runs=_runs(function, cpu=mark.cpu),
        fields=fields,
        open_input=open_input,
        context_field=services.get(ActionContext),
        limits_field=services.get(Limits),
        doc=inspect.getdoc(function) or "",
        source=_place(function),
        rules=mark.rules,
        digest=_digest(_place(function).rpartition(":")[0]),
    )


def _choices(names: Choices) -> Sequence[tuple[str, ...]]:
    return tuple((each,) if isinstance(each, str) else tuple(each) for each in names)


def _verify(mark: _Mark, function: object) -> None:
    """Raise `ActionLoadError` unless `function` can be the action that `mark` says."""
    fault = _fault(mark, function)
    if fault:
        message, hint = fault
        raise ActionLoadError(f'{_place(function)}  action "{mark.name}" {message}', hint=hint)


def _fault(mark: _Mark, function: object) -> tuple[str, str] | None:
    if not _NAME.fullmatch(mark.name):
        return (
            "isn't named pack.name.",
            "Use lower-case letters, digits and _, in two or more parts joined by dots.",
        )
    if not isinstance(function, types.FunctionType):
        return f"is a {type(function).__name__}, not a function.", "Decorate a def or an async def."
    if _MARK in function.__dict__:
        return (
            f'is the action "{function.__dict__[_MARK].name}" already.',
            "Give each name a function of its own.",
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return "uses yield, but an action has one result.", "Return a list."
    if mark.cpu and inspect.iscoroutinefunction(function):
        return "is async, but cpu=True needs a def.", "Drop the async, or the cpu=True."
    parameters = inspect.signature(function).parameters
    for rule in mark.rules:
        for name in (name for choice in rule.choices for name in choice):
            if name not in parameters:
                return f'has no parameter "{name}", which {rule.given} names.', "Name its inputs."
    for parameter in parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return f"takes *{parameter.name}, but input has names.", "Take a list, or **values."
        if parameter.kind is parameter.POSITIONAL_ONLY:
            return f'has "{parameter.name}" before a /, but input has names.', "Remove the /."
    return None


def _field(name: str, parameter: inspect.Parameter, annotation: object) -> ActionField:
    notes = getattr(annotation, "__metadata__", ())
    if notes and all(isinstance(note, Written) or note in _MARKS for note in notes):
        annotation = typing.get_args(annotation)[0]
    written = next((note.check for note in notes if isinstance(note, Written)), None)
    required = parameter.default is parameter.empty
    if DURATION in notes:
        return ActionField(
            name=parameter.name,
            required=required,
            accepts=DURATION_WORDS,
            check=duration_check(name, parameter.name),
            shareable=True,
            default=None if required else parameter.default,
            written=written,
        )
    if FIELDS in notes:
        return ActionField(
            name=parameter.name,
            required=required,
            accepts="a map of fields, each declared as a parameter is",
            check=fields_check(name, parameter.name),
            default=None if required else parameter.default,
        )
    if STREAM in notes:
        return ActionField(
            name=parameter.name,
            required=required,
            accepts="a list",
            check=stream_check(name, parameter.name),
            default=None if required else parameter.default,
            is_stream=True,
        )
    if parameter.default is None and annotation is not Any:
        annotation = typing.Optional[annotation]  # noqa: UP045 - `|` doesn't take every annotation
    return ActionField(
        name=parameter.name,
        required=required,
        accepts=accepts(annotation),
        check=check_for(name, parameter.name, annotation),
        shareable=is_shareable(annotation),
        default=None if required else parameter.default,
        doc=next((text for note in notes if (text := _description(note))), ""),
        is_script=SCRIPT in notes,
        is_path=PATH in notes or Path in members(annotation),
        written=written,
    )


def _description(note: object) -> str:
    """The description that a pydantic `Field(...)` in an annotation carries."""
    text = getattr(note, "description", None)
    return text if isinstance(text, str) else ""


def _runs(function: Callable[..., Any], *, cpu: bool) -> Runs:
    if inspect.iscoroutinefunction(function):
        return Runs.ASYNC
    return Runs.PROCESS if cpu else Runs.THREAD


def _annotations(
    function: types.FunctionType, name: str, parameters: Mapping[str, inspect.Parameter]
) -> dict[str, Any]:
    """The parameters' annotations, evaluated; that of the result is nobody's concern here."""
    written = {
        parameter.name: parameter.annotation
        for parameter in parameters.values()
        if parameter.annotation is not parameter.empty
    }
    holder = types.SimpleNamespace(__annotations__=written)
    scope = inspect.unwrap(function).__globals__
    try:
        return typing.get_type_hints(holder, globalns=scope, include_extras=True)
    except Exception as error:
        raise ActionLoadError(
            f'{_place(function)}  action "{name}" has an annotation that can\'t be evaluated: '
            f"{type(error).__name__}: {error}.",
            hint="Import its types when the module runs, not only for type checkers.",
        ) from error


def _place(function: object) -> str:
    """`file:line` of a function, or what else is known of it."""
    code = getattr(inspect.unwrap(function) if callable(function) else None, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)


def _digest(file: str) -> str:
    """A hash of a file, or "" if it can't be read: by it a resumed run tells that code changed."""
    try:
        return blake2b(Path(file).read_bytes(), digest_size=16).hexdigest()
    except OSError:
        return ""
