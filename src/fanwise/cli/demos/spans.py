"""How long the items of a task took, read from the store page by page. Times are in seconds."""

from __future__ import annotations

from statistics import median, quantiles
from typing import NamedTuple

from fanwise.cli.recorded import find_run, find_task
from fanwise.model import Status
from fanwise.ports import Records

_PAGE = 1_000


class Spans(NamedTuple):
    """Of each item's last attempt the median and the time within which 95 % of them were done.

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
