"""Pages of a run's logs, of those that meet some conditions, forwards and backwards.

A page is looked for in a bounded number of logs, so it may have fewer than are asked for, or none,
although there are more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from fanwise.model import LogEntry
from fanwise.ports import Records

MOST_READ: Final = 20_000
_READ: Final = 500


class LogFilter(NamedTuple):
    """Conditions on logs: they are under a task or item, and contain a text in any case."""

    under: str = ""
    contains: str = ""

    def admits(self, log: LogEntry) -> bool:
        """Say whether a log meets the conditions."""
        is_there = not self.under or log.is_under(self.under)
        return is_there and self.contains.casefold() in log.text.casefold()


class LogPage(NamedTuple):
    """Logs in the order in which they came, of all that were read up to the number `read_to`.

    `read_to` is None if none were there to be read.
    """

    logs: Sequence[LogEntry]
    read_to: int | None
    has_more: bool


def logs_after(records: Records, run_no: int, wanted: LogFilter, after: int, limit: int) -> LogPage:
    """Return the page of logs with larger numbers."""

    def read(last: int | None) -> Sequence[LogEntry]:
        return records.new_logs(run_no, after=after if last is None else last, limit=_READ)

    return _collect(read, wanted, limit)


def logs_before(
    records: Records, run_no: int, wanted: LogFilter, before: int | None, limit: int
) -> LogPage:
    """Return the page of logs with smaller numbers, or of the latest ones."""

    def read(last: int | None) -> Sequence[LogEntry]:
        return records.newest_logs(run_no, before=before if last is None else last, limit=_READ)

    page = _collect(read, wanted, limit)
    return page._replace(logs=page.logs[::-1])


def _collect(
    read: Callable[[int | None], Sequence[LogEntry]], wanted: LogFilter, limit: int
) -> LogPage:
    """Collect logs in the order in which `read` gives those that come after a number."""
    found: list[LogEntry] = []
    last: int | None = None
    count = 0
    while len(found) < limit and count < MOST_READ:
        page = read(last)
        if not page:
            return LogPage(found, last, has_more=False)
        for log in page:
            last, count = log.log_no, count + 1
            if wanted.admits(log):
                found.append(log)
                if len(found) == limit:
                    break
    return LogPage(found, last, has_more=True)
