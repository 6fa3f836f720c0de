"""What the monitoring demo measures, next to what its server has counted."""

from __future__ import annotations

import sys
from statistics import median, quantiles

import aiohttp  # noqa: F401 - loaded now, so that its size isn't taken for that of the checks
import msgspec

from weft.cli.demos.memory import MemoryWatch
from weft.cli.recorded import find_run, find_task
from weft.context import ItemContext, WorkflowContext
from weft.demos.monitor.fleet import Behaviour
from weft.demos.monitor.process import ask_stats
from weft.model import Run, Status
from weft.ports import Records

_PAGE = 1_000


class MonitorFigures(msgspec.Struct, frozen=True):
    """What was measured; `failing`, `requests` and `most_at_once` are the server's own counts.

    `growth_bytes` is the most that the process's memory can have grown during the checks.
    """

    servers: int
    succeeded: int
    failed: int
    failing: int
    recovered: int
    attempts: int
    requests: int
    most_at_once: int
    run_s: float
    fan_out_s: float
    median_s: float
    p95_s: float
    item_context_bytes: int
    growth_bytes: int


def measure(records: Records, run: Run, memory: MemoryWatch, url: str) -> MonitorFigures:
    """The figures of a run that succeeded; `url` is where its server still answers."""
    task = run.tasks[memory.task]
    assert task.items is not None  # it succeeded, and has items
    assert task.started_at is not None
    assert task.ended_at is not None
    spans, recovered = _spans(records, run.id, memory.task)
    stats = ask_stats(url)
    return MonitorFigures(
        servers=task.items.total,
        succeeded=task.items.succeeded,
        failed=task.items.failed,
        failing=stats.servers.get(Behaviour.FAILING, 0),
        recovered=recovered,
        attempts=task.attempts,
        requests=stats.requests,
        most_at_once=stats.most_at_once,
        run_s=run.duration_s or 0.0,
        fan_out_s=task.ended_at - task.started_at,
        median_s=median(spans),
        p95_s=quantiles(spans, n=20)[-1] if len(spans) > 1 else spans[0],
        item_context_bytes=sys.getsizeof(ItemContext(WorkflowContext(), None, 0)),
        growth_bytes=memory.growth_bytes,
    )


def _spans(records: Records, run_id: str, task: str) -> tuple[list[float], int]:
    """How long each item's last attempt took, and how many items succeeded after a retry."""
    record = find_run(records, run_id)
    number = find_task(records, record, task).task_no

    spans: list[float] = []
    recovered, after = 0, -1
    while page := records.items(record.run_no, number, after=after, limit=_PAGE):
        spans += [item.duration_s for item in page]
        recovered += sum(item.status is Status.SUCCEEDED and item.attempts > 1 for item in page)
        after = page[-1].index
    return spans, recovered
