"""Finds workflows that would wait for a slot that a workflow around them has, and so for ever."""

from __future__ import annotations

from collections.abc import Iterator

from fanwise.errors import Diagnostic
from fanwise.plan.model import Plan


def endless_waits(plan: Plan) -> Iterator[Diagnostic]:
    """Yield the problems of a run's workflow and of all that it calls."""
    for each in plan.family():
        limit = each.concurrency
        if limit is None or not limit.children or limit.place is None:
            continue
        shares_slots = plan is not each and plan.concurrency is not None and plan.name == each.name
        if shares_slots or any(below.name == each.name for below in _called(each)):
            yield Diagnostic(
                limit.place,
                "conflicting-keys",
                f'"children" has each call of "{each.name}" take a slot, and a workflow of this '
                "name is called within itself: it would wait for its own slot.",
                "Remove children, or have it call another workflow in place of itself.",
            )


def _called(plan: Plan) -> list[Plan]:
    """All workflows that one calls in the end."""
    calls = (task.spec.workflow for task in plan.tasks)
    return [each for call in calls if call is not None for each in call().family()]
