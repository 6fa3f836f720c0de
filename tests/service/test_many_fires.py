"""Two servers on one store decide the same fires at the same moments, and each is there once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fanwise.model import FireStatus, NewFire, TriggerTurn
from fanwise.stores import Store
from fanwise.stores.postgres_database import open_postgres
from fanwise.stores.sqlite_database import open_sqlite
from fanwise.stores.urls import PostgresPlace, parse
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import at_once
from fanwise.testing.records import a_run
from tests.service.world import START, World

TRIGGERS, INSTANTS, ROUNDS = 20, 25, 5
KEYS, KEYS_OF_TRIGGER, KEYS_OF_TURN = 10_000, 500, 100


@pytest.fixture(params=["sqlite", "postgres"])
def worlds(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[World]]:
    """Two servers' view of one project, each with its own connections to the store."""
    clock = ManualClock(START)
    is_sqlite = request.param == "sqlite"
    place = None if is_sqlite else parse(request.getfixturevalue("postgres_url")())

    def opened() -> Store:
        if isinstance(place, PostgresPlace):
            return open_postgres(place, now=clock.now)
        return open_sqlite(tmp_path / "runs.db", now=clock.now)

    with ExitStack() as stores:
        made = [World(tmp_path, stores.enter_context(opened())) for _ in range(2)]
        for each in made:
            each.clock = clock
        yield made


def test_of_two_servers_each_fire_and_its_run_are_made_once(worlds: list[World]) -> None:
    """Fire and run are one transaction under a unique key, whichever server is faster."""
    triggers = "".join(
        f"  t{number}: {{schedule: {{every: 1s, overlap: allow}}}}\n" for number in range(TRIGGERS)
    )
    world = worlds[0]
    world.write(flow_yaml=f"name: many\non:\n{triggers}tasks: [{{name: a, action: core.noop}}]\n")
    servers = [each.server() for each in worlds]
    servers[0].look()
    for _ in range(ROUNDS):
        world.clock.advance(INSTANTS / ROUNDS)
        at_once(2, lambda number: servers[number].look())
    made: Counter[str | None] = Counter()
    for number in range(TRIGGERS):
        fires = world.fires(f"t{number}", "many")
        assert len({fire.key for fire in fires}) == len(fires) == INSTANTS
        assert {fire.status for fire in fires} == {FireStatus.RAN}
        made.update(fire.run_id for fire in fires)
    assert set(made.values()) == {1}
    assert set(made) == set(world.store.run_ids())
    assert len(made) == TRIGGERS * INSTANTS


def test_of_two_servers_ten_thousand_keys_make_ten_thousand_runs(worlds: list[World]) -> None:
    """The first to come with a key makes its run in the same transaction; the other makes none."""
    turns = [_turn(start) for start in range(0, KEYS, KEYS_OF_TURN)]

    def decide(number: int) -> int:
        ordered = turns if number == 0 else turns[::-1]
        made = (worlds[number].store.take_turns([turn]) for turn in ordered)
        return sum(len(runs or ()) for (runs,) in made)

    assert sum(at_once(2, decide)) == KEYS
    store = worlds[0].store
    made = Counter(
        (fire.key, fire.run_id)
        for number in range(KEYS // KEYS_OF_TRIGGER)
        for fire in store.fires("many", f"t{number}", most=KEYS)
    )
    assert set(made.values()) == {1}
    assert {key for key, _ in made} == {f"k{number}" for number in range(KEYS)}
    assert {run_id for _, run_id in made} == set(store.run_ids())


def _turn(start: int) -> TriggerTurn:
    fires = [
        NewFire(key=f"k{at}", at=at, first=at, status=FireStatus.RAN, run=a_run(f"r{at}"))
        for at in range(start, start + KEYS_OF_TURN)
    ]
    name = f"t{start // KEYS_OF_TRIGGER}"
    return TriggerTurn(workflow="many", name=name, fires=tuple(fires))
