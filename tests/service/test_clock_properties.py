"""Whatever servers, runs and time do: each instant is decided once, and overlap holds."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.model import FireStatus, Status
from tests.service.world import FLOW, World

steps = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.integers(1, 200)),
        st.tuples(st.just("look"), st.integers(0, 1)),
        st.tuples(st.just("restart"), st.integers(0, 1)),
        st.tuples(st.just("end"), st.integers(0, 3)),
    ),
    max_size=25,
)


@given(
    steps,
    st.sampled_from(["skip", "queue", "queue-all", "cancel", "allow"]),
    st.sampled_from(["last", "skip", "all"]),
)
@settings(max_examples=30, deadline=None)
def test_each_instant_is_decided_once_and_overlap_holds(
    steps: list[tuple[str, int]], overlap: str, catch_up: str
) -> None:
    """Fires stand for all instants, and no more runs are open than the trigger allows."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.write(flow_yaml=FLOW.format(more=f", overlap: {overlap}, catch-up: {catch_up}"))
        servers = [world.server(), world.server()]
        servers[0].look()
        for step, value in [*steps, ("advance", 10), ("look", 0)]:
            active = [each.run_id for each in world.open() if each.run_id is not None]
            if step == "advance":
                world.clock.advance(value)
            elif step == "look":
                servers[value].look()
            elif step == "restart":
                servers[value] = world.server()
            elif value < len(active):
                world.end(str(active[value]), Status.FAILED)
            _check_overlap(world, overlap)
        found = world.fires()
        assert sum(each.n for each in found) == int(world.clock.monotonic()) // 10
        made = [each.run_id for each in found if each.status is FireStatus.RAN]
        assert sorted(map(str, made)) == sorted(world.store.run_ids())


def _check_overlap(world: World, overlap: str) -> None:
    active = [each for each in world.open() if each.run_id is not None]
    held = [each for each in world.open() if each.run_id is None]
    if overlap == "allow":
        assert not held
        return
    assert len(active) <= 1
    assert len(held) <= {"skip": 0, "queue-all": 10_000}.get(overlap, 1)
