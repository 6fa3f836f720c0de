"""The clock of triggers: each instant is decided once, whatever happens to servers and files."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from fanwise.errors import StoreError
from fanwise.model import EndedRun, FireStatus, Status
from fanwise.reports.trigger_rows import trigger_rows
from fanwise.stores.sql_store import SqlStore
from fanwise.stores.sqlite_database import open_database
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import at_once
from tests.service.world import FLOW, START, DyingStore, World


def flow(more: str = "") -> str:
    return FLOW.format(more=f", {more}" if more else "")


def begin(world: World, more: str = "") -> None:
    """Have the trigger seen, so that it counts from now on."""
    world.write(flow_yaml=flow(more))
    world.server().look()


def test_a_schedule_fires_at_its_time_and_its_run_knows_it(world: World) -> None:
    """Nothing from before the trigger was seen; the facts are in the origin of the run."""
    world.clock.advance(3)
    begin(world)
    assert world.fires() == []
    server = world.server()
    assert server.look() == pytest.approx(1.0)  # the next is in seven seconds
    world.clock.advance(6.5)
    assert server.look() == pytest.approx(0.5)
    world.clock.advance(0.5)
    server.look()
    (fire,) = world.fires()
    assert (fire.key, fire.status) == ("schedule:2027-01-15T08:00:10Z", FireStatus.RAN)
    assert fire.run_id == "report-20270115-080010"
    run = world.store.run(fire.run_id)
    assert run is not None
    assert run.status is Status.PENDING
    assert json.loads(run.parameters) == {"day": "2027-01-15T08:00:10+00:00"}
    assert run.origin.folder == str(world.folder)
    assert run.origin.trigger["kind"] == "schedule"
    assert run.origin.trigger["previous_at"] == "2027-01-15T08:00:00+00:00"


def test_of_several_servers_one_fires(world: World) -> None:
    """Each instant makes one run, though all look at the same moment."""
    begin(world, "overlap: allow")
    servers = [world.server() for _ in range(4)]
    for _ in range(5):
        world.clock.advance(10)
        at_once(4, lambda number: servers[number].look())
    assert len(world.fires()) == 5
    assert len(list(world.store.run_ids())) == 5


def test_a_fire_is_skipped_while_a_run_is_open(world: World) -> None:
    """It says by which run, and the next one fires again."""
    begin(world)
    server = world.server()
    for _ in range(2):
        world.clock.advance(10)
        server.look()
    first, second = world.fires()
    assert second.status is FireStatus.SKIPPED
    assert first.run_id is not None
    assert first.run_id in second.reason
    world.end(first.run_id)
    world.clock.advance(10)
    server.look()
    assert world.fires()[-1].status is FireStatus.RAN


def test_a_fire_that_waits_has_its_run_once_the_other_has_ended(world: World) -> None:
    """A newer one takes its place, and only one waits; its run has its own time."""
    begin(world, "overlap: queue")
    server = world.server()
    for _ in range(3):
        world.clock.advance(10)
        server.look()
    assert [each.status.value for each in world.fires()] == ["ran", "replaced", "held"]
    world.end("report-20270115-080010")
    world.clock.advance(1)
    world.server().look()
    assert [each.status.value for each in world.fires()] == ["ran", "replaced", "ran"]
    run = world.store.run("report-20270115-080030")
    assert run is not None
    assert json.loads(run.parameters) == {"day": "2027-01-15T08:00:30+00:00"}


def test_all_fires_wait_in_line(world: World) -> None:
    """With queue-all each has its run, one after the other."""
    begin(world, "overlap: queue-all")
    server = world.server()
    for _ in range(3):
        world.clock.advance(10)
        server.look()
    assert [each.status.value for each in world.fires()] == ["ran", "held", "held"]
    for number in range(3):
        world.end(f"report-20270115-0800{number + 1}0")
        server.look()
    assert [each.status.value for each in world.fires()] == ["ran", "ran", "ran"]


def test_an_open_run_is_cancelled_for_a_newer_one(world: World) -> None:
    """The new one starts once the other has ended."""
    begin(world, "overlap: cancel")
    server = world.server()
    for _ in range(2):
        world.clock.advance(10)
        server.look()
    first = world.store.run("report-20270115-080010")
    assert first is not None
    assert first.status is Status.CANCELLED
    server.look()
    assert [each.status.value for each in world.fires()] == ["ran", "ran"]


@pytest.mark.parametrize(
    ("catch_up", "statuses"),
    [("last", ["missed", *["ran"] * 6]), ("skip", ["missed", *["ran"] * 6]), ("all", ["ran"] * 30)],
)
def test_what_was_due_while_no_server_was_there_is_caught_up(
    world: World, catch_up: str, statuses: list[str]
) -> None:
    """As the trigger says; six are on time, and the rest is one row with its number."""
    begin(world, f"catch-up: {catch_up}, overlap: allow")
    world.clock.advance(305)
    world.server().look()
    found = world.fires()
    assert [each.status.value for each in found] == statuses
    assert sum(each.n for each in found) == 30


def test_a_paused_trigger_fires_nothing_and_a_pause_is_not_caught_up(world: World) -> None:
    """It counts again from when it is resumed, unless that is asked for."""
    begin(world)
    server = world.server()
    world.store.pause_trigger("report", "each", "for the move")
    world.clock.advance(25)
    assert server.look() == pytest.approx(1.0)
    assert world.fires() == []
    world.store.resume_trigger("report", "each", catches_up=False)
    server.look()
    assert world.fires() == []
    world.store.pause_trigger("report", "each", "")
    world.clock.advance(10)
    world.store.resume_trigger("report", "each", catches_up=True)
    server.look()
    assert [each.key for each in world.fires()] == ["schedule:2027-01-15T08:00:30Z"]


def test_an_edited_schedule_counts_from_now(world: World) -> None:
    """What the new one would have had before doesn't fire."""
    begin(world)
    server = world.server()
    world.clock.advance(5)
    world.write(flow_yaml=flow().replace("10s", "4s"))
    server.look()
    assert world.fires() == []
    world.clock.advance(3)
    server.look()
    assert [each.key for each in world.fires()] == ["schedule:2027-01-15T08:00:08Z"]


def test_a_file_that_becomes_wrong_keeps_what_it_said_and_is_told_once(world: World) -> None:
    """Until it is right again, which is told too."""
    begin(world, "overlap: allow")
    world.write(other_yaml=flow("overlap: allow").replace("report", "other"))
    server = world.server()
    server.look()
    world.write(flow_yaml="name: report\non: 5\ntasks: [")
    for _ in range(2):
        world.clock.advance(10)
        server.look()
    assert len(world.fires()) == 2
    assert len(world.fires(workflow="other")) == 2
    assert len(world.lines.problems) == 1
    assert "flow.yaml" in world.lines.problems[0]
    world.write(flow_yaml=flow("overlap: allow"))
    world.clock.advance(10)
    server.look()
    assert world.lines.is_right == 1
    assert len(world.fires()) == 3


def test_a_file_that_is_gone_fires_no_more(world: World) -> None:
    """Its history stays."""
    begin(world)
    server = world.server()
    world.clock.advance(10)
    server.look()
    (world.folder / "flow.yaml").unlink()
    world.clock.advance(10)
    server.look()
    assert len(world.fires()) == 1


def test_a_fire_that_gives_no_parameters_that_fit_has_failed(world: World) -> None:
    """Its row says why, and others fire."""
    text = flow("overlap: allow").replace("required: true", "type: integer, required: true")
    world.write(flow_yaml=text, other_yaml=flow().replace("report", "other"))
    server = world.server()
    server.look()
    world.clock.advance(10)
    server.look()
    (fire,) = world.fires()
    assert (fire.status, fire.run_id) == (FireStatus.FAILED, None)
    assert '"day"' in fire.reason
    assert "2027" not in fire.reason
    assert len(world.fires(workflow="other")) == 1


def test_a_fire_whose_condition_fails_makes_no_run(world: World) -> None:
    """It is recorded as skipped."""
    text = flow().replace("    parameters:", "    when: false\n    parameters:")
    world.write(flow_yaml=text)
    server = world.server()
    server.look()
    world.clock.advance(10)
    server.look()
    (fire,) = world.fires()
    assert (fire.status, fire.run_id) == (FireStatus.SKIPPED, None)
    assert "when" in fire.reason


def test_fires_with_one_key_make_one_run(world: World) -> None:
    """The others say of which run they are repeats."""
    dedupe = 'dedupe: {key: "{{ trigger.date }}", for: 1d}'
    text = flow("overlap: allow").replace("    parameters:", f"    {dedupe}\n    parameters:")
    world.write(flow_yaml=text)
    server = world.server()
    server.look()
    for _ in range(2):
        world.clock.advance(10)
        server.look()
    first, second = world.fires()
    assert first.status is FireStatus.RAN
    assert second.status is FireStatus.REFUSED
    assert str(first.run_id) in second.reason
    assert world.lines.without_run == [f"refused: it would repeat run {first.run_id}"]
    assert world.store.triggers()[1][0].last_status is FireStatus.REFUSED


def test_a_clock_that_was_set_back_fires_nothing_twice(world: World) -> None:
    """Nothing until it is past the last instant again."""
    begin(world, "overlap: allow")
    server = world.server()
    world.clock.advance(20)
    server.look()
    world.clock._start_at = START - 3_600
    server.look()
    world.server().look()
    assert len(world.fires()) == 2
    world.clock._start_at = START
    world.clock.advance(10)
    server.look()
    assert [each.key[-4:-1] for each in world.fires()] == [":10", ":20", ":30"]


def test_a_store_that_is_away_is_asked_again(world: World) -> None:
    """What was due meanwhile fires then."""
    begin(world)
    server = world.server()
    world.clock.advance(10)
    broken, world.store.triggers = world.store.triggers, _away  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        server.look()
    world.store.triggers = broken  # type: ignore[method-assign]
    server.look()
    assert len(world.fires()) == 1


def test_a_clock_that_was_ahead_is_told_and_repaired(world: World) -> None:
    """By a pause, from whose end on the trigger counts."""
    begin(world)
    server = world.server()
    world.clock.advance(7_200)
    server.look()
    decided = len(world.fires())
    world.clock.advance(-7_190)
    server = world.serving()
    server.clock.look()

    def trouble() -> str | None:
        now, states = world.store.triggers()
        known = {(each.workflow, each.name): each for each in states}
        (row,) = trigger_rows(server.project.triggers, known, now)
        return row.trouble

    assert trouble() == (
        "the clock was ahead, so nothing fires until 2027-01-15T10:00:00Z. "
        "To count from now on: fanwise triggers resume report/each --from now"
    )
    world.store.pause_trigger("report", "each", "")
    assert trouble() is None
    world.store.resume_trigger("report", "each", catches_up=False)
    server.clock.look()
    assert trouble() is None
    world.clock.advance(10)
    server.clock.look()
    assert len(world.fires()) == decided + 1


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("overlap", ["skip", "queue", "cancel", "allow"])
def test_each_instant_is_decided_once_whenever_the_server_dies(
    world: World, overlap: str, after: bool
) -> None:
    """Before or after any of its turns; each fire that ran has the one run of its time."""
    begin(world, f"overlap: {overlap}, catch-up: all")
    real = world.store
    for at in range(1, 5):
        for each in world.open()[:1]:
            if each.run_id is not None:
                world.end(each.run_id)
        world.clock.advance(20)
        world.store = DyingStore(real, after=after, at=at)
        dying = world.server()
        with suppress(StoreError):
            dying.look()
            world.clock.advance(10)
            dying.look()
        world.store = real
        world.server().look()
    found = world.fires()
    assert sum(each.n for each in found) == int(world.clock.monotonic()) // 10
    made = [each.run_id for each in found if each.status is FireStatus.RAN]
    assert sorted(map(str, made)) == sorted(real.run_ids())
    assert len({each.key for each in found}) == len(found)


def test_a_store_that_others_lock_is_asked_again(tmp_path: Path) -> None:
    """Each look says so; what was due meanwhile is caught up once the lock is gone."""
    clock = ManualClock(START)
    path = tmp_path / "runs.db"
    with SqlStore(open_database(path, timeout_s=0.01, now=clock.now)) as store:
        world = World(tmp_path, store)
        world.clock = clock
        begin(world, "catch-up: all")
        server = world.server()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(3):
                clock.advance(10)
                with pytest.raises(StoreError, match="locked"):
                    server.look()
            other.execute("ROLLBACK")
        server.look()
        assert [fire.key[-9:] for fire in world.fires()] == ["08:00:10Z", "08:00:20Z", "08:00:30Z"]


def _away() -> None:
    raise StoreError("the store is away.")


def test_a_project_file_that_becomes_wrong_is_told_once(world: World) -> None:
    """All triggers stay as they were, until it is right again."""
    begin(world, "overlap: allow")
    server = world.server()
    server.look()
    world.write(fanwise_yaml="workflows: 5\n")
    for _ in range(2):
        world.clock.advance(10)
        server.look()
    assert len(world.fires()) == 2
    assert len(world.lines.problems) == 1
    assert "fanwise.yaml" in world.lines.problems[0]
    world.write(fanwise_yaml="workflows: [flow.yaml]\n")
    world.clock.advance(10)
    server.look()
    assert (world.lines.is_right, len(world.fires())) == (1, 3)


def test_a_task_of_a_triggered_run_may_name_a_limit_of_the_project(world: World) -> None:
    """The run knows it, wherever it is driven."""
    text = flow().replace("action: core.noop", "action: core.noop, limit: database")
    world.write(fanwise_yaml="limits: {database: 2}\n", flow_yaml=text)
    server = world.server()
    server.look()
    world.clock.advance(10)
    server.look()
    assert world.lines.problems == []
    run = world.store.run("report-20270115-080010")
    assert run is not None
    assert run.status is Status.PENDING


def test_a_clock_that_jumps_far_ahead_is_doubted_for_a_minute(world: World) -> None:
    """One that is set right in time fires nothing, also if the server has started with it."""
    begin(world, "catch-up: all, overlap: allow, within: 9d")
    servers = [world.server()]
    servers[0].look()
    world.clock._start_at = START + 5 * 86_400
    servers.append(world.server())
    for _ in range(5):
        world.clock.advance(10)
        for server in servers:
            assert server.look() == 1.0
    assert world.fires() == []
    assert "5 days ahead" in world.lines.failures[0]
    world.clock._start_at = START
    servers[0].look()
    assert [fire.status for fire in world.fires()] == [FireStatus.RAN] * 5


def test_a_clock_that_stays_ahead_is_believed(world: World) -> None:
    """What was due meanwhile is caught up then."""
    begin(world)
    world.clock._start_at = START + 5 * 86_400
    server = world.server()
    server.look()
    world.clock.advance(60)
    server.look()
    missed, first, *_ = world.fires()
    assert (missed.status, missed.n) == (FireStatus.MISSED, 5 * 8_640 - 1)
    assert first.status is FireStatus.RAN


def test_a_trigger_that_is_skipped_over_and_over_is_told(world: World) -> None:
    """At the third time and at the hundredth, with the run; no more once it fires again."""
    begin(world)
    server = world.server()
    for _ in range(101):
        world.clock.advance(10)
        server.look()
    third, hundredth = world.lines.failures
    assert third.endswith(
        "flow.yaml:4:3  It was skipped 3 times in a row since 2027-01-15T08:00:20Z:"
        " run report-20270115-080010 is pending."
    )
    assert "skipped 100 times in a row" in hundredth
    world.end("report-20270115-080010")
    world.clock.advance(10)
    server.look()
    assert world.fires()[-1].status is FireStatus.RAN


def test_times_that_are_skipped_together_are_told_as_well(world: World) -> None:
    """A number that they pass is as good as one that they meet."""
    begin(world)
    server = world.server()
    for seconds in (10, 10, 10, 60, 2_000):
        world.clock.advance(seconds)
        server.look()
    assert len(world.lines.failures) == 2, [(f.n, f.status) for f in world.fires()]


@pytest.mark.parametrize("status", [Status.PENDING, Status.RUNNING, Status.PAUSED, Status.WAITING])
def test_a_run_that_is_not_over_blocks_whatever_it_does(world: World, status: Status) -> None:
    """Also one that runs and that nobody drives: it was interrupted, and may be resumed."""
    begin(world)
    server = world.server()
    world.clock.advance(10)
    server.look()
    world.end("report-20270115-080010", status)
    world.clock.advance(10)
    server.look()
    assert world.fires()[-1].reason == f"run report-20270115-080010 is {status}"


def test_a_run_that_is_deleted_blocks_no_more(world: World) -> None:
    """Its fire stays in the history."""
    begin(world)
    server = world.server()
    world.clock.advance(10)
    server.look()
    world.end("report-20270115-080010", Status.PAUSED)
    run = world.store.run("report-20270115-080010")
    assert run is not None
    now = world.clock.now()
    assert world.store.delete_run(EndedRun(run.run_no, run.id, run.workflow, run.status, now))
    world.clock.advance(10)
    server.look()
    assert [fire.status for fire in world.fires()] == [FireStatus.RAN, FireStatus.RAN]


def test_a_trigger_that_is_renamed_is_a_new_one(world: World) -> None:
    """It counts from now on, beside the run of the former one, which stays as it is."""
    begin(world)
    server = world.server()
    world.clock.advance(10)
    server.look()
    world.write(flow_yaml=flow().replace("each:", "often:"))
    world.clock.advance(35)
    server.look()
    assert world.fires("often") == []
    world.clock.advance(5)
    server.look()
    assert [fire.key[-4:-1] for fire in world.fires("often")] == [":50"]
    assert len(world.fires()) == 1
    run = world.store.run("report-20270115-080010")
    assert run is not None
    assert run.status is Status.PENDING


def test_a_machine_that_boots_in_1970_fires_nothing_until_its_clock_is_right(world: World) -> None:
    """Then what was due is caught up, once."""
    begin(world, "overlap: allow")
    world.clock.advance(10)
    world.server().look()
    world.clock._start_at = 0.0
    server = world.server()
    for _ in range(3):
        world.clock.advance(10)
        server.look()
    assert len(world.fires()) == 1
    world.clock._start_at = START
    for _ in range(8):  # what has jumped is doubted for a minute
        world.clock.advance(10)
        server.look()
    keys = [fire.key for fire in world.fires() if fire.status is FireStatus.RAN]
    assert len(keys) == len(set(keys)) == len(set(world.store.run_ids()))
    assert keys[-1] == "schedule:2027-01-15T08:02:00Z"


def test_a_condition_that_can_not_be_evaluated_is_a_fire_that_failed(world: World) -> None:
    """Its row says why, and the next one is decided as any."""
    when = 'when: "{{ trigger.date | int > 0 }}"'
    world.write(flow_yaml=flow().replace("    parameters:", f"    {when}\n    parameters:"))
    server = world.server()
    server.look()
    for _ in range(2):
        world.clock.advance(10)
        server.look()
    assert [fire.status for fire in world.fires()] == [FireStatus.FAILED] * 2
    assert "this text can't be read as a number" in world.fires()[0].reason
