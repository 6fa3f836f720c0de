"""The logs of a run, a page at a time: in the order of its tasks, or the latest of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from fanwise.model import LogEntry
from fanwise.server.page.addresses import Addresses
from fanwise.server.page.pages import Page, Shown
from fanwise.server.page.views.finding import visible_run
from fanwise.server.page.views.run import head_of
from fanwise.server.routes import Call, Fields

_PAGE: Final = 200
_MOST_READ: Final = 20_000
_WIDER: Final = 4
_MOST_LETTERS: Final = 8_000
"""The letters of a log that a page shows; a file has all of them."""


class LogsQuery(Fields, frozen=True):
    """Logs under a task or item that contain a text: after or before one, or the latest ones."""

    under: str = ""
    contains: str = ""
    after: int = 0
    before: int | None = None
    latest: bool = False


class LogPage(NamedTuple):
    """Logs, and numbers of logs before and after which there are more; None for no more."""

    logs: Sequence[LogEntry]
    earlier: int | None
    later: int | None


def view(call: Call) -> Shown:
    """Show logs as they came."""
    run, query = visible_run(call, call.names["run_id"]), call.query(LogsQuery)
    page = _page(call, run.run_no, query)
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


def _page(call: Call, run_no: int, query: LogsQuery) -> LogPage:
    if query.before is not None:
        return _before(call, run_no, query, query.before)
    after = _before_the_latest(call, run_no) if query.latest else query.after
    return _after(call, run_no, query, after)


def _before_the_latest(call: Call, run_no: int) -> int:
    """The smallest number after which there is no more than a page of logs."""

    def is_last(after: int) -> bool:
        return len(call.parts.store.new_logs(run_no, after=after, limit=_PAGE + 1)) <= _PAGE

    high = 1
    while not is_last(high):
        high *= 2
    return bisect_left(range(high), True, key=is_last)


def _after(call: Call, run_no: int, query: LogsQuery, after: int) -> LogPage:
    """The page of logs after a number."""
    found: list[LogEntry] = []
    last, read = after, 0
    while len(found) < _PAGE and read < _MOST_READ:
        page = call.parts.store.new_logs(run_no, after=last, limit=_PAGE)
        if not page:
            return LogPage(found, after or None, None)
        for log in page:
            last, read = log.log_no, read + 1
            if _is_wanted(log, query):
                found.append(log)
                if len(found) == _PAGE:
                    break
    return LogPage(found, after or None, last)


def _before(call: Call, run_no: int, query: LogsQuery, before: int) -> LogPage:
    """The page of logs before a number: those after another one that is looked for backwards."""
    span = _PAGE
    while True:
        begin = max(0, before - 1 - span)
        found = [log for log in _between(call, run_no, begin, before) if _is_wanted(log, query)]
        if len(found) >= _PAGE or not begin or span >= _MOST_READ:
            break
        span *= _WIDER
    shown = found[-_PAGE:]
    is_first = not begin and len(found) <= _PAGE
    return LogPage(shown, None if is_first else begin, shown[-1].log_no if shown else before)


def _between(call: Call, run_no: int, after: int, before: int) -> Iterator[LogEntry]:
    while page := call.parts.store.new_logs(run_no, after=after, limit=_PAGE):
        yield from (log for log in page if log.log_no < before)
        after = page[-1].log_no
        if after >= before:
            return


def _is_wanted(log: LogEntry, query: LogsQuery) -> bool:
    if query.under and not log.is_under(query.under):
        return False
    return query.contains.casefold() in log.text.casefold()


PAGE: Final = Page(
    path="/runs/{run_id}/logs", room="runs", template="logs.html", view=view, query=LogsQuery
)
