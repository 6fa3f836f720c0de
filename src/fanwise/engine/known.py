"""Which values of a workflow are known before anything has run, and what they are.

A value is known if its templates name only parameters, variables that have a value, and an item
that is there. Nothing here has an effect, and secrets are masked from the start.
"""

from __future__ import annotations

from typing import Any

from fanwise.context import ItemContext, WorkflowContext
from fanwise.plan import Plan, Value


class StaticValues:
    """What `context` knows, in which secrets and secret parameters are `***`."""

    def __init__(self, plan: Plan, context: WorkflowContext | ItemContext) -> None:
        self.context = context
        self._plan = plan
        self._variables = (
            context.shared if isinstance(context, ItemContext) else context
        ).variables

    def has(self, value: Value) -> bool:
        """Whether `value` is known, though a mask may stand in it."""
        return all(self._has(path) for path in value.references)

    def has_truly(self, value: Value) -> bool:
        """Whether `value` is known and names no secret, in whose place a mask would stand."""
        return self.has(value) and not any(self._is_secret(path) for path in value.references)

    def render(self, value: Value) -> tuple[Any, bool]:
        """The value, and whether all of it is known; what isn't is left as it is written.

        Raises `AttemptError` if what is known can't be evaluated.
        """
        if self.has(value):
            return value.evaluate(self.context, None), True
        if value.entries is None:
            return value.raw, False
        return {name: self.render(entry)[0] for name, entry in value.entries.items()}, False

    def _has(self, path: tuple[str, ...]) -> bool:
        match path:
            case ("parameters" | "secrets", *_):
                return True
            case ("vars", name, *_):
                return name in self._variables
            case ("item" | "index", *_):
                return isinstance(self.context, ItemContext)
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
