"""How much this process's memory grows while a task runs. Sizes are in bytes."""

from __future__ import annotations

from pathlib import Path

from fanwise.bench.measure import peak_memory_bytes
from fanwise.model import ErrorInfo, Status
from fanwise.ports import Observer, TaskProgress


class MemoryWatch(Observer):
    """Observes how much this process's memory grows while a task runs."""

    def __init__(self, task: str) -> None:
        self.task = task
        self.growth_bytes = 0
        self._before_bytes = 0

    def task_started(self, progress: TaskProgress) -> None:
        """Note how much memory there is before."""
        if progress.name == self.task:
            self._before_bytes = _memory_bytes()

    def task_ended(self, name: str, status: Status, error: ErrorInfo | None) -> None:
        """Compare with the peak, which may be an older one: the growth is never shown too small."""
        if name == self.task:
            self.growth_bytes = max(0, peak_memory_bytes() - self._before_bytes)


def _memory_bytes() -> int:
    """How much memory this process holds now; where that isn't told, the most it has held."""
    status = Path("/proc/self/status")
    if not status.exists():
        return peak_memory_bytes()
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024
