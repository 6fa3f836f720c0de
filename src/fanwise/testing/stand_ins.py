"""Stand-ins for actions in a rehearsal: the results that a test gives.

A result is any JSON value, an exception to be raised, a function to be called as the action would
be, or a choice among results: `in_turn`, `per_item`, `per_task`. Choices may stand within each
other. They hold no state, so one may be used in several rehearsals.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeGuard

import msgspec

from fanwise.catalog import ActionContext
from fanwise.errors import ActionError, UsageError

_NONE: Final = object()
_INDEX = re.compile(r"\[(\d+)\]")


class Moment(msgspec.Struct, frozen=True):
    """A call of an action: its task, its item, and the number of calls before it.

    `task` is the path of the task without items, as in `check.login`; `index` is that of the
    nearest item, or None; `before` counts earlier calls by the same task and item.
    """

    task: str
    index: int | None
    before: int


class Choice(msgspec.Struct, frozen=True):
    """Several results, of which each call of an action gets one."""

    def pick(self, moment: Moment) -> Any:
        """The result of one call, which may be another choice. Raises `UsageError` for none."""
        raise NotImplementedError


class _InTurn(Choice, frozen=True):
    results: tuple[Any, ...]

    def pick(self, moment: Moment) -> Any:
        return self.results[min(moment.before, len(self.results) - 1)]


class _PerItem(Choice, frozen=True):
    results: Mapping[int, Any]
    otherwise: Any

    def pick(self, moment: Moment) -> Any:
        if moment.index is None:
            raise UsageError(
                f'task "{moment.task}" has no items, and per_item is to tell them apart.'
            )
        result = self.results.get(moment.index, self.otherwise)
        if result is _NONE:
            raise UsageError(
                f'per_item has no result for item {moment.index} of task "{moment.task}".',
                hint="Give one for the others with otherwise=...",
            )
        return result


class _PerTask(Choice, frozen=True):
    results: Mapping[str, Any]

    def pick(self, moment: Moment) -> Any:
        if moment.task not in self.results:
            known = ", ".join(f'"{name}"' for name in self.results)
            raise UsageError(
                f'per_task has no result for task "{moment.task}".', hint=f"It has: {known}."
            )
        return self.results[moment.task]


def in_turn(*results: object) -> Choice:
    """One result after the other: the first for the first attempt, and so on; the last one stays.

    Each item counts for itself, and a task that is visited again keeps counting.
    """
    if not results:
        raise UsageError("in_turn takes one result at least.")
    return _InTurn(results)


def per_item(results: Sequence[Any] | Mapping[int, Any], otherwise: object = _NONE) -> Choice:
    """A result for each item: a list of them, or a map by index.

    `otherwise` is that of all other items. The item is the task's own, or else the one in whose
    child workflow the task runs.
    """
    by_index = results if isinstance(results, Mapping) else dict(enumerate(results))
    return _PerItem(by_index, otherwise)


def per_task(results: Mapping[str, Any]) -> Choice:
    """A result for each task that calls the action, by name; in a child workflow `check.login`."""
    return _PerTask(results)


def fails(
    type: str = "ActionError",
    message: str = "the stand-in fails, as the test wants.",
    *,
    data: object = None,
    retry: bool = True,
    times: int | None = None,
    then: object = None,
) -> ActionError | Choice:
    """A failure with this `type`, `message` and `data`, as `fanwise.ActionError` takes them.

    With `times` only so many attempts of each item fail, and after them comes the result `then`.
    """
    error = ActionError(message, type=type, data=data, retry=retry)
    return error if times is None else in_turn(*[error] * times, then)


def choose(result: object, context: ActionContext, before: int) -> Any:
    """The result of a stand-in in one attempt, once all choices are made.

    `before` counts earlier calls by the same task and item. Raises `UsageError` if there is nothing
    for this one.
    """
    moment = moment_of(context, before)
    while isinstance(result, Choice):
        result = result.pick(moment)
    return result


async def perform(result: object, given: dict[str, Any], context: ActionContext) -> Any:
    """Return, raise, or call `result`, with the action's checked input."""
    if _is_exception(result):
        # An exception keeps what it was raised by, and the same one may be raised many times.
        raise result.with_traceback(None) if isinstance(result, BaseException) else result
    if not callable(result):
        return result
    name = _context_name(result)
    called = result(**given) if name is None else result(**given, **{name: context})
    return await called if inspect.isawaitable(called) else called


def moment_of(context: ActionContext, before: int) -> Moment:
    """The moment of one call; `before` counts earlier calls by the same task and item."""
    above = _INDEX.findall(context.task)
    nearest = int(above[-1]) if above and context.index is None else context.index
    return Moment(_INDEX.sub("", context.task), nearest, before)


def _is_exception(result: object) -> TypeGuard[BaseException | type[BaseException]]:
    return isinstance(result, BaseException) or (
        isinstance(result, type) and issubclass(result, BaseException)
    )


def _context_name(function: Callable[..., Any]) -> str | None:
    """The parameter that a function wants an `ActionContext` for, if it has one."""
    try:
        parameters = inspect.signature(function, eval_str=True).parameters.values()
    except (TypeError, ValueError, NameError):  # built in, or annotated with what isn't there
        return None
    return next((each.name for each in parameters if each.annotation is ActionContext), None)
