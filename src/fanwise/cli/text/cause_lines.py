"""Causes of failed items that are child workflows, as lines: the step, and how to see more."""

from __future__ import annotations

from fanwise.cli.text.render import show_error
from fanwise.cli.text.summary import command
from fanwise.model import ErrorInfo, ItemOutcome
from fanwise.ports import Records
from fanwise.reports.causes import Cause, find_cause

_MOST = 10


class ItemCauses:
    """Collects the causes of the first few items of the task at `path` whose workflow failed."""

    def __init__(self, records: Records, run_no: int, path: str) -> None:
        self._records = records
        self._run_no = run_no
        self._path = path
        self._found: list[tuple[str, Cause]] = []

    def add(self, item: ItemOutcome, error: ErrorInfo) -> Cause | None:
        """Find the cause of a failed item, unless it is no workflow's or there are many already."""
        if error.failed_step is None or len(self._found) >= _MOST:
            return None
        path = f"{self._path}[{item.index}]"
        cause = find_cause(self._records, self._run_no, path, error)
        if cause.path == path:
            return None
        self._found.append((path, cause))
        return cause

    def lines(self, run_id: str, store: str | None) -> list[str]:
        """A line for each cause, and a command that shows all steps of the first item."""
        if not self._found:
            return []
        lines = [f"{cause.path} failed: {show_error(cause.error)}" for _, cause in self._found]
        more = command("show", run_id, "--within", self._found[0][0], store=store)
        return ["", *lines, f"Steps: {more}"]
