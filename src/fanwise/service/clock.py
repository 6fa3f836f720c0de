"""The clock of triggers: looks when the next one is due, decides, and records fires with runs.

Each trigger is decided by itself, so that one that can't be harms no other. Time is the store's, so
servers with different clocks agree. A look is made each second in any case: somebody may have
resumed a trigger, a run may have ended that a fire waits for, and the machine may have slept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple, Protocol

import msgspec

from fanwise.errors import RecordRefusedError, RunRepeatedError, StoreError
from fanwise.model import OpenFire, TriggerState, TriggerTurn
from fanwise.plan.project_triggers import Owned
from fanwise.ports import Arrivals, Clock, Fires
from fanwise.service.arrivals import (
    MOST_SORTED,
    firing_turn,
    is_arrival_due,
    sorting_turn,
    sorts_next,
    state_after,
)
from fanwise.service.projects import WatchedProject
from fanwise.service.turns import MakeRun, is_due, schedule_turn
from fanwise.service.watcher import ServiceWatcher
from fanwise.triggers.decide import Overlap

_LOOK_S: Final = 1.0
_FILES_S: Final = 2.0
_TOGETHER: Final = 100
"""Triggers that are decided in one transaction."""
_MOST_ROUNDS: Final = 20
"""Turns that triggers take one after the other before all are looked at again."""


class TriggerStore(Fires, Arrivals, Protocol):
    """The store of triggers, and of what comes to them."""


class _Due(NamedTuple):
    """A trigger that is to be decided, on its state."""

    owned: Owned
    state: TriggerState

    @property
    def names(self) -> tuple[str, str]:
        """The names of its workflow and its own."""
        return self.state.workflow, self.state.name


class TriggerClock:
    """Fires the triggers of a project, until it is stopped."""

    def __init__(
        self,
        store: TriggerStore,
        project: WatchedProject,
        make_run: MakeRun,
        clock: Clock,
        watcher: ServiceWatcher,
    ) -> None:
        self._store = store
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
        now, found = self._store.triggers()
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
        spec = one.owned.trigger.scheduled
        if spec is None:
            return is_arrival_due(one.owned, one.state, now)
        if one.state.paused_at is not None:
            return False
        return self._seen.get(one.names) != spec.fingerprint or is_due(spec, one.state, now)

    def _decide(self, due: Sequence[_Due], now: float) -> Iterator[float]:
        """Take the turns of triggers, and yield the times at which they are next."""
        for _ in range(_MOST_ROUNDS):
            decided, again = [], []
            for one in due:
                turn = self._turn(one, now)
                if turn is not None:
                    decided.append((one, turn))
                elif one.state.next_at is not None:
                    yield one.state.next_at
            for one, turn, runs in self._record(decided):
                if runs is None:  # another server was faster
                    yield now
                    continue
                if turn.fires:
                    self._watcher.fired(*one.names, turn.fires, runs)
                if one.owned.trigger.scheduled is None:
                    again.append(_Due(one.owned, state_after(one.state, turn)))
                elif turn.cursor is None:
                    # A fire that was held has its run now, and what is due comes after it.
                    state = msgspec.structs.replace(one.state, turn=one.state.turn + 1)
                    again.append(_Due(one.owned, state))
                elif turn.next_at is not None:
                    yield turn.next_at
            due = again
        if due:
            yield now

    def _turn(self, one: _Due, now: float) -> TriggerTurn | None:
        """The next turn of a trigger. One that can't be decided harms no other."""
        spec = one.owned.trigger.scheduled
        has_open = one.owned.trigger.overlap is not Overlap.ALLOW or one.state.has_held
        open_fires = self._store.open_fires(*one.names) if has_open else ()
        try:
            if spec is None:
                return self._arrivals_turn(one, now, open_fires)
            turn = schedule_turn(one.owned, spec, one.state, now, open_fires, self._make_run)
        except StoreError:
            raise
        except Exception as error:  # a fault of fanwise's own
            self._fail(f"{one.owned.trigger.place}  internal error: {type(error).__name__}.")
            return None
        self._seen[one.names] = spec.fingerprint
        return turn

    def _arrivals_turn(
        self, one: _Due, now: float, open_fires: Sequence[OpenFire]
    ) -> TriggerTurn | None:
        owned, state = one
        if sorts_next(owned, state):
            arrivals = self._store.delivered(*one.names, most=MOST_SORTED)
            return sorting_turn(owned, state, now, arrivals)
        read = partial(self._store.gathered, *one.names)
        return firing_turn(owned, state, now, open_fires, read, self._make_run)

    def _record(
        self, decided: Sequence[tuple[_Due, TriggerTurn]]
    ) -> Iterator[tuple[_Due, TriggerTurn, Sequence[str] | None]]:
        """Record turns together or, if the store refuses something of them, each by itself."""
        if not decided:
            return
        try:
            made = self._store.take_turns([turn for _, turn in decided])
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
