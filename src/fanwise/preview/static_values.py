"""Static values: those that are known before anything has run.

A value is known if its templates name only parameters, variables that have a value, and an item
that is there. Nothing here has an effect, and secrets are masked from the start.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fanwise.context import ItemContext, WorkflowContext
from fanwise.errors import AttemptError
from fanwise.plan import Plan, Value


class StaticValue(msgspec.Struct, frozen=True, gc=False):
    """A value before the run: evaluated if all of it `is_known`, else as written, or in part so.

    `problem` is the error of a value that is known and can't be evaluated.
    """

    value: Any
    is_known: bool = False
    problem: str | None = None


class StaticValues:
    """The values that are known in a context, in which secrets and secret parameters are `***`."""

    def __init__(self, plan: Plan, context: WorkflowContext | ItemContext) -> None:
        self._context = context
        self._plan = plan
        self._variables = (
            context.shared if isinstance(context, ItemContext) else context
        ).variables

    def read(self, value: Value) -> StaticValue:
        """Evaluate a value as far as it is known. A mask may be in it."""
        if self._is_known(value):
            try:
                return StaticValue(value.evaluate(self._context, None), is_known=True)
            except AttemptError as error:
                masked = self._names_secret(value)  # the secret itself may do
                return StaticValue(value.raw, problem=None if masked else str(error))
        if value.entries is None:
            return StaticValue(value.raw)
        entries = {name: self.read(entry) for name, entry in value.entries.items()}
        problem = next((each.problem for each in entries.values() if each.problem), None)
        if problem is not None:
            return StaticValue(value.raw, problem=problem)
        return StaticValue({name: each.value for name, each in entries.items()})

    def is_real(self, value: Value) -> bool:
        """Say whether a value is known and names no secret, in whose place a mask would be."""
        return self._is_known(value) and not self._names_secret(value)

    def _is_known(self, value: Value) -> bool:
        return all(self._has(path) for path in value.references)

    def _names_secret(self, value: Value) -> bool:
        return any(self._is_secret(path) for path in value.references)

    def _has(self, path: tuple[str, ...]) -> bool:
        match path:
            case ("parameters" | "secrets" | "trigger", *_):
                return True
            case ("vars", name, *_):
                return name in self._variables
            case ("item" | "index", *_):
                return isinstance(self._context, ItemContext)
            case _:
                return False

    def _is_secret(self, path: tuple[str, ...]) -> bool:
        parameters = self._plan.parameters
        match path:
            case ("secrets", *_):
                return True
            case ("parameters", name, *_):
                return parameters[name].secret
            case ("parameters",):
                return any(parameter.secret for parameter in parameters.values())
            case _:
                return False
