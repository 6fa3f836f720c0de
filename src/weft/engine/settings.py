"""A task's settings as they hold for one visit: every template evaluated, every value checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from weft.conductor.retry import RetryPolicy
from weft.context import WorkflowContext
from weft.definition import Tolerance
from weft.plan import PlannedTask, Value


class TaskSettings(msgspec.Struct, frozen=True):
    """How a visit of a task runs. Spans are in seconds; `timeout_s` is for each attempt."""

    concurrency: int
    tolerate: Tolerance
    stops_on_error: bool
    keeps_output: bool
    retry: RetryPolicy
    retry_when: Value | None
    label: Value | None
    timeout_s: float | None
    delay_s: float


def resolve_settings(task: PlannedTask, context: WorkflowContext) -> TaskSettings:
    """Evaluate the settings of `task` in what it sees. Raises `AttemptError`."""

    def of(key: str) -> Any:
        return task.settings[key].resolve(context)

    return TaskSettings(
        concurrency=of("concurrency"),
        tolerate=of("tolerate"),
        stops_on_error=of("on-item-error") == "stop",
        keeps_output=of("keep-output") == "all",
        retry=_policy(of) if "retry.count" in task.settings else RetryPolicy(),
        retry_when=task.retry_when,
        label=task.label,
        timeout_s=of("timeout"),
        delay_s=of("delay"),
    )


def _policy(of: Callable[[str], Any]) -> RetryPolicy:
    max_delay_s = of("retry.max-delay")
    return RetryPolicy(
        count=of("retry.count"),
        delay_s=of("retry.delay"),
        backoff=of("retry.backoff"),
        max_delay_s=math.inf if max_delay_s is None else max_delay_s,
        jitter=of("retry.jitter"),
    )
