"""The clock of triggers: looks when the next one is due, decides, and records fires with runs.

Each trigger is decided by itself, so that one that can't be harms no other. Time is the store's, so
servers with different clocks agree. A look is made each second in any case: somebody may have
resumed a trigger, a run may have ended that a fire waits for, and the machine may have slept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from fanwise.errors import RecordRefusedError, RunRepeatedError, StoreError
from fanwise.model import FireStatus, TriggerState, TriggerTurn
from fanwise.plan.project_triggers import Owned
from fanwise.ports import Clock, Fires
from fanwise.service.doubt import ClockDoubt
from fanwise.service.projects import WatchedProject
from fanwise.service.refusals import as_recorded
from fanwise.service.turns import Decider
from fanwise.service.watcher import ServiceWatcher
from fanwise.triggers.skips import LEAST_SKIPS, latest_skips

_LOOK_S: Final = 1.0
_FILES_S: Final = 2.0
_TOGETHER: Final = 100
"""Triggers that are decided in one transaction."""

_SKIPS_TOLD: Final = (LEAST_SKIPS, 100)
"""The numbers of skips in a row that are told."""


class _Due(NamedTuple):
    """A trigger that is to be decided, on its state."""

    owned: Owned
    state: TriggerState

    @property
    def names(self) -> tuple[str, str]:
        """The names of its workflow and its own."""
        return self.state.workflow, self.state.name


class TriggerClock:
    """Fires the triggers of a project, until it is stopped. `deciders` are by their kinds."""

    def __init__(
        self,
        fires: Fires,
        project: WatchedProject,
        deciders: Mapping[str, Decider],
        clock: Clock,
        watcher: ServiceWatcher,
    ) -> None:
        self._fires = fires
        self._project = project
        self._deciders = deciders
        self._clock = clock
        self._watcher = watcher
        self._stop = asyncio.Event()
        self._read_at = float("-inf")
        self._doubt = ClockDoubt()
        self._told: set[str] = set()
        self._failing: set[str] = set()
        self._looked_at = clock.monotonic()

    def stop(self) -> None:
        """Stop after the look that is being made; called on the event loop's thread."""
        self._stop.set()

    async def run(self) -> None:
        """Look until `stop`."""
        while not self._stop.is_set():
            try:
                wait_s = await asyncio.to_thread(self.look)
                self._looked_at = self._clock.monotonic()
            except StoreError as error:
                wait_s = _LOOK_S
                self._fail(str(error))
            self._told, self._failing = self._failing, set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait_s)

    @property
    def silent_s(self) -> float:
        """The time since a look that was made to its end."""
        return self._clock.monotonic() - self._looked_at

    def look(self) -> float:
        """Decide the triggers that are due, and return the seconds until the next look.

        Raises `StoreError`.
        """
        if self._clock.monotonic() - self._read_at >= _FILES_S:
            self._read_at = self._clock.monotonic()
            self._project.refresh()
        now, found = self._fires.triggers()
        ahead_s = self._doubt.ahead_s(now, self._clock.monotonic(), self._fires.newest_record)
        if ahead_s:
            days = f"{ahead_s / 86_400:,.0f} days"
            self._fail(f"The store's clock is {days} ahead of what is recorded: nothing fires yet.")
            return _LOOK_S
        for decider in self._deciders.values():
            decider.begin()
        states = {(state.workflow, state.name): state for state in found}
        begun = self._clock.monotonic()
        next_at, due = now + _LOOK_S, []
        for owned in self._project.triggers:
            names = (owned.plan.name, owned.trigger.name)
            one = _Due(owned, states.get(names) or TriggerState(*names))
            if self._is_due(one, now):
                due.append(one)
            elif one.state.next_at is not None and one.state.paused_at is None:
                next_at = min(next_at, one.state.next_at)
        while due:
            next_at = min([next_at, *self._decide(due[:_TOGETHER], now)])
            due = due[_TOGETHER:]
        return max(0.0, next_at - now - (self._clock.monotonic() - begun))

    def _is_due(self, one: _Due, now: float) -> bool:
        decider = self._deciders.get(one.owned.trigger.kind)
        if decider is None or one.state.paused_at is not None:
            return False
        return decider.is_due(one.owned, one.state, now)

    def _decide(self, due: Sequence[_Due], now: float) -> Iterator[float]:
        """Take the turns of triggers, and yield the times at which they are next."""
        while due:
            decided, again = [], []
            for one in due:
                turn = self._turn(one, now)
                if turn is not None:
                    decided.append((one, turn))
                elif one.state.next_at is not None and one.state.next_at > now:
                    yield one.state.next_at
            for one, turn, runs in self._record(decided):
                if runs is None:  # another server was faster
                    yield now
                    continue
                if turn.trouble and turn.trouble != one.state.trouble:
                    self._watcher.failed(f"{one.owned.trigger.place}  {turn.trouble}")
                if turn.fires:
                    self.tell(turn, runs)
                    self._tell_standstill(one, turn)
                if turn.cursor is None:
                    # A fire that was held has its run now, and what is due comes after it.
                    state = msgspec.structs.replace(one.state, turn=one.state.turn + 1)
                    again.append(_Due(one.owned, state))
                elif turn.next_at is not None:
                    yield turn.next_at
            due = again

    def tell(self, turn: TriggerTurn, runs: Sequence[str]) -> None:
        """Tell the watcher of a turn that is recorded, and of the runs that it has made."""
        fires = as_recorded(self._fires, turn, runs)
        self._watcher.fired(turn.workflow, turn.name, fires, runs)

    def _tell_standstill(self, one: _Due, turn: TriggerTurn) -> None:
        """Tell of a trigger that is skipped over and over, at two points of that."""
        if {one.state.last_status, turn.fires[-1].status} != {FireStatus.SKIPPED}:
            return
        skips = latest_skips(self._fires.fires(*one.names, most=_SKIPS_TOLD[-1] + 1))
        if skips is None:
            return
        before = skips.times - sum(fire.n for fire in turn.fires)
        if any(before < times <= skips.times for times in _SKIPS_TOLD):
            self._watcher.failed(f"{one.owned.trigger.place}  {skips.text}")

    def _turn(self, one: _Due, now: float) -> TriggerTurn | None:
        """The next turn of a trigger. One that can't be decided harms no other."""
        try:
            return self._deciders[one.owned.trigger.kind].turn(one.owned, one.state, now)
        except StoreError:
            raise
        except Exception as error:  # a fault of fanwise's own
            self._fail(f"{one.owned.trigger.place}  internal error: {type(error).__name__}.")
            return None

    def _record(
        self, decided: Sequence[tuple[_Due, TriggerTurn]]
    ) -> Iterator[tuple[_Due, TriggerTurn, Sequence[str] | None]]:
        """Record turns together or, if the store refuses something of them, each by itself."""
        if not decided:
            return
        try:
            made = self._fires.take_turns([turn for _, turn in decided])
        except (RecordRefusedError, RunRepeatedError) as error:
            for each in decided if len(decided) > 1 else ():
                yield from self._record([each])
            if len(decided) == 1:
                self._fail(f"{decided[0][0].owned.trigger.place}  {error}")
            return
        for (one, turn), runs in zip(decided, made, strict=True):
            yield one, turn, runs

    def _fail(self, text: str) -> None:
        """Tell what goes wrong, once for as long as each look finds it."""
        if text not in self._told | self._failing:
            self._watcher.failed(text)
        self._failing.add(text)
