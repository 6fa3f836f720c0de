"""Measures of a demo: the growth of this process's memory, and the times of items.

Sizes are in bytes, times in seconds.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

from fanwise.bench.measure import peak_memory_bytes
from fanwise.model import ErrorInfo, Status
from fanwise.ports import Observer, Records, TaskProgress
from fanwise.reports.lookup import find_run, find_task

_PAGE = 1_000


class Spans(NamedTuple):
    """The median time of items' last attempts, and the time within which 95 % of them were done.

    `recovered` is how many items succeeded after a retry.
    """

    median_s: float
    p95_s: float
    recovered: int


def read_spans(records: Records, run_id: str, task: str) -> Spans:
    """The spans of a task that has items, and at least one of them."""
    record = find_run(records, run_id)
    number = find_task(records, record, task).visit_no

    spans: list[float] = []
    recovered, after = 0, -1
    while page := records.items(record.run_no, number, after=after, limit=_PAGE):
        spans += [item.duration_s for item in page]
        recovered += sum(item.status is Status.SUCCEEDED and item.attempts > 1 for item in page)
        after = page[-1].index
    p95_s = quantiles(spans, n=20)[-1] if len(spans) > 1 else spans[0]
    return Spans(median(spans), p95_s, recovered)


class MemoryWatch(Observer):
    """Observes the growth of this process's memory while a task runs."""

    def __init__(self, task: str) -> None:
        self.task = task
        self.growth_bytes = 0
        self._before_bytes = 0

    def task_started(self, progress: TaskProgress) -> None:
        """Note the memory before."""
        if progress.name == self.task:
            self._before_bytes = _memory_bytes()

    def task_ended(self, name: str, status: Status, error: ErrorInfo | None) -> None:
        """Compare with the peak, which may be an older one: the growth is never shown too small."""
        if name == self.task:
            self.growth_bytes = max(0, peak_memory_bytes() - self._before_bytes)


def _memory_bytes() -> int:
    """The memory of this process now; without /proc the most that it has held."""
    status = Path("/proc/self/status")
    if not status.exists():
        return peak_memory_bytes()
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024
