"""What only an engine knows of a visit's items is recorded for others: now and then, no more."""

from __future__ import annotations

from fanwise.engine.feeds.progress import Progress
from fanwise.engine.feeds.pulse import Pulse
from fanwise.engine.visit import Visit
from fanwise.model import VisitProgress
from fanwise.testing.clock import ManualClock


def a_pulse() -> tuple[Pulse, Progress, ManualClock, list[VisitProgress]]:
    clock, progress = ManualClock(), Progress("check", has_items=True)
    recorded: list[VisitProgress] = []
    visit = Visit(run_id="r", run_no=7, path="check", number=1, visit_no=3)
    pulse = Pulse(visit, progress, clock, clock.call_later, recorded.append)
    return pulse, progress, clock, recorded


def test_the_progress_of_a_visit_is_recorded_once_a_second() -> None:
    """With what runs and waits, and how many items ended in a second since the last time."""
    pulse, progress, clock, recorded = a_pulse()
    progress.total, progress.running = 100, 4
    clock.advance(0.9)
    assert recorded == []
    clock.advance(0.1)
    first = VisitProgress(7, 3, clock.now(), 100, 4, 0, 0.0)
    assert recorded == [first]
    progress.succeeded, progress.failed, progress.waiting = 10, 2, 3
    pulse.touch()
    clock.advance(1.0)
    assert recorded[1:] == [VisitProgress(7, 3, clock.now(), 100, 4, 3, 12.0)]


def test_nothing_is_recorded_while_nothing_changes() -> None:
    """Not even a timer waits then; the next change is recorded within a second."""
    pulse, progress, clock, recorded = a_pulse()
    progress.running = 1
    clock.advance(3_600)
    assert len(recorded) == 1
    assert not clock._timers
    progress.succeeded = 1
    pulse.touch()
    clock.advance(1.0)
    assert [each.per_s for each in recorded] == [0.0, 1 / 3_600]


def test_items_of_earlier_processes_are_not_of_this_moment() -> None:
    """They have been done long ago, and a visit that has ended has no progress."""
    pulse, progress, clock, recorded = a_pulse()
    progress.succeeded = progress.restored = 500
    clock.advance(1.0)
    assert [each.per_s for each in recorded] == [0.0]
    progress.succeeded += 1
    pulse.touch()
    pulse.close()
    clock.advance(10.0)
    assert len(recorded) == 1
