"""The clock of triggers: looks when the next one is due, decides, and records fires with runs.

Each trigger is decided by itself, so that one that can't be harms no other. Time is the store's, so
servers with different clocks agree. A look is made each second in any case: somebody may have
resumed a trigger, a run may have ended that a fire waits for, and the machine may have slept.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import msgspec

from fanwise.errors import FanwiseError, StoreError
from fanwise.model import TriggerState
from fanwise.plan.project_triggers import Owned
from fanwise.ports import Clock, Fires
from fanwise.service.projects import WatchedProject
from fanwise.service.turns import MakeRun, due, schedule_turn
from fanwise.service.watcher import ServiceWatcher
from fanwise.triggers.decide import Overlap, Scheduled

_LOOK_S: Final = 1.0
_FILES_S: Final = 2.0


class TriggerClock:
    """Fires the schedules of a project, until it is stopped."""

    def __init__(
        self,
        fires: Fires,
        project: WatchedProject,
        make_run: MakeRun,
        clock: Clock,
        watcher: ServiceWatcher,
    ) -> None:
        self._fires = fires
        self._project = project
        self._make_run = make_run
        self._clock = clock
        self._watcher = watcher
        self._stop = asyncio.Event()
        self._read_at = float("-inf")
        self._seen: dict[tuple[str, str], str] = {}
        """The fingerprints of triggers that were looked at since the start.

        Others are decided at once: what the store knows of their next instant may be older than
        the rules of their time zone.
        """
        self._told: set[str] = set()
        self._failing: set[str] = set()
        self.looked_at = float("-inf")
        """The time of the last look that was made as a whole, on the monotonic clock."""

    def stop(self) -> None:
        """Stop after the look that is being made; called on the event loop's thread."""
        self._stop.set()

    async def run(self) -> None:
        """Look until `stop`."""
        while not self._stop.is_set():
            try:
                wait_s = await asyncio.to_thread(self.look)
            except StoreError as error:
                wait_s = _LOOK_S
                self._fail(str(error))
            self._told, self._failing = self._failing, set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait_s)

    def look(self) -> float:
        """Decide the triggers that are due, and return the seconds until the next look.

        Raises `StoreError`.
        """
        if self._clock.monotonic() - self._read_at >= _FILES_S:
            self._read_at = self._clock.monotonic()
            self._project.refresh()
        now, found = self._fires.triggers()
        states = {(state.workflow, state.name): state for state in found}
        begun = self._clock.monotonic()
        wait_s = _LOOK_S
        for owned in self._project.triggers:
            names = (owned.plan.name, owned.trigger.name)
            next_at = self._look_at(owned, states.get(names) or TriggerState(*names), now)
            if next_at is not None:
                wait_s = min(wait_s, next_at - now)
        self.looked_at = self._clock.monotonic()
        return max(0.0, wait_s - (self.looked_at - begun))

    def _look_at(self, owned: Owned, state: TriggerState, now: float) -> float | None:
        """Decide a trigger if it is due, and return when it is next, as far as that is known."""
        spec = owned.trigger.scheduled
        if spec is None:
            return None
        names = (state.workflow, state.name)
        is_new = self._seen.get(names) != spec.fingerprint and state.paused_at is None
        if not (is_new or due(spec, state, now)):
            return state.next_at if state.paused_at is None else None
        try:
            next_at = self._decide(owned, spec, state, now)
        except StoreError:
            raise
        except FanwiseError as error:
            self._fail(f"{owned.trigger.place}  {error}")
            return None
        except Exception as error:  # a fault of fanwise's own harms no other trigger
            self._fail(f"{owned.trigger.place}  internal error: {type(error).__name__}")
            return None
        self._seen[names] = spec.fingerprint
        return next_at

    def _decide(
        self, owned: Owned, spec: Scheduled, state: TriggerState, now: float
    ) -> float | None:
        """Take the turns of a trigger, and return when it is next."""
        while True:
            has_open = spec.overlap is not Overlap.ALLOW or state.has_held
            names = (state.workflow, state.name)
            open_fires = self._fires.open_fires(*names) if has_open else ()
            turn = schedule_turn(owned, spec, state, now, open_fires, self._make_run)
            if turn is None:
                return state.next_at
            runs = self._fires.take_turn(turn)
            if runs is None:  # another server was faster
                return now
            if turn.fires:
                self._watcher.fired(*names, turn.fires, runs)
            if turn.cursor is not None:
                return turn.next_at
            # A fire that was held has its run now, and what is due comes after it.
            state = msgspec.structs.replace(state, turn=state.turn + 1)

    def _fail(self, text: str) -> None:
        """Tell what goes wrong, once for as long as each look finds it."""
        if text not in self._told | self._failing:
            self._watcher.failed(text)
        self._failing.add(text)
