"""Rules of time zones that change while no server is there count from the next start on."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from fanwise import zones
from fanwise.triggers import calendar, decide, local_times
from tests.service.world import World

NOON = """
name: report
on: {each: {schedule: {cron: "30 12 * * *", timezone: Europe/Berlin}}}
tasks: [{name: a, action: core.noop}]
"""
HOUR = 3_600
Rules = Callable[[str], None]


def forget() -> None:
    """Forget all that a process keeps of zones, as a restart does."""
    zoneinfo.ZoneInfo.clear_cache()
    for module in (zones, calendar, decide, local_times):
        for each in vars(module).values():
            getattr(each, "cache_clear", lambda: None)()


@pytest.fixture
def rules(tmp_path: Path) -> Iterator[Rules]:
    """Gives Berlin the rules of another zone, from the next start of a server on."""
    berlin = tmp_path / "zones" / "Europe" / "Berlin"
    berlin.parent.mkdir(parents=True)

    def use(other: str) -> None:
        berlin.write_bytes(files("tzdata").joinpath("zoneinfo", other).read_bytes())
        zoneinfo.reset_tzpath([str(tmp_path / "zones")])
        forget()

    yield use
    zoneinfo.reset_tzpath()
    forget()


def test_a_time_that_new_rules_put_earlier_fires(world: World, rules: Rules) -> None:
    """Although a later one was recorded as the next; that one fires no more."""
    rules("America/New_York")
    world.write(flow_yaml=NOON)
    world.server().look()  # at 08:00 UTC: the next is at 17:30
    rules("Africa/Algiers")
    world.clock.advance(3.5 * HOUR)
    server = world.server()
    server.look()
    world.clock.advance(6 * HOUR)
    server.look()
    assert [fire.key for fire in world.fires()] == ["schedule:2027-01-15T11:30:00Z"]


def test_a_time_that_new_rules_put_later_fires_then(world: World, rules: Rules) -> None:
    """It doesn't at the time that was recorded as the next."""
    rules("Africa/Algiers")
    world.write(flow_yaml=NOON)
    world.server().look()
    rules("America/New_York")
    world.clock.advance(3.5 * HOUR)
    server = world.server()
    server.look()
    assert world.fires() == []
    world.clock.advance(6 * HOUR)
    server.look()
    assert [fire.key for fire in world.fires()] == ["schedule:2027-01-15T17:30:00Z"]


def test_a_time_that_has_fired_does_not_fire_by_other_rules_again(
    world: World, rules: Rules
) -> None:
    """Nor does any that new rules put before what is decided."""
    rules("Africa/Algiers")
    world.write(flow_yaml=NOON)
    server = world.server()
    server.look()
    world.clock.advance(3.5 * HOUR)
    server.look()
    rules("Africa/Cairo")  # an hour earlier
    server = world.server()
    server.look()
    world.clock.advance(22 * HOUR)
    server.look()
    world.clock.advance(HOUR)
    server.look()
    assert [fire.key for fire in world.fires()] == [
        "schedule:2027-01-15T11:30:00Z",
        "schedule:2027-01-16T10:30:00Z",
    ]
