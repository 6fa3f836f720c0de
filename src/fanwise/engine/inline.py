"""Runs a plain step of a child workflow right in the coroutine of its item.

Most children are a few plain steps, run for each of very many items. A step that waits for nothing
but its action (no items, limit, delay, timeout or retry) needs no asyncio task and no feed of its
own.
"""

from __future__ import annotations

import asyncio

from fanwise.bitmap import Bitmap
from fanwise.catalog import LOCAL, Runs
from fanwise.context import WorkflowContext
from fanwise.engine.calls import make_call
from fanwise.engine.evaluate import is_handled
from fanwise.engine.parking import may_park
from fanwise.engine.services import RunServices
from fanwise.engine.visit import Visit, VisitEnd
from fanwise.interrupts import is_from_outside
from fanwise.model import Status, TaskResult
from fanwise.plan import PlannedTask
from fanwise.ports import Ticket
from fanwise.values import decode


def is_plain(task: PlannedTask, executor: str | None = None) -> bool:
    """True if a visit of the task is nothing but one call of an `async def` in this process.

    It reads no key, and waits for no answer or signal. `executor` is the one of tasks that name
    none, or None.
    """
    settings = task.settings
    asked = None if task.spec.workflow is not None else settings.executor.given or executor
    return (
        task.items is None
        and task.limit is None
        and not task.keys
        and not task.runs_on
        and asked in (None, LOCAL)
        and task.spec.runs is Runs.ASYNC
        and not any(True for _ in settings.templates())
        and not settings.timeout.given
        and not settings.delay.given
        and (settings.retry is None or not settings.retry.count.given)
        and task.retry_until is None
        and not may_park(task)
    )


async def run_plain(
    task: PlannedTask, visit: Visit, context: WorkflowContext, run: RunServices, *, resumes: bool
) -> VisitEnd:
    """Make the one attempt of a plain task. With `resumes` an earlier process began it."""
    slots = run.slots_of(task)
    await slots.take()
    actions = 0 if task.spec.workflow is not None else 1
    run.activity.awake += actions
    output, ticket = None, Ticket(context, None, 1)
    try:
        call = make_call(
            task,
            visit,
            context,
            run,
            timeout_s=None,
            resumes=resumes,
            begun_children=Bitmap([0]) if resumes else None,
        )
        with call.open_log() as log:
            log.ticket = ticket
            try:
                output = call.result(await call.function(**call.arguments(ticket)), ticket)
            finally:
                log.keep(ticket)
        result = TaskResult(Status.SUCCEEDED, output=decode(output))
    except BaseException as error:
        if is_cut_off(error):
            raise
        result = TaskResult(Status.FAILED, error=run.describe(error))
    finally:
        run.activity.left(actions)
        slots.give_back()
    handled = result.error is not None and is_handled(task, context, result)
    return VisitEnd(result, 1, output, handled)


def is_cut_off(error: BaseException) -> bool:
    """True if the attempt was interrupted from outside, and the action didn't merely raise this."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    return is_from_outside(error)
