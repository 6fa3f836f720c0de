"""The page of triggers: the times that it shows are those at which runs are made."""

from datetime import datetime
from pathlib import Path

from playwright.sync_api import Browser, expect

from fanwise.model import Status
from fanwise.wiring import read_settings
from tests.page.visitor import visiting
from tests.server.served import answering
from tests.service.world import START, World

FLOW = """
name: nightly
on:
  - {name: at_night, schedule: {cron: "30 2 * * *", timezone: Europe/Berlin}}
tasks: [{name: a, action: core.noop}]
"""


def test_the_times_shown_over_a_change_to_summer_time_are_those_that_fire(
    browser: Browser, tmp_path: Path
) -> None:
    """In the night without 2:30 the page says so, and each time that it shows makes a run."""
    world = World(tmp_path)
    world.write(nightly_yaml=FLOW)
    world.clock.advance(datetime.fromisoformat("2027-03-26T12:00:00+00:00").timestamp() - START)
    opened = world.serving()
    opened.clock.look()
    settings = read_settings(environment={"HOME": str(tmp_path), "FANWISE_STORE": "unused"})
    with (
        answering(opened, settings, tmp_path, clock=world.clock) as served,
        visiting(browser, served) as visitor,
    ):
        visitor.open("triggers")
        times = visitor.find("section table", "Europe/Berlin").locator("time")
        expect(times).to_have_count(5)
        shown = [float(each.get_attribute("data-at") or 0) for each in times.all()]
        expect(visitor.find("tr", "instead of 02:30")).to_have_count(1)
    for at in shown:
        world.clock.advance(at + 1 - world.clock.now())
        opened.clock.look()
        for each in world.store.runs(status=Status.PENDING):
            world.end(each.id)
    fired = world.fires("at_night", "nightly")
    assert [fire.at for fire in fired] == shown
    assert all(fire.run_id for fire in fired)
