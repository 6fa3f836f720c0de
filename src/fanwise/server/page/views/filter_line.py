"""The line of filters above the runs, such as `status:failed workflow:monitor since:2h`. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

from fanwise.model import INTERRUPTED, Status
from fanwise.reports.ownership import Filters

STATUSES: Final = (
    *(Status.RUNNING, Status.FAILED, INTERRUPTED, Status.WAITING, Status.PENDING),
    *(Status.PAUSED, Status.SUCCEEDED, Status.CANCELLED),
)
"""The statuses of runs, those first that somebody may have to look at."""

_UNITS: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_span = re.compile(r"(\d{1,6})([mhdw])").fullmatch
_KEYS: Final = "status, workflow, tag and since"


class FilterLine(NamedTuple):
    """A line as it was read; `problem` says in words what of it wasn't understood.

    `since` is the time of its filters as it was written.
    """

    text: str
    status: str | None = None
    filters: Filters = Filters()
    run: str | None = None
    problem: str = ""
    since: str = ""

    @property
    def is_empty(self) -> bool:
        """Say whether it leaves out no run."""
        return self.status is None and self.filters == Filters() and self.run is None

    def with_status(self, status: str | None) -> str:
        """The same line with another status."""
        words = [word for word in self.text.split() if not word.startswith("status:")]
        return " ".join([*words, *([f"status:{status}"] if status else [])])


def read_line(text: str, now: float) -> FilterLine:
    """Read a line. A word without a key is the name of a workflow, or a run's id."""
    status, workflow, since, run, written = None, None, None, None, ""
    tags: list[str] = []
    problems = []
    for word in text.split():
        key, colon, value = word.partition(":")
        if not colon:
            run = word
        elif key == "status" and value in STATUSES:
            status = str(value)
        elif key in ("workflow", "wf") and value:
            workflow = value
        elif key == "tag" and value:
            tags.append(value)
        elif key == "since" and (found := _read_since(value, now)) is not None:
            since, written = found, value
        elif key in ("status", "since"):
            takes = ", ".join(STATUSES) if key == "status" else "30m, 2h, 7d or 2026-03-05"
            problems.append(f'"{key}" takes {takes}.')
        else:
            problems.append(f'There is no filter "{key}": there are {_KEYS}.')
    filters = Filters(workflow=workflow, since=since, tags=tuple(tags))
    return FilterLine(" ".join(text.split()), status, filters, run, " ".join(problems), written)


def _read_since(text: str, now: float) -> float | None:
    if (span := _span(text)) is not None:
        return now - int(span[1]) * _UNITS[span[2]]
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
