"""The progress of a visit's items, recorded for those who watch from outside.

Counts of recorded items are in the store already. Only the engine knows which others run or wait;
that is recorded at most once a second, and no more once nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fanwise.engine.feeds.progress import Progress
from fanwise.engine.visit import Visit
from fanwise.model import VisitProgress
from fanwise.ports import Clock, Timer

_PULSE_S: Final = 1.0


class Pulse:
    """Gives `record` the progress of one visit, until it is closed.

    `call_later` is a timer of its own, beside the clock of the run, which this is no part of.
    """

    def __init__(
        self,
        visit: Visit,
        progress: Progress,
        clock: Clock,
        call_later: Callable[[float, Callable[[], None]], Timer],
        record: Callable[[VisitProgress], None],
    ) -> None:
        self._visit = visit
        self._progress = progress
        self._clock = clock
        self._record = record
        self._state: tuple[int | None, int, int, int] | None = None
        self._done, self._since = 0, clock.monotonic()
        self._call_later = call_later
        self._timer: Timer | None = call_later(_PULSE_S, self._beat)

    def touch(self) -> None:
        """Note that something has changed."""
        if self._timer is None:
            self._timer = self._call_later(_PULSE_S, self._beat)

    def close(self) -> None:
        """Record nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        self._record = _ignore

    def _beat(self) -> None:
        self._timer = None
        progress = self._progress
        done = progress.succeeded + progress.failed - progress.restored
        state = progress.total, progress.running, progress.waiting, done
        if state == self._state:
            return  # until something is recorded
        now = self._clock.monotonic()
        per_s = max(0, done - self._done) / max(now - self._since, _PULSE_S)
        self._state, self._done, self._since = state, done, now
        self._record(
            VisitProgress(
                self._visit.run_no,
                self._visit.visit_no,
                self._clock.now(),
                progress.total,
                progress.running,
                progress.waiting,
                per_s,
            )
        )
        self.touch()


def _ignore(_: VisitProgress) -> None:
    """Record nothing: the visit has ended."""
