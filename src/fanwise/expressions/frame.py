"""The values and the budget of one evaluation of a template."""

from __future__ import annotations

from typing import Any, Final

from fanwise.context import AttemptContext, ItemContext, TemplateContext
from fanwise.expressions.budget import Budget
from fanwise.expressions.missing import undefined
from fanwise.model import Limits, TaskResult

UNSET: Final = object()
"""The mark in `local` of a variable that isn't set. It never flows through a template."""

_NO_ATTEMPT: Final = undefined(
    'there is no "attempt" here.', "Only the input of a task is made for each attempt."
)
_NO_ITEM: Final = undefined('there is no "item" here.', "Only a task with with-items has one.")
_NO_INDEX: Final = undefined('there is no "index" here.', "Only a task with with-items has one.")


class Frame:
    """The context, the task's outcome, the template's own variables, and the budget.

    It has all attributes of the contexts of items and attempts, so that what reads such a context
    can also read a frame. `local` holds the variables of `set` and `for`, each at a place that the
    compiler chose.
    """

    __slots__ = ("attempt", "budget", "index", "item", "local", "outcome", "shared")

    def __init__(
        self,
        context: TemplateContext,
        outcome: TaskResult | None,
        limits: Limits,
        variables: int,
    ) -> None:
        if isinstance(context, AttemptContext):
            self.attempt: object = context.attempt
            context = context.context
        else:
            self.attempt = _NO_ATTEMPT
        if isinstance(context, ItemContext):
            self.shared = context.shared
            self.item = context.item
            self.index: Any = context.index
        else:
            self.shared = context
            self.item = _NO_ITEM
            self.index = _NO_INDEX
        self.outcome = outcome
        self.local = [UNSET] * variables
        self.budget = Budget(limits)
