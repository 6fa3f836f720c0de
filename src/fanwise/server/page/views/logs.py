"""The logs of a run, a page at a time: in the order of its tasks, or the latest of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from fanwise.model import LogEntry
from fanwise.server.page.pages import Page, Shown
from fanwise.server.page.views.finding import visible_run
from fanwise.server.page.views.run import head_of
from fanwise.server.routes import Call, Fields

_PAGE: Final = 200
_MOST_READ: Final = 20_000


class LogsQuery(Fields, frozen=True):
    """Logs under a task or item, that contain a text, after a log by its number, or the latest."""

    under: str = ""
    contains: str = ""
    after: int = 0
    latest: bool = False


def view(call: Call) -> Shown:
    """Show logs as they came."""
    run, query = visible_run(call, call.names["run_id"]), call.query(LogsQuery)
    after = _before_the_latest(call, run.run_no) if query.latest else query.after
    found, last = _found(call, run.run_no, query, after)
    values = {
        **head_of(call, run, "logs"),
        "query": query,
        "logs": found,
        "after": after,
        "next": last if len(found) >= _PAGE else None,
    }
    return Shown.of_run(f"Logs of {run.id}", run, values)


def _before_the_latest(call: Call, run_no: int) -> int:
    """The smallest number after which there is no more than a page of logs."""

    def is_last(after: int) -> bool:
        return len(call.parts.store.new_logs(run_no, after=after, limit=_PAGE + 1)) <= _PAGE

    high = 1
    while not is_last(high):
        high *= 2
    return bisect_left(range(high), True, key=is_last)


def _found(call: Call, run_no: int, query: LogsQuery, after: int) -> tuple[Sequence[LogEntry], int]:
    """A page of logs, and the number of the log that was read last."""
    found: list[LogEntry] = []
    last, read = after, 0
    wanted = query.contains.casefold()
    while len(found) < _PAGE and read < _MOST_READ:
        page = call.parts.store.new_logs(run_no, after=last, limit=_PAGE)
        if not page:
            break
        for log in page:
            last, read = log.log_no, read + 1
            if query.under and not log.is_under(query.under):
                continue
            if wanted in log.text.casefold():
                found.append(log)
                if len(found) == _PAGE:
                    break
    return found, last


PAGE: Final = Page(
    path="/runs/{run_id}/logs", room="runs", template="logs.html", view=view, query=LogsQuery
)
