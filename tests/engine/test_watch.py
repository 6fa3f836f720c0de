"""Engines are taken for gone only by whoever has watched them all along."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.engine.taking import LookBudget
from fanwise.engine.watch import EngineWatch
from fanwise.model import LEASE_S, EngineRecord, Owner
from fanwise.ports import ProcessState
from fanwise.testing.ownership_contract import an_owner

GAP_S = 10.0


class Processes:
    """Processes that are all in one state."""

    def __init__(self, state: ProcessState = ProcessState.UNKNOWN) -> None:
        self.known = state

    def this(self) -> Owner:
        return an_owner()

    def state(self, owner: Owner) -> ProcessState:
        return self.known


def engine(beats: int = 1, silent_s: float = 0.0) -> EngineRecord:
    return EngineRecord(1, an_owner(), beats, silent_s, None)


@pytest.mark.parametrize("state", [ProcessState.UNKNOWN, ProcessState.STOPPED])
def test_an_engine_whose_beats_stand_still_for_its_lease_is_gone(state: ProcessState) -> None:
    """By the watcher's clock from its first look on, whatever the store says of its silence."""
    watch = EngineWatch(Processes(state), GAP_S)
    for now in (100.0, 105.0, 110.0, 114.9):
        assert watch.gone([engine(silent_s=1e6)], now) == []
    assert watch.gone([engine()], 115.0) == [engine()]


def test_an_engine_that_beats_is_there() -> None:
    """One beat in the time of its lease is enough."""
    watch = EngineWatch(Processes(), GAP_S)
    for look in range(20):
        assert watch.gone([engine(beats=look // 3)], look * 5.0) == []


def test_what_is_known_of_a_process_counts_more_than_its_silence() -> None:
    """One that has ended is gone at once, one that is busy never."""
    assert EngineWatch(Processes(ProcessState.GONE), GAP_S).gone([engine()], 1.0) == [engine()]
    alive = EngineWatch(Processes(ProcessState.ALIVE), GAP_S)
    assert [alive.gone([engine()], now * 5.0) for now in range(20)] == [[]] * 20


@pytest.mark.parametrize("how", ["told", "seen"])
def test_after_an_outage_everybody_is_watched_anew(how: str) -> None:
    """Nobody could beat meanwhile: the time before it doesn't count."""
    watch = EngineWatch(Processes(), GAP_S)
    for now in (0.0, 5.0, 10.0):
        assert watch.gone([engine()], now) == []
    if how == "told":
        watch.forget()
    back = 15.0 if how == "told" else 300.0
    for now in (0.0, 5.0, 10.0):
        assert watch.gone([engine()], back + now) == []
    assert watch.gone([engine()], back + 15.0) == [engine()]


@given(st.lists(st.tuples(st.floats(0.0, 9.9), st.booleans()), max_size=60))
def test_who_is_taken_for_gone_has_not_beaten_for_its_lease(
    looks: list[tuple[float, bool]],
) -> None:
    """Whenever the looks are, and whenever it beats between them."""
    watch, now, beats, still_since = EngineWatch(Processes(), GAP_S), 0.0, 0, None
    for step, has_beaten in looks:
        now += step
        if has_beaten or still_since is None:
            beats, still_since = beats + 1, now
        is_gone = bool(watch.gone([engine(beats)], now))
        assert is_gone == (now - still_since >= LEASE_S)


@given(st.lists(st.floats(0.0, 0.5), min_size=1, max_size=200))
def test_vain_looks_are_five_at_once_and_five_a_second(hints: list[float]) -> None:
    """However often a hint comes; and after a quiet second the next one is followed at once."""
    budget, now, looks = LookBudget(), 0.0, 0
    for gap in hints:
        now += gap
        if budget.wait_s(now) == 0.0:
            budget.take()
            looks += 1
    assert looks <= 5 + 5 * now + 1e-6
    assert budget.wait_s(now + 1.0) == 0.0
