"""Requests to webhooks, which several servers and threads decide at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from fanwise.model import Arrival, TriggerState, TriggerTurn
from fanwise.service.arrivals import ArrivalTurns
from fanwise.service.hooks import WEBHOOK, Hooks
from fanwise.stores import Store
from fanwise.testing.stores import StoreWrapper
from tests.service.world import World

FLOW = """
name: report
on: {asked: {webhook: {path: asked, secret: none}}}
tasks: [{name: a, action: core.noop}]
"""
NAMES = ("report", "asked")


class OvertakenStore(StoreWrapper):
    """Other servers go on between a look at the triggers and the turn that follows it."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.others: list[Callable[[], object]] = []

    def triggers(self) -> tuple[float, Sequence[TriggerState]]:
        found = super().triggers()
        while self.others:
            self.others.pop(0)()
        return found


class Hooked:
    """The webhook of a project, and the turns that another server takes for it."""

    def __init__(self, world: World) -> None:
        world.write(flow_yaml=FLOW)
        serving = world.serving()
        serving.clock.look()
        self.store, self.clock = world.store, world.clock
        self.overtaken = OvertakenStore(world.store)
        make = serving.runs.make
        self.turns = ArrivalTurns(world.store, world.store, make)
        self.hooks = Hooks(
            self.overtaken, serving.project, make, lambda _: None, str, 99, lambda *_: None
        )
        (self.owned,) = serving.project.triggers

    def arrival(self, id: str) -> Arrival:
        data = b'{"path":"asked","headers":{},"body":null}'
        return Arrival(source=WEBHOOK, name="asked", id=id, data=data, at=self.clock.now())

    def next_turn(self) -> TriggerTurn:
        now, (state,) = self.store.triggers()
        turn = self.turns.turn(self.owned, state, now)
        assert turn is not None
        return turn

    def take(self, turn: TriggerTurn) -> None:
        (made,) = self.store.take_turns([turn])
        assert made is not None


@pytest.fixture
def hooked(world: World) -> Hooked:
    return Hooked(world)


def test_a_request_has_its_run_although_others_decide_it_at_the_same_time(hooked: Hooked) -> None:
    """A server that fires an earlier request, and has sorted this one, leaves it to be fired."""
    hooked.store.arrive([hooked.arrival("first")], NAMES)
    hooked.take(hooked.next_turn())
    fires_first = hooked.next_turn()
    hooked.overtaken.others = [
        lambda: hooked.take(fires_first),
        lambda: hooked.take(hooked.next_turn()),
    ]
    received = hooked.hooks.receive(hooked.owned, hooked.arrival("second"), 0.0)
    assert len(received.runs) == 1
    assert len(hooked.store.run_ids()) == 2


def test_a_request_that_comes_again_before_it_is_decided_has_its_run(hooked: Hooked) -> None:
    """The server that has recorded it has died before it made the run."""
    hooked.store.arrive([hooked.arrival("first")], NAMES)
    received = hooked.hooks.known(hooked.owned, "first")
    assert received is not None
    assert (len(received.runs), received.is_new) == (1, False)
