"""A task's settings as they hold for one visit: every template evaluated, every value checked."""

from __future__ import annotations

import math

import msgspec

from fanwise.conductor.retry import RetryPolicy
from fanwise.context import WorkflowContext
from fanwise.definition import Tolerance
from fanwise.plan import PlannedRetry, PlannedTask, Value


class TaskSettings(msgspec.Struct, frozen=True):
    """The settings of a visit of a task. Spans are in seconds; `timeout_s` is for each attempt.

    `rate_per_s` is how many attempts start a second, and `batch_size` how many items of the source
    make one of the task's; None is no bound, and no batches. `executor` is one that the task names.
    """

    concurrency: int
    rate_per_s: float | None
    batch_size: int | None
    tolerate: Tolerance
    bad_records: str
    stops_on_error: bool
    keeps_output: bool
    retry: RetryPolicy
    retry_when: Value | None
    retry_until: Value | None
    label: Value | None
    timeout_s: float | None
    delay_s: float
    executor: str | None


def resolve_settings(task: PlannedTask, context: WorkflowContext) -> TaskSettings:
    """Evaluate the settings of `task` in the context that it sees. Raises `AttemptError`."""
    planned = task.settings
    return TaskSettings(
        concurrency=planned.concurrency.resolve(context),
        rate_per_s=planned.rate.resolve(context),
        batch_size=planned.batch_size.resolve(context),
        tolerate=planned.tolerate.resolve(context),
        bad_records=planned.bad_records.resolve(context),
        stops_on_error=planned.on_item_error.resolve(context) == "stop",
        keeps_output=planned.keep_output.resolve(context) == "all",
        retry=RetryPolicy() if planned.retry is None else _policy(planned.retry, context),
        retry_when=task.retry_when,
        retry_until=task.retry_until,
        label=task.label,
        timeout_s=planned.timeout.resolve(context),
        delay_s=planned.delay.resolve(context),
        executor=planned.executor.resolve(context),
    )


def _policy(retry: PlannedRetry, context: WorkflowContext) -> RetryPolicy:
    max_delay_s = retry.max_delay.resolve(context)
    within_s = retry.within.resolve(context)
    return RetryPolicy(
        count=retry.count.resolve(context),
        delay_s=retry.delay.resolve(context),
        backoff=retry.backoff.resolve(context),
        max_delay_s=math.inf if max_delay_s is None else max_delay_s,
        jitter=retry.jitter.resolve(context),
        within_s=math.inf if within_s is None else within_s,
    )
