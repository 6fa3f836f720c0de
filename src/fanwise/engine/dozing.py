"""Long sleeps of a run that an engine has taken from a queue: nobody drives it meanwhile.

A run dozes if nothing of it is at work or can start: all that is left sleeps for `LEAST_S` seconds
or more (a `core.sleep`, a task's `delay`, the wait before another try), and perhaps waits for
answers. Its attempts are cut off then, as by a pause, and resume with the rest of their sleeps. To
tell a doze from the moment between two steps, nothing may have changed for `_LOOK_S`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fanwise.engine.activity import Activity
from fanwise.ports import Clock, Timer

LEAST_S: Final = 5.0
_LOOK_S: Final = 1.0


class DozeWatch:
    """Calls `on_doze` once a run does nothing but sleep for long.

    It gets the seconds until the first of its sleeps is over. Looks are taken only while something
    sleeps.
    """

    def __init__(self, activity: Activity, clock: Clock, on_doze: Callable[[float], None]) -> None:
        self._activity = activity
        self._clock = clock
        self._on_doze = on_doze
        self._changes = -1
        self._timer: Timer | None = None
        activity.on_sleep = self._arm

    def close(self) -> None:
        """Look no more."""
        self._activity.on_sleep = None
        if self._timer is not None:
            self._timer.cancel()

    def rest_s(self) -> float | None:
        """The seconds for which the run sleeps at least, or None if it doesn't only sleep."""
        activity = self._activity
        resting = sum(visit.resting for visit in activity.visits)
        is_quiet = not activity.awake and activity.asleep == len(activity.sleeps) + resting
        if not is_quiet or activity.stayers or not all(visit.is_still for visit in activity.visits):
            return None
        now = self._clock.now()
        ends = [until - now for until in activity.sleeps.values()]
        tries = (visit.next_try_s for visit in activity.visits)
        return min([*ends, *(each for each in tries if each is not None)], default=None)

    def _arm(self) -> None:
        if self._timer is None:
            self._changes = self._activity.changes
            self._timer = self._clock.call_later(_LOOK_S, self._look)

    def _look(self) -> None:
        self._timer = None
        activity = self._activity
        rest_s = self.rest_s() if self._changes == activity.changes else None
        if rest_s is not None and rest_s >= LEAST_S:
            self._on_doze(rest_s)
        elif activity.on_sleep is not None and activity.asleep:
            self._arm()
