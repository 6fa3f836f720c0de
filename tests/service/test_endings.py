"""Run triggers and missing ones: each end is taken up once, whatever happens to servers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from fanwise.model import EVENT, Arrival, ErrorInfo, FireStatus, RunOrigin, RunRecord, Status
from fanwise.ports import ProcessState
from fanwise.service.clock import TriggerClock
from fanwise.service.interruptions import WATCHED_S
from fanwise.testing.ownership_contract import an_owner, at_once
from fanwise.testing.records import a_run
from tests.service.world import World

CHAINED = """
name: {name}
on:
  - name: {trigger}
    run: {{workflow: {of}, status: {status}}}
    {more}
tasks: [{{name: a, action: core.noop}}]
"""
MISSING = """
name: alarm
on:
  - {{name: silent, missing: {{workflow: load, status: succeeded, within: 1h}}{more}}}
tasks: [{{name: a, action: core.noop}}]
"""


def chained(
    name: str = "alert",
    of: str = "load",
    status: str = "failed",
    more: str = "",
    trigger: str = "after",
) -> str:
    return CHAINED.format(name=name, of=of, status=status, more=more, trigger=trigger)


def begin(world: World, **files: str) -> None:
    """Have the triggers seen, so that they count from now on."""
    world.write(**files)
    world.server().look()


def a_run_of(world: World, workflow: str, run_id: str, **changes: object) -> RunRecord:
    run = a_run(run_id, workflow=workflow, created_at=world.clock.now(), **changes)
    return replace(run, run_no=world.store.create_run(run))


def ended(world: World, workflow: str, status: str = "failed", **changes: object) -> str:
    """Record a run of a workflow that has ended by now, and return its id."""
    run_id = f"{workflow}-{len(list(world.store.run_ids()))}"
    run = a_run_of(world, workflow, run_id)
    done = replace(run, status=Status(status), ended_at=world.clock.now(), **changes)
    world.store.commit([done])
    return run_id


def started(world: World, workflow: str = "alert", trigger: str = "after") -> list[RunRecord]:
    """The runs that a trigger has made, the oldest first."""
    ids = [fire.run_id for fire in world.fires(trigger, workflow) if fire.run_id is not None]
    found = [world.store.run(run_id) for run_id in ids]
    return [run for run in found if run is not None]


def event_of(run: RunRecord) -> Mapping[str, object]:
    event = run.origin.trigger["event"]
    assert isinstance(event, dict)
    return event


def test_a_run_that_fails_starts_another_one_that_knows_it(world: World) -> None:
    """What it knows is what is recorded; an end of another kind, or before it, starts none."""
    world.write(alert_yaml=chained(more='parameters: {why: "{{ trigger.event.error.message }}"}'))
    text = (world.folder / "alert.yaml").read_text()
    world.write(alert_yaml=f"{text}parameters: {{why: {{required: true}}}}\n")
    ended(world, "load")
    server = world.server()
    server.look()
    ended(world, "load", "succeeded")
    ended(world, "other")
    failed = ended(
        world,
        "load",
        error=ErrorInfo("HttpError", "no answer", {"status": 500}),
        output=b'{"n":1}',
        parameters=b'{"day":"Monday"}',
        tags=("nightly",),
    )
    server.look()
    server.look()
    (run,) = started(world)
    assert run.parameters == b'{"why":"no answer"}'
    facts = run.origin.trigger
    assert (facts["kind"], facts["name"], facts["depth"]) == ("run", "after", 1)
    assert event_of(run) == {
        "id": failed,
        "workflow": "load",
        "status": "failed",
        "error": {"type": "HttpError", "message": "no answer", "data": {"status": 500}},
        "output": {"n": 1},
        "parameters": {"day": "Monday"},
        "tags": ["nightly"],
        "started_at": None,
        "ended_at": "2027-01-15T08:00:00+00:00",
    }


def test_what_ends_while_no_server_is_there_is_not_lost(world: World) -> None:
    """Of servers that look at once one fires, in the order in which the runs ended."""
    begin(world, alert_yaml=chained(status="ended"))
    names = [ended(world, "load", status) for status in ("failed", "succeeded", "cancelled")]
    servers = [world.server() for _ in range(3)]
    at_once(3, lambda number: servers[number].look())
    assert [event_of(run)["id"] for run in started(world)] == names


def test_many_ends_are_taken_up_page_by_page(world: World) -> None:
    """Each once, also those that none is waiting for."""
    begin(world, alert_yaml=chained())
    for number in range(450):
        ended(world, "load" if number % 3 else "other")
    server = world.server()
    while server.look() == 0:
        pass
    assert len(started(world)) == 300


def test_a_trigger_on_all_runs_starts_no_circle(world: World) -> None:
    """It leaves out its own workflow, and the runs that run triggers have started."""
    world.write(other_yaml=chained("other", of='"*"', status="ended", trigger="also"))
    begin(world, alert_yaml=chained(of='"*"', status="ended"))
    server = world.server()
    ended(world, "load")
    for _ in range(3):
        server.look()
        for run in both(world):
            if not run.status.is_final:
                world.end(run.id, Status.FAILED)
    assert [event_of(run)["workflow"] for run in both(world)] == ["load", "load"]
    ended(world, "alert")  # by hand
    server.look()
    assert [event_of(run)["workflow"] for run in both(world)] == ["load", "load", "alert"]


def both(world: World) -> list[RunRecord]:
    return [*started(world), *started(world, "other", "also")]


def test_a_chain_follows_the_workflows_that_it_names(world: World) -> None:
    """Each run knows how many triggers have led to it."""
    world.write(alert_yaml=chained())
    begin(world, other_yaml=chained("other", of="alert", trigger="also"))
    ended(world, "load")
    server = world.server()
    server.look()
    world.end(started(world)[0].id, Status.FAILED)
    server.look()
    assert [run.origin.trigger["depth"] for run in both(world)] == [1, 2]


def test_a_chain_ends_at_its_depth(world: World) -> None:
    """The ninth run trigger in a row makes none, and says why."""
    begin(world, alert_yaml=chained(of="[load, b]"))
    for depth in (7, 8):
        origin = RunOrigin(trigger={"kind": "run", "depth": depth})
        ended(world, "load", origin=origin)
    world.server().look()
    first, second = world.fires("after", "alert")
    assert (first.status, second.status) == (FireStatus.RAN, FireStatus.REFUSED)
    assert "8 run triggers" in second.reason


def test_a_fire_that_failed_is_told_like_a_run(world: World) -> None:
    """So a notice comes also of a run that could never start; its own failures tell nobody."""
    notices = chained(of='"*"', more="parameters: {wrong: 1}")
    load = """
name: load
on: [{name: often, schedule: {every: 10s}, parameters: {n: "{{ trigger.date }}"}}]
parameters: {n: {type: integer, required: true}}
tasks: [{name: a, action: core.noop}]
"""
    begin(world, alert_yaml=notices.replace("    parameters: {wrong: 1}\n", ""), load_yaml=load)
    world.clock.advance(10)
    server = world.server()
    server.look()
    server.look()
    (run,) = started(world)
    event = event_of(run)
    assert (event["id"], event["workflow"], event["status"]) == (None, "load", "failed")
    error = event["error"]
    assert isinstance(error, dict)
    assert (error["type"], error["data"]) == ("TriggerFailed", {"trigger": "often"})
    assert '"n"' in str(error["message"])


def test_two_triggers_on_all_that_fail_do_not_call_each_other(world: World) -> None:
    """A failed fire of a run trigger is left out as its run would be."""
    needy = "parameters: {{n: {{type: integer, required: true}}}}\n"
    gives = 'parameters: {n: "{{ trigger.event.workflow }}"}'
    texts = {
        f"{name}_yaml": chained(name, of='"*"', more=gives) + needy.format() for name in ("a", "b")
    }
    begin(world, **texts)
    ended(world, "load")
    server = world.server()
    for _ in range(5):
        server.look()
    assert [len(world.fires("after", name)) for name in ("a", "b")] == [1, 1]
    assert world.fires("after", "a")[0].status is FireStatus.FAILED


class _Lost:
    """Every process is gone."""

    def state(self, _: object) -> ProcessState:
        return ProcessState.GONE


def test_an_interrupted_run_is_told_after_ten_minutes(world: World) -> None:
    """Once, unless somebody has taken it up by then; it is no end like the others."""
    world.processes = _Lost()  # type: ignore[assignment]
    begin(
        world,
        alert_yaml=chained(status="[failed, interrupted]"),
        other_yaml=chained("other", status="ended"),
    )
    engine_no = world.store.enroll(an_owner())
    for run_id in ("lost", "taken"):
        run = a_run(run_id, workflow="load", status=Status.RUNNING)
        world.store.create_run(run, engine_no)
    server = world.server()
    server.look()
    world.clock.advance(WATCHED_S - 1)
    server.look()
    taken = world.store.run("taken")
    assert taken is not None
    world.store.acquire(taken.run_no, world.store.enroll(an_owner("b")), after=1)
    assert started(world) == []
    for _ in range(3):
        world.clock.advance(20)
        server.look()
        server.look()
    (run,) = started(world)
    event = event_of(run)
    assert (event["id"], event["status"]) == ("lost", "interrupted")
    assert started(world, "other") == []


def test_a_missing_run_fires_once_and_again_after_the_next(world: World) -> None:
    """Across restarts: what came while no server was there counts by its own time."""
    begin(world, alarm_yaml=MISSING.format(more=""))
    assert fired(world, 3_599) == 0
    assert fired(world, 1) == 1
    assert fired(world, 7_200) == 1  # it has said so already
    ended(world, "load", "failed")
    assert fired(world, 3_600) == 1  # which isn't the end that is waited for
    ended(world, "load", "succeeded")
    assert fired(world, 3_599) == 1
    assert fired(world, 1) == 2
    world.clock.advance(600)
    ended(world, "load", "succeeded")
    world.clock.advance(2_400)  # without a server
    assert fired(world, 0) == 2
    assert fired(world, 1_200) == 3
    keys = [fire.key for fire in world.fires("silent", "alarm")]
    assert keys[0] == "missing:2027-01-15T08:00:00Z"


def fired(world: World, after_s: float, server: TriggerClock | None = None) -> int:
    """How often the alarm has fired once a server, or a new one, has looked after so long."""
    world.clock.advance(after_s)
    server = server or world.server()
    while server.look() == 0:
        pass
    return len(started(world, "alarm", "silent"))


def test_a_paused_alarm_begins_anew_once_it_is_resumed(world: World) -> None:
    """What was missed in the pause is not told."""
    begin(world, alarm_yaml=MISSING.format(more=""))
    world.store.pause_trigger("alarm", "silent", "")
    assert fired(world, 7_200) == 0
    world.store.resume_trigger("alarm", "silent", catches_up=False)
    assert fired(world, 0) == 0
    assert fired(world, 3_599) == 0
    assert fired(world, 1) == 1


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        ("skip", ["ran", "skipped", "skipped"]),
        ("queue", ["ran", "replaced", "held"]),
        ("queue-all", ["ran", "held", "held"]),
        ("allow", ["ran", "ran", "ran"]),
    ],
)
def test_ends_obey_the_overlap_of_their_trigger(
    world: World, overlap: str, expected: list[str]
) -> None:
    """As instants do: what is held has its run once the open one has ended."""
    begin(world, alert_yaml=chained(more=f"overlap: {overlap}"))
    for _ in range(3):
        ended(world, "load")
    server = world.server()
    server.look()
    fires = world.fires("after", "alert")
    assert sorted(fire.status for fire in fires) == sorted(expected)
    world.end(started(world)[0].id)
    server.look()
    assert len(started(world)) == expected.count("ran") + ("held" in expected)


def test_many_ends_between_two_looks_raise_no_alarm(world: World) -> None:
    """The one that was waited for may be on another page of them."""
    begin(world, alarm_yaml=MISSING.format(more=""))
    world.clock.advance(3_500)
    ended(world, "load", "succeeded")
    for _ in range(150):
        ended(world, "other")
    assert fired(world, 200) == 0
    assert fired(world, 3_500) == 1


def emit(world: World, name: str) -> None:
    arrival = Arrival(source=EVENT, name=name, id=str(world.clock.now()))
    world.store.arrive([arrival])


def test_a_missing_event_fires_once_and_again_after_the_next(world: World) -> None:
    """Of any name that the pattern fits, also weeks after the last one."""
    text = MISSING.format(more="").replace("workflow: load, status: succeeded", 'event: "sent.*"')
    begin(world, alarm_yaml=text.replace("within: 1h", "within: 10d"))
    day, server = 86_400, world.server()
    emit(world, "other")
    world.clock.advance(day)
    emit(world, "sent.mail")
    for _ in range(9):
        assert fired(world, day, server) == 0
    assert fired(world, day, server) == 1
    assert fired(world, day, server) == 1
    emit(world, "other")
    assert fired(world, 12 * day, server) == 1
    emit(world, "sent.post")
    assert fired(world, 0, server) == 1
    assert fired(world, 5 * day, server) == 1
    assert fired(world, 6 * day, server) == 2
