"""The rules across runs that a workflow states for a run: its limit, its priority, its repeat key.

They follow from the parameters, before the run is recorded.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from fanwise.context import WorkflowContext
from fanwise.errors import AttemptError, ParameterError
from fanwise.model import RepeatKey, RunLimit, RunOrigin
from fanwise.plan import Plan, PlannedLimit, Setting, Value
from fanwise.values import encode, is_storable

_MOST_KEY: Final = 200


def with_rules(origin: RunOrigin, plan: Plan, context: WorkflowContext) -> RunOrigin:
    """Return the origin of a run with the rules of its workflow. Raises `ParameterError`.

    The limit of a backfill stays if the workflow has none.
    """
    limit = origin.limit if origin.limit is not None and origin.limit.is_backfill else None
    repeat = None
    if plan.concurrency is not None:
        limit = _limit(plan.name, plan.concurrency, context)
    if (dedupe := plan.dedupe) is not None:
        repeat = RepeatKey(plan.name, key_text(dedupe.key, "dedupe", context), dedupe.for_s)
    priority = 0 if plan.priority is None else _resolved(plan.priority, context)
    return replace(origin, limit=limit, priority=priority, repeat=repeat)


def limit_of_child(plan: Plan, context: WorkflowContext) -> RunLimit | None:
    """Return the limit on a workflow that another one calls, or None. Raises `ParameterError`."""
    if plan.concurrency is None or not plan.concurrency.children:
        return None
    return _limit(plan.name, plan.concurrency, context)


def _limit(scope: str, planned: PlannedLimit, context: WorkflowContext) -> RunLimit:
    key = key_text(planned.key, "concurrency", context) if planned.key else ""
    most = _resolved(planned.most, context)
    return RunLimit(scope, key, most, planned.when_full, keeps_slot=planned.keeps_slot)


def _resolved(setting: Setting[int], context: WorkflowContext) -> int:
    try:
        return setting.resolve(context)
    except AttemptError as error:
        raise ParameterError(error.message, hint=error.hint) from None


def key_text(value: Value, owner: str, context: WorkflowContext) -> str:
    """Return the text that a key gives; of other values it is their JSON.

    Raises `ParameterError`.
    """
    try:
        found = value.evaluate(context, None)
        text = found if isinstance(found, str) else encode(found).decode()
    except AttemptError as error:
        raise ParameterError(error.message, hint=error.hint) from None
    if not (0 < len(text) <= _MOST_KEY and is_storable(text)):
        raise ParameterError(
            f"{value.place}  the key of {owner} gives a text that can't be one: keys have 1 to "
            f"{_MOST_KEY} characters, and no NUL.",
            hint="Name a value that tells runs apart shortly, such as an id.",
        )
    return text
