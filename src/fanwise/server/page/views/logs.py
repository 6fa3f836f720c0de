"""The logs of a run, a page at a time: in the order of its tasks, or the latest of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from fanwise.model import LogEntry
from fanwise.reports.log_pages import LogFilter, logs_after, logs_before
from fanwise.server.page.addresses import Addresses
from fanwise.server.page.pages import Page, Shown
from fanwise.server.page.views.finding import visible_run
from fanwise.server.page.views.run import head_of
from fanwise.server.routes import Call, Fields

_PAGE: Final = 200
_MOST_LETTERS: Final = 8_000
"""The letters of a log that a page shows; a file has all of them."""


class LogsQuery(Fields, frozen=True):
    """Logs under a task or item that contain a text: after or before one, or the latest ones."""

    under: str = ""
    contains: str = ""
    after: int = 0
    before: int | None = None
    latest: bool = False


class LogsSection(NamedTuple):
    """Logs, and numbers of logs before and after which there are more; None for no more."""

    logs: Sequence[LogEntry]
    earlier: int | None
    later: int | None


def view(call: Call) -> Shown:
    """Show logs as they came."""
    run, query = visible_run(call, call.names["run_id"]), call.query(LogsQuery)
    page = _section(call, run.run_no, query)
    asked = {"contains": query.contains, "under": query.under}
    address = Addresses("")("runs", run.id, "logs", **asked)
    values = {
        **head_of(call, run, "logs"),
        "query": query,
        "page_of_logs": page,
        "most": _MOST_LETTERS,
        "address": f"{address}{'&' if '?' in address else '?'}",
        "saved": Addresses("/api/v1/")("runs", run.id, "logs.txt", under=query.under),
    }
    return Shown.of_run(f"Logs of {run.id}", run, values)


def _section(call: Call, run_no: int, query: LogsQuery) -> LogsSection:
    records, wanted = call.parts.store, LogFilter(query.under, query.contains)
    if query.latest or query.before is not None:
        page = logs_before(records, run_no, wanted, query.before, _PAGE)
        shown = page.logs
        later = shown[-1].log_no if shown else query.before
        return LogsSection(
            shown,
            page.read_to if page.has_more else None,
            None if query.before is None else later,
        )
    page = logs_after(records, run_no, wanted, query.after, _PAGE)
    return LogsSection(page.logs, query.after or None, page.read_to if page.has_more else None)


PAGE: Final = Page(
    path="/runs/{run_id}/logs", room="runs", template="logs.html", view=view, query=LogsQuery
)
