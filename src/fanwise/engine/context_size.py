"""The size of a run's context, as JSON, held under `limits.context_bytes`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fanwise.conductor import EvaluationKind
from fanwise.errors import LimitError
from fanwise.model import Limits
from fanwise.plan import Plan
from fanwise.values import encode


class ContextSize:
    """The bytes of a context's values together; a value that is replaced counts once."""

    def __init__(self, limits: Limits, held: Mapping[str, int]) -> None:
        self._bound = limits.context_bytes
        self._held = dict(held)
        self._total = sum(held.values())

    def hold(self, name: str, size: int) -> None:
        """Count a value of `size` bytes. Raises `LimitError` if the context is too large then."""
        total = self._total + size - self._held.get(name, 0)
        require_room(total, name, self._bound)
        self._total = total
        self._held[name] = size


def require_room(total: int, name: str, bound: int) -> None:
    """Raise `LimitError` if a context of `total` bytes, the value `name` included, is too large."""
    if total > bound:
        raise LimitError(
            f"with {name} the run's context has {total:,} bytes; the limit is {bound:,}.",
            setting="limits.context_bytes",
        )


def result_name(prefix: str, plan: Plan, number: int) -> str:
    """The name under which a task's result is counted."""
    return f"the result of {prefix}{plan.tasks[number].name}"


def variable_sizes(asked: EvaluationKind, value: Any) -> Iterator[tuple[str, int]]:
    """The names and sizes of the variables that an evaluation has set."""
    match asked:
        case EvaluationKind.VARIABLES | EvaluationKind.PUBLISH:
            published = [value]
        case EvaluationKind.NEXT:
            published = [values for values in value if isinstance(values, Mapping)]
        case _:
            return
    for values in published:
        for name, each in values.items():
            yield f"the variable {name}", len(encode(each))
