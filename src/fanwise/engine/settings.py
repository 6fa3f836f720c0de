"""A task's settings as they hold for one visit: every template evaluated, every value checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from fanwise.conductor.retry import RetryPolicy
from fanwise.context import WorkflowContext
from fanwise.definition import Tolerance
from fanwise.plan import PlannedTask, Value


class TaskSettings(msgspec.Struct, frozen=True):
    """The settings of a visit of a task. Spans are in seconds; `timeout_s` is for each attempt.

    `rate_per_s` is how many attempts start a second, and `batch_size` how many items of the source
    make one of the task's; None is no bound, and no batches.
    """

    concurrency: int
    rate_per_s: float | None
    batch_size: int | None
    tolerate: Tolerance
    stops_on_error: bool
    keeps_output: bool
    retry: RetryPolicy
    retry_when: Value | None
    retry_until: Value | None
    label: Value | None
    timeout_s: float | None
    delay_s: float


def resolve_settings(task: PlannedTask, context: WorkflowContext) -> TaskSettings:
    """Evaluate the settings of `task` in what it sees. Raises `AttemptError`."""

    def of(key: str) -> Any:
        return task.settings[key].resolve(context)

    return TaskSettings(
        concurrency=of("concurrency"),
        rate_per_s=of("rate"),
        batch_size=of("batch-size"),
        tolerate=of("tolerate"),
        stops_on_error=of("on-item-error") == "stop",
        keeps_output=of("keep-output") == "all",
        retry=_policy(of) if "retry.count" in task.settings else RetryPolicy(),
        retry_when=task.retry_when,
        retry_until=task.retry_until,
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
