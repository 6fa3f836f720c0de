"""What the monitoring demo measures, next to what its server has counted."""

from __future__ import annotations

import sys

import aiohttp  # noqa: F401 - loaded now, so that its size isn't taken for that of the checks
import msgspec

from fanwise.cli.demos.memory import MemoryWatch
from fanwise.cli.demos.spans import read_spans
from fanwise.context import ItemContext, WorkflowContext
from fanwise.demos.monitor.fleet import Behaviour
from fanwise.demos.monitor.process import ask_stats
from fanwise.model import Run
from fanwise.ports import Records


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
    spans = read_spans(records, run.id, memory.task)
    stats = ask_stats(url)
    return MonitorFigures(
        servers=task.items.total,
        succeeded=task.items.succeeded,
        failed=task.items.failed,
        failing=stats.servers.get(Behaviour.FAILING, 0),
        recovered=spans.recovered,
        attempts=task.attempts,
        requests=stats.requests,
        most_at_once=stats.most_at_once,
        run_s=run.duration_s or 0.0,
        fan_out_s=task.ended_at - task.started_at,
        median_s=spans.median_s,
        p95_s=spans.p95_s,
        item_context_bytes=sys.getsizeof(ItemContext(WorkflowContext(), None, 0)),
        growth_bytes=memory.growth_bytes,
    )
