"""Messages about missing names and parts, with the nearest existing names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

from fanwise.expressions.flow import Undefined, kind
from fanwise.expressions.refusal import EvaluationError
from fanwise.values import FrozenDict

_LOOKED_AT = 1_000
_NEAR = 0.65
_LISTED = 5
_NAME_LENGTH = 40

_CLOCK = "A template has no clock: run.started_at is the time, as text."
_DATES = (
    "Dates are texts: run.started_at | shift(days=-1) | strftime('%Y-%m-%d'). "
    "An action can do more."
)
_ENVIRONMENT = (
    "A template reaches no environment: declare a parameter and give it with -p, or name a secret "
    "as secrets.NAME."
)
_CHANCE = "A template has no chance: run.id differs by run."

ELSEWHERE = {
    **dict.fromkeys(("now", "today", "utcnow"), _CLOCK),
    **dict.fromkeys(("as_datetime", "datetime", "strptime", "timedelta", "to_datetime"), _DATES),
    "strftime": _DATES,
    **dict.fromkeys(("env", "environ", "getenv", "lookup", "os", "environment"), _ENVIRONMENT),
    **dict.fromkeys(
        ("tasks", "steps", "outputs", "needs", "jobs"),
        "The result of a task is task.NAME.output.",
    ),
    **dict.fromkeys(("params", "inputs", "input", "args"), "Parameters are parameters.NAME."),
    **dict.fromkeys(("variables", "ctx", "context"), "Variables are vars.NAME."),
    **dict.fromkeys(("random", "uuid", "uuid4"), _CHANCE),
}
"""Remedies by the names that other tools have for such things."""


def remedy(name: str, names: Iterable[str]) -> str:
    """A sentence about a name of another tool, or with the nearest of `names`."""
    return ELSEWHERE.get(name) or nearest(name, names)


def nearest(name: str, names: Iterable[str]) -> str:
    """A sentence with the nearest of `names`, or nothing if none is near."""
    known = [str(known) for known in islice(names, _LOOKED_AT)]
    close = get_close_matches(name, known, n=1, cutoff=_NEAR)
    return f'Did you mean "{_shown(close[0])}"?' if close else ""


def nearest_or_few(name: str, names: Iterable[str]) -> str:
    """A sentence with the nearest of `names`, or else with the first few of them."""
    known = [str(known) for known in islice(names, _LOOKED_AT)]
    few = ", ".join(_shown(known) for known in known[:_LISTED])
    more = ", ..." if len(known) > _LISTED else ""
    return nearest(name, known) or (f"There is: {few}{more}" if known else "")


def no_such_part(owner: str, value: object, key: str | int | None) -> Undefined:
    """The undefined value that `owner`, which holds `value`, has at `key`.

    `key` is None if it was computed, since it may then be a secret. So may the keys of a map
    that a template made: only those of the context's maps are named.
    """

    def explain() -> EvaluationError:
        if value is None:
            return EvaluationError(
                f"{owner} is null.", "Test for it, or give a value with default()."
            )
        if isinstance(value, dict):
            if key is None:
                return EvaluationError(f"{owner} has no such key.")
            hint = nearest_or_few(str(key), value) if isinstance(value, FrozenDict) else ""
            return EvaluationError(f'{owner} has no key "{key}".', hint)
        if isinstance(key, int):
            return EvaluationError(f"{owner} has no element {key}.")
        what = "such part" if key is None else f'"{key}"'
        return EvaluationError(f"{owner} is {kind(value)} and has no {what}.")

    return Undefined(explain)


def undefined(reason: str, hint: str = "") -> Undefined:
    """An undefined value that says this when it is used."""
    return Undefined(lambda: EvaluationError(reason, hint))


def _shown(name: str) -> str:
    plain = name if name.isprintable() else ascii(name)[1:-1]
    return plain if len(plain) <= _NAME_LENGTH else f"{plain[:_NAME_LENGTH]}..."
