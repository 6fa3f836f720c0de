"""Where attempts are: whatever happens, none is lost or made twice at once, and deaths end."""

from __future__ import annotations

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.context import WorkflowContext
from fanwise.executors.placing import Lane, Placing
from fanwise.ports import Ticket

CONTEXT = WorkflowContext({})


class World:
    """A feed, workers that do what the chance says, and the placing between them.

    Attempts in `killers` kill their worker. Workers know which attempts ran, or don't.
    """

    def __init__(self, items: int, width: int, killers: set[int], *, knows: bool, seed: int):
        self.chance = random.Random(seed)
        self.knows = knows
        self.killers = killers
        self.width = width
        self.placing: Placing[int] = Placing()
        self.waiting = [Ticket(CONTEXT, index, 1) for index in range(items)]
        self.begun: dict[int, dict[int, Ticket]] = {}  # by worker: what really runs
        self.numbers = itertools.count(1)
        self.workers = itertools.count(1)
        self.held = 0
        self.ended: list[int] = []
        self.failed: list[int] = []
        self.deaths = 0

    def open_lane(self) -> None:
        """A new worker with a chunk: one group of suspects, or others that are none."""
        lane = Lane(self.width)
        worker = next(self.workers)
        self.placing.lanes[worker] = lane
        self.begun[worker] = {}
        most = self.chance.randint(1, 9)
        while self.waiting and len(lane.sent) < most:
            group = self.placing.group_of(self.waiting[0])
            if lane.sent and group != lane.group:
                break
            ticket = self.waiting.pop(0)
            runs = lane.has_room
            self.held += runs
            self.placing.send(lane, next(self.numbers), ticket, runs=runs)
        self.begin(worker)

    def begin(self, worker: int) -> None:
        lane, begun = self.placing.lanes[worker], self.begun[worker]
        for number, ticket in lane.sent.items():
            if len(begun) < self.width:
                begun.setdefault(number, ticket)

    def step(self) -> None:
        lanes = self.placing.lanes
        if self.waiting and (not lanes or self.chance.random() < 0.3):
            self.open_lane()
            return
        worker = self.chance.choice([*lanes])
        killing = any(ticket.index in self.killers for ticket in self.begun[worker].values())
        if killing or self.chance.random() < 0.02:
            self.die(worker)
        elif self.chance.random() < 0.1:
            self.recall(worker)
        else:
            self.end_one(worker)
        if worker in lanes and not lanes[worker].sent:
            del lanes[worker]

    def end_one(self, worker: int) -> None:
        number = self.chance.choice([*self.begun[worker]])
        del self.begun[worker][number]
        ticket, begins = self.placing.lanes[worker].ended(number)
        assert ticket is not None
        self.held -= not begins
        self.ended.append(ticket.index)
        self.begin(worker)

    def recall(self, worker: int) -> None:
        lane = self.placing.lanes[worker]
        numbers = [number for number in lane.sent if number not in self.begun[worker]]
        tickets, held = lane.returned(numbers)
        self.held -= held
        self.waiting[:0] = tickets

    def die(self, worker: int) -> None:
        self.deaths += 1
        loss = self.placing.lost(worker, frozenset(self.begun[worker]) if self.knows else None)
        self.held -= loss.running
        if loss.failed is not None:
            self.held -= 1
            self.failed.append(loss.failed.index)
        self.waiting[:0] = loss.again


@settings(max_examples=300)
@given(
    items=st.integers(1, 60),
    width=st.integers(1, 4),
    killers=st.sets(st.integers(0, 59), max_size=3),
    knows=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_every_attempt_ends_once_whatever_happens(
    items: int, width: int, killers: set[int], knows: bool, seed: int
) -> None:
    """As many slots are held as attempts run by the books, and none at the end."""
    killers = {index for index in killers if index < items}
    world = World(items, width, killers, knows=knows, seed=seed)
    for _ in range(20_000):
        if not world.waiting and not world.placing.lanes:
            break
        world.step()
        assert world.held == sum(lane.running for lane in world.placing.lanes.values())
        assert all(lane.running <= width for lane in world.placing.lanes.values())
    assert sorted(world.ended + world.failed) == list(range(items))
    assert killers <= set(world.failed)
    assert world.held == 0


@given(items=st.integers(1, 60), knows=st.booleans(), seed=st.integers(0, 2**32))
def test_of_a_chunk_the_one_that_kills_fails_alone(items: int, knows: bool, seed: int) -> None:
    """Each death halves its suspects at least, so it takes few of them."""
    killer = seed % items
    world = World(items, 1, {killer}, knows=knows, seed=seed)
    world.chance.random = lambda: 0.5  # nothing dies or is recalled by chance
    while world.waiting or world.placing.lanes:
        world.step()
    assert world.failed == [killer]
    assert world.deaths <= (2 if knows else 6)


def test_a_worker_that_dies_once_fails_nobody() -> None:
    """A single attempt was in it, and is made once more; the second time it has failed."""
    placing: Placing[str] = Placing()
    ticket = Ticket(CONTEXT, 7, 1)
    for turn in ("first", "second"):
        lane = placing.lanes[turn] = Lane(1)
        placing.send(lane, 1, ticket, runs=True)
        loss = placing.lost(turn, {1})
        assert (loss.again, loss.failed, loss.running) == (
            ([ticket], None, 1) if turn == "first" else ([], ticket, 0)
        )


def test_an_outcome_counts_once() -> None:
    """A second one of the same number, as after a recall that came too late, is nobody's."""
    lane = Lane(1)
    ticket = Ticket(CONTEXT, 0, 1)
    lane.add(5, ticket, runs=True)
    assert lane.ended(5) == (ticket, False)
    assert lane.ended(5) == (None, False)
    assert lane.running == 0
