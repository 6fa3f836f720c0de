"""The watcher of a service, to whom it tells what happens."""

from __future__ import annotations

from collections.abc import Sequence

from fanwise.model import NewFire


class ServiceWatcher:
    """A watcher of a service; methods do nothing. They are called from several threads."""

    def fired(
        self, workflow: str, name: str, fires: Sequence[NewFire], runs: Sequence[str]
    ) -> None:
        """React to fires of a trigger that are recorded, and to the ids of their runs."""

    def problem(self, text: str) -> None:
        """React to a new problem of the project's files."""

    def is_well(self) -> None:
        """React to files that have no problems any more."""

    def failed(self, text: str) -> None:
        """React to a store, or a trigger, that can't be used at the moment; it is tried again."""

    def worker_started(self, pid: int) -> None:
        """React to a process that begins to take runs."""

    def worker_reported(self, pid: int, report: bytes) -> None:
        """React to a line that a process that takes runs tells of its work."""

    def worker_ended(self, pid: int, status: int) -> None:
        """React to the end of a process that takes runs, in whose place another one is started."""
