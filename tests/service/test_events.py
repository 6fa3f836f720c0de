"""Event triggers: each event is in one batch, and each batch makes one run, whatever happens."""

from __future__ import annotations

import contextlib
import json
from itertools import count

import pytest

from fanwise.errors import StoreError
from fanwise.model import EVENT, TRIGGER_FAILED, Arrival, FireStatus
from fanwise.service.clock import TriggerClock
from fanwise.testing.ownership_contract import at_once
from fanwise.testing.stores import StoreWrapper
from tests.service.world import DyingStore, World

FLOW = """
name: report
on:
  - name: wanted
    event: {event}
    parameters: {{day: "{{{{ trigger.event.data.day }}}}"}}
    {more}
parameters: {{day: {{required: true}}}}
tasks: [{{name: a, action: core.noop}}]
"""
BATCH = """
name: report
on:
  - name: wanted
    event: {{name: report.wanted, {rules}}}
    {more}
tasks:
  - name: each
    with-items: "{{{{ trigger.events }}}}"
    action: core.echo
    input: {{n: "{{{{ item.data }}}}"}}
"""
_ids = count()


def begin(world: World, text: str) -> TriggerClock:
    """Have the trigger seen, so that events are delivered to it from now on."""
    world.write(flow_yaml=text)
    server = world.server()
    server.look()
    return server


def look(server: TriggerClock) -> float:
    """Look for as long as the next look is to come at once."""
    while not (wait_s := server.look()):
        pass
    return wait_s


def emit(
    world: World,
    data: object = None,
    *,
    name: str = "report.wanted",
    id: str | None = None,
    key: str | None = None,
    depth: int = 0,
) -> bool:
    event = Arrival(
        source=EVENT,
        name=name,
        id=str(next(_ids)) if id is None else id,
        data=json.dumps(data).encode(),
        key=key,
        by="test",
        depth=depth,
    )
    return world.store.arrive([event])[0]


def statuses(world: World) -> list[str]:
    return [each.status.value for each in world.fires("wanted")]


def events_of(world: World, run_id: str) -> list[object]:
    """The data of the events of the run's batch."""
    run = world.store.run(run_id)
    assert run is not None
    found = world.store.batch_events(run.run_no, 0, run.origin.events or 0)
    return [json.loads(each.data) for each in found]


def test_an_event_starts_a_run_that_knows_it(world: World) -> None:
    """With its data as parameters and under `trigger.event`; nothing from before is delivered."""
    emit(world, {"day": "before"})
    server = begin(world, FLOW.format(event="report.wanted", more=""))
    emit(world, {"day": "today"}, id="e1", key="k")
    emit(world, {"day": "today"}, name="other")
    look(server)
    (fire,) = world.fires("wanted")
    assert (fire.key, fire.status, fire.n) == ("event:report.wanted:e1", FireStatus.RAN, 1)
    run = world.store.run(fire.run_id or "")
    assert run is not None
    assert json.loads(run.parameters) == {"day": "today"}
    assert run.origin.trigger["kind"] == "event"
    assert run.origin.trigger["event"] == {
        "id": "e1",
        "name": "report.wanted",
        "at": "2027-01-15T08:00:00+00:00",
        "key": "k",
        "by": "test",
        "data": {"day": "today"},
    }


def test_an_event_that_comes_twice_fires_once(world: World) -> None:
    """Its id tells, also after the first has become a run."""
    server = begin(world, FLOW.format(event="report.wanted", more=""))
    assert emit(world, {"day": "a"}, id="same")
    assert not emit(world, {"day": "b"}, id="same")
    look(server)
    assert not emit(world, {"day": "c"}, id="same")
    look(server)
    assert statuses(world) == ["ran"]


def test_what_comes_while_no_server_is_there_fires_later(world: World) -> None:
    """A trigger that was seen once has its events delivered."""
    begin(world, FLOW.format(event="report.*", more=""))
    for day in "abc":
        emit(world, {"day": day}, name=f"report.{day}")
        world.clock.advance(3600)
    look(world.server())
    assert statuses(world) == ["ran"] * 3


def test_a_burst_is_one_run_over_its_events(world: World) -> None:
    """They are read in pages, not as part of the run's facts."""
    server = begin(world, BATCH.format(rules="batch: {size: 2500, within: 1m}", more=""))
    events = [
        Arrival(source=EVENT, name="report.wanted", id=f"b{n}", data=str(n).encode())
        for n in range(2500)
    ]
    assert all(world.store.arrive(events))
    look(server)
    (fire,) = world.fires("wanted")
    assert (fire.status, fire.n, fire.key) == (FireStatus.RAN, 2500, "batch:1")
    run = world.store.run(fire.run_id or "")
    assert run is not None
    assert run.origin.events == 2500
    assert "events" not in run.origin.trigger
    assert events_of(world, run.id) == list(range(2500))


def test_a_batch_closes_at_its_time(world: World) -> None:
    """Whichever server looks then."""
    server = begin(world, BATCH.format(rules="batch: {within: 1m}", more=""))
    emit(world, 1)
    assert look(server) == pytest.approx(1.0)
    world.clock.advance(59)
    emit(world, 2)
    look(server)
    assert statuses(world) == []
    world.clock.advance(1)
    look(world.server())
    (fire,) = world.fires("wanted")
    assert events_of(world, fire.run_id or "") == [1, 2]


def test_events_of_one_key_are_one_batch(world: World) -> None:
    """Each by itself is judged by `when` before."""
    more = 'when: "{{ trigger.event.data > 0 }}"'
    rules = 'batch: {size: 2, key: "{{ trigger.event.key }}"}'
    server = begin(world, BATCH.format(rules=rules, more=more))
    for number, key in [(1, "a"), (2, "b"), (-1, "a"), (3, "b"), (4, "a")]:
        emit(world, number, key=key)
    look(server)
    skipped, first, second = world.fires("wanted")
    assert (skipped.status, skipped.n) == (FireStatus.SKIPPED, 1)
    assert events_of(world, first.run_id or "") == [2, 3]
    assert events_of(world, second.run_id or "") == [1, 4]


def test_quiet_starts_a_run_with_all_events(world: World) -> None:
    """Each event puts it off."""
    server = begin(world, BATCH.format(rules="debounce: 30s", more=""))
    for number in range(3):
        emit(world, number)
        look(server)
        world.clock.advance(20)
        look(server)
    world.clock.advance(10)
    look(server)
    (fire,) = world.fires("wanted")
    assert events_of(world, fire.run_id or "") == [0, 1, 2]


@pytest.mark.parametrize(
    ("overlap", "busy", "after"),
    [
        ("allow", ["ran"] * 3, ["ran"] * 3),
        ("skip", ["ran", "skipped", "skipped"], ["ran", "skipped", "skipped"]),
        ("queue", ["ran", "replaced"], ["ran", "replaced", "ran"]),
        ("queue-all", ["ran"], ["ran", "ran"]),
    ],
)
def test_overlap_holds_for_events(
    world: World, overlap: str, busy: list[str], after: list[str]
) -> None:
    """What waits has its run once the open one has ended."""
    server = begin(world, FLOW.format(event="report.wanted", more=f"overlap: {overlap}"))
    for day in "abc":
        emit(world, {"day": day})
        look(server)
    assert statuses(world) == busy
    world.end(world.fires("wanted")[0].run_id or "")
    look(server)
    assert statuses(world) == after


def test_a_newer_event_cancels_the_open_run(world: World) -> None:
    """Its own run starts once that has ended."""
    server = begin(world, FLOW.format(event="report.wanted", more="overlap: cancel"))
    for day in "abc":
        emit(world, {"day": day})
        look(server)
        look(server)  # a second later the other one has ended
    runs = [world.store.run(each.run_id or "") for each in world.fires("wanted")]
    assert [json.loads(each.parameters)["day"] for each in runs if each] == ["a", "b", "c"]
    assert [each.status.value for each in runs if each] == ["cancelled", "cancelled", "pending"]


def test_a_batch_waits_for_the_run_before_and_loses_nothing(world: World) -> None:
    """Also with overlap skip, which drops single events."""
    server = begin(world, BATCH.format(rules="batch: {size: 2}", more="overlap: skip"))
    for number in range(6):
        emit(world, number)
    look(server)
    assert statuses(world) == ["ran"]
    for _ in range(2):
        world.end(world.fires("wanted")[-1].run_id or "")
        look(server)
    found = [events_of(world, each.run_id or "") for each in world.fires("wanted")]
    assert found == [[0, 1], [2, 3], [4, 5]]


def test_a_paused_trigger_wants_no_events(world: World) -> None:
    """What comes in a pause is left out, unless it is asked for."""
    server = begin(world, FLOW.format(event="report.wanted", more=""))
    for catches_up in (False, True):
        world.store.pause_trigger("report", "wanted", "")
        emit(world, {"day": "a"})
        look(server)
        assert statuses(world) == []
        world.store.resume_trigger("report", "wanted", catches_up=catches_up)
        look(server)
    assert statuses(world) == ["ran"]


def test_a_trigger_that_was_edited_waits_for_other_events(world: World) -> None:
    """Those of its old name start nothing any more."""
    server = begin(world, FLOW.format(event="report.wanted", more=""))
    emit(world, {"day": "a"})
    world.write(flow_yaml=FLOW.format(event="report.new", more=""))
    world.clock.advance(3)
    look(server)
    emit(world, {"day": "b"})
    emit(world, {"day": "c"}, name="report.new")
    look(server)
    (fire,) = world.fires("wanted")
    assert fire.key.startswith("event:report.new:")


def test_an_event_whose_parameters_do_not_fit_has_failed(world: World) -> None:
    """Others fire, and an event tells of it to who waits for such."""
    text = FLOW.format(event="report.wanted", more="").replace(
        "required", "type: integer, required"
    )
    tell = """
name: tell
on: [{name: failures, event: fanwise.trigger.failed}, {name: all, event: "*"}]
tasks: [{name: a, action: core.noop}]
"""
    world.write(tell_yaml=tell)
    server = begin(world, text)
    emit(world, {"day": "no number"})
    emit(world, {"day": 5})
    look(server)
    look(server)
    assert statuses(world) == ["failed", "ran"]
    (told,) = world.fires("failures", workflow="tell")
    run = world.store.run(told.run_id or "")
    assert run is not None
    event = run.origin.trigger["event"]
    assert event["name"] == TRIGGER_FAILED
    assert event["data"]["trigger"] == "wanted"
    assert '"day"' in event["data"]["reason"]
    assert len(world.fires("all", workflow="tell")) == 2


def test_a_failure_notice_that_fails_tells_nobody(world: World) -> None:
    """It would tell of itself for ever."""
    text = """
name: report
on: [{name: wanted, event: fanwise.*, when: "{{ trigger.event.data.nothing.at_all }}"}]
tasks: [{name: a, action: core.noop}]
"""
    failing = FLOW.format(event="x", more="").replace("name: report", "name: other")
    world.write(other_yaml=failing)
    server = begin(world, text)
    emit(world, {}, name="x")
    for _ in range(4):
        look(server)
    assert statuses(world) == ["failed"]


def test_triggers_that_fire_each_other_come_to_an_end(world: World) -> None:
    """After eight of them it is refused."""
    server = begin(world, FLOW.format(event="report.wanted", more=""))
    emit(world, {"day": "a"}, depth=8)
    emit(world, {"day": "b"}, depth=9)
    look(server)
    assert sorted(statuses(world)) == ["ran", "refused"]


def test_of_several_servers_one_takes_an_event(world: World) -> None:
    """Each event is in one batch, though all look at the same moment."""
    begin(world, BATCH.format(rules="batch: {size: 10}", more=""))
    servers = [world.server() for _ in range(4)]
    for _ in range(3):
        for number in range(40):
            emit(world, number)
        at_once(4, lambda number: look(servers[number]))
        at_once(4, lambda number: look(servers[number]))
    fires = world.fires("wanted")
    assert [each.n for each in fires] == [10] * 12
    found = [events_of(world, each.run_id or "") for each in fires]
    assert sorted(str(each) for batch in found for each in batch) == sorted(
        str(number) for number in range(40) for _ in range(3)
    )


def test_a_server_that_is_overtaken_leaves_the_event_to_the_faster_one(world: World) -> None:
    """Which fires its batch after the slower one has read the trigger's state."""
    begin(world, FLOW.format(event="report.wanted", more=""))
    faster = world.server()

    class Overtaken(StoreWrapper):
        def gathered(self, *batch: object) -> object:
            look(faster)
            return super().gathered(*batch)  # type: ignore[arg-type]

    world.store = Overtaken(world.store)
    emit(world, {"day": "today"})
    look(world.server())
    assert (statuses(world), world.lines.failures) == (["ran"], [])


@pytest.mark.parametrize("after", [False, True])
def test_each_event_is_in_one_batch_whenever_the_server_dies(world: World, after: bool) -> None:
    """Before or after any of its turns; the next one goes on."""
    begin(world, BATCH.format(rules="batch: {size: 3, within: 1m}", more=""))
    real = world.store
    for at in range(1, 6):
        for number in range(7):
            emit(world, (at, number))
        world.clock.advance(60)
        world.store = DyingStore(real, after=after, at=at)
        dying = world.server()
        with contextlib.suppress(StoreError):
            for _ in range(3):
                look(dying)
        world.store = real
        look(world.server())
    found = [events_of(world, each.run_id or "") for each in world.fires("wanted")]
    expected = [[at, number] for at in range(1, 6) for number in range(7)]
    assert [each for batch in found for each in batch] == expected
    assert all(len(batch) <= 3 for batch in found)
