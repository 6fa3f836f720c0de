"""Causes of failed items that are child workflows, as lines: the step, and how to see more."""

from __future__ import annotations

from fanwise.cli.backends import Backend
from fanwise.cli.text.render import show_error
from fanwise.cli.text.summary import command
from fanwise.model import ErrorInfo, ItemOutcome
from fanwise.reports.causes import Cause
from fanwise.reports.questions import FoundTask, item_cause

_MOST = 10


class ItemCauses:
    """Collects the causes of the first few items of a task whose workflow failed."""

    def __init__(self, backend: Backend, task: FoundTask) -> None:
        self._backend = backend
        self._task = task
        self._found: list[tuple[str, Cause]] = []

    def add(self, item: ItemOutcome, error: ErrorInfo) -> Cause | None:
        """Find the cause of a failed item, unless it is no workflow's or there are many already."""
        if error.failed_step is None or len(self._found) >= _MOST:
            return None
        run_id, path, visit_no = self._task
        cause = self._backend.ask(item_cause, run_id, path, visit_no, item.index)
        if cause is None or cause.path == f"{path}[{item.index}]":
            return None
        self._found.append((f"{path}[{item.index}]", cause))
        return cause

    def lines(self, store: str | None) -> list[str]:
        """A line for each cause, and a command that shows all steps of the first item."""
        if not self._found:
            return []
        lines = [f"{cause.path} failed: {show_error(cause.error)}" for _, cause in self._found]
        more = command("show", self._task.run_id, "--within", self._found[0][0], store=store)
        return ["", *lines, f"Steps: {more}"]
