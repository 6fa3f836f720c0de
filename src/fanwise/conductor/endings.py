"""The end that a run is heading for, as far as its state says so: status, error and cause."""

from __future__ import annotations

from fanwise.conductor.state import State
from fanwise.model import ErrorInfo, Status
from fanwise.plan import Plan
from fanwise.values import FrozenDict

TIMEOUT = "timeout"
"""The cause of a run's end by its own timeout."""


def final_error(plan: Plan, state: State) -> ErrorInfo | None:
    """Return the first listed failure that nothing handled, as the run's error, or None."""
    if state.error is not None or not state.failures:
        return state.error
    first, cause = min(state.failures, key=lambda failure: failure[0])
    more = len(state.failures) - 1
    rest = f" ({more} more failed)" if more else ""
    name = plan.tasks[first].name
    return ErrorInfo(
        "TaskFailed",
        f'task "{name}" failed: {cause.type}: {cause.message}{rest}',
        {"task": name, "type": cause.type},
    )


def final_status(plan: Plan, state: State) -> Status:
    """Return the status with which the run ends if nothing more goes wrong."""
    if state.stop is Status.CANCELLED:
        return Status.CANCELLED
    return Status.SUCCEEDED if final_error(plan, state) is None else Status.FAILED


def end_value(plan: Plan, state: State) -> FrozenDict:
    """Return the keys that `run` has at the end of a run.

    `cause` is null for a run without a fault; else `by` is the task that failed, `vars`, `timeout`,
    or the one that cancelled the run.
    """
    status = final_status(plan, state)
    error = None if status is Status.CANCELLED else final_error(plan, state)
    cause = None
    if status is Status.CANCELLED:
        cause = FrozenDict({"type": "cancelled", "by": state.stopped_by})
    elif error is not None and state.stopped_by == TIMEOUT:
        cause = FrozenDict({"type": "timed-out", "by": TIMEOUT})
    elif error is not None:
        data = error.data if isinstance(error.data, dict) else {}
        cause = FrozenDict({"type": "failed", "by": data.get("task", "vars")})
    return FrozenDict(
        {
            "status": status.value,
            "error": None if error is None else error.as_value(),
            "cause": cause,
        }
    )
