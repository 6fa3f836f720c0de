"""What earlier versions have recorded leads to the same decisions, and runs go on from it.

Each recording in `golden` is the export of one run, made once by the recipe beside it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast, get_args

import msgspec
import pytest
from msgspec.structs import replace

from fanwise.conductor import Evaluate, Evaluated, EvaluationKind, Replay, SettleTask, StartTask
from fanwise.engine import Engine
from fanwise.engine.evaluate import evaluate_asked
from fanwise.engine.recovery.history import History, read_history
from fanwise.engine.run_factory import RunFactory
from fanwise.engine.starting_point import first_state
from fanwise.errors import StoreError
from fanwise.model import (
    ItemOutcome,
    Limits,
    LogEntry,
    Record,
    RecordedEvent,
    Run,
    RunRecord,
    Status,
    VisitRecord,
    Wait,
)
from fanwise.plan import Plan
from fanwise.system import EnvironmentSecrets, SystemClock
from fanwise.testing.chance import FixedChance
from fanwise.testing.jumping_loop import JumpingLoop
from fanwise.testing.stores import MemoryStore
from fanwise.values import decode
from fanwise.wiring import Settings, build_engine, load_recorded

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.jsonl"))
SETTINGS = Settings(store="")
SECRETS = {"fan_out": {"token": "hunter2"}}

KINDS: dict[str, type[Record]] = {
    "run": RunRecord,
    "visit": VisitRecord,
    "task": VisitRecord,  # in format 1
    "event": RecordedEvent,
    "item": ItemOutcome,
    "log": LogEntry,
    "wait": Wait,
}


def read_line(line: str) -> Record:
    """The record of a line of an export."""
    data = json.loads(line)
    kind = KINDS[data.pop("kind")]
    if kind is RunRecord:
        assert data.pop("format") in (1, 2)
    elif kind is RecordedEvent:
        data["kind"] = data.pop("name")
    if "task_no" in data:  # in format 1
        data["visit_no"] = data.pop("task_no")
    for field in msgspec.structs.fields(kind):
        holds_json = field.type is bytes or bytes in get_args(field.type)
        if holds_json and data.get(field.name) is not None:
            data[field.name] = msgspec.json.encode(data[field.name])
    return msgspec.convert({"run_no": 0, **data}, kind, builtin_types=(bytes,))


class Golden:
    """A recording, in a store of its own, with the plan of its workflow."""

    def __init__(self, name: str) -> None:
        path = next(path for path in GOLDEN if path.stem == name)
        record, *rest = map(read_line, path.read_text("utf-8").splitlines())
        assert isinstance(record, RunRecord)
        self.store = MemoryStore()
        self.record = replace(record, run_no=self.store.create_run(record))
        found = [replace(each, run_no=self.record.run_no) for each in rest]
        # A wait is opened once more when its run is resumed.
        self.store.commit([each for each in found if not isinstance(each, Wait)])
        self.plan: Plan = load_recorded(record, SETTINGS)
        self.secrets = SECRETS.get(name, {})

    def history(self) -> History:
        maker = RunFactory(SystemClock(), FixedChance(), EnvironmentSecrets({}))
        job = maker.recorded(self.plan, self.record, self.secrets)
        return read_history(self.plan, self.record, job.context, self.store)

    def go_on(self, how: Callable[[Engine], Awaitable[Run]]) -> Run:
        """What comes of the run, on a loop whose time jumps."""

        async def work() -> Run:
            loop = cast("JumpingLoop", asyncio.get_running_loop())
            return await how(build_engine(self.store, SETTINGS, clock=loop, chance=FixedChance()))

        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            return runner.run(work())

    def rows(self) -> list[Record]:
        """All that is recorded apart from the run itself."""
        return list(self.store.export(self.record.id))[1:]


@pytest.fixture(params=[path.stem for path in GOLDEN])
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(request.param)


def test_there_is_a_recording_of_each_kind_of_event() -> None:
    """And of runs that stand at each status, but for those that nothing is recorded of."""
    goldens = [Golden(path.stem) for path in GOLDEN]
    kinds = {event.kind for each in goldens for event in each.store.events(each.record.run_no)}
    assert kinds == {
        *("CancelRequested", "Evaluated", "PauseRequested", "RunParked", "RunResumed"),
        *("RunStarted", "RunTimedOut", "TaskEnded", "TaskPaused", "VisitsAdvanced"),
    }
    assert {each.record.status for each in goldens} == {
        *(
            Status.RUNNING,
            Status.WAITING,
            Status.PAUSED,
            Status.SUCCEEDED,
            Status.FAILED,
            Status.CANCELLED,
        )
    }


def test_recorded_events_lead_where_they_led(golden: Golden) -> None:
    """Each visit ends as its row says, and the run as it did; what is pending is what ran."""
    history = golden.history()
    replay = Replay(golden.plan, first_state(golden.plan))
    settled: dict[tuple[int, int], Status] = {}
    for event in history.events:
        for command in replay.take(event):
            if isinstance(command, SettleTask):
                settled[command.task, max(command.visit, 1)] = command.result.status
    ended = {key: row.status for key, row in history.visits.items() if row.ended_at}
    assert settled.items() <= ended.items()
    assert {number for number, _ in settled} == {number for number, _ in ended}
    started = {(each.task, each.visit) for each in replay.pending if isinstance(each, StartTask)}
    running = {key for key, row in history.visits.items() if row.status is Status.RUNNING}
    assert started == running
    if golden.record.status is Status.RUNNING:
        assert replay.ended is None
        assert started
    else:
        assert replay.ended is not None
        assert replay.ended.status is golden.record.status
        assert replay.ended.error == golden.record.error


def test_what_templates_gave_they_give_still(golden: Golden) -> None:
    """Evaluated where they stood, with what they saw there."""
    replay = Replay(golden.plan, first_state(golden.plan))
    for event in golden.history().events:
        if isinstance(event, Evaluated):
            (asked,) = [
                each
                for each in replay.pending
                if isinstance(each, Evaluate) and each.task == event.task
            ]
            assert asked.asked is event.asked
            found = evaluate_asked(golden.plan, asked, Limits())
            if event.asked is EvaluationKind.OUTPUT:  # it stands in the run's row
                assert found == decode(golden.record.output or b"null")
            else:
                assert found == event.value
        replay.take(event)


@pytest.mark.parametrize("name", ["paused", "interrupted", "cancelled", "failed"])
def test_a_recorded_run_goes_on_to_its_end(name: str) -> None:
    """What was recorded as done isn't done again."""
    golden = Golden(name)
    done = [
        each
        for each in golden.rows()
        if isinstance(each, VisitRecord | ItemOutcome) and each.status is Status.SUCCEEDED
    ]
    repaired = golden.record.definition.replace("core.fail", "core.echo")
    plan = load_recorded(replace(golden.record, definition=repaired), SETTINGS)

    def go_on(engine: Engine) -> Awaitable[Run]:
        if name in ("paused", "interrupted"):
            return engine.aresume(golden.plan, golden.record)
        return engine.aretry(plan, golden.record, recorded=golden.plan)

    run = golden.go_on(go_on)
    assert run.status is Status.SUCCEEDED
    assert run.output == ("succeeded" if name == "failed" else 30)
    after = golden.rows()
    assert all(each in after for each in done if getattr(each, "path", "") != "clean")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("RunForked", {}),
        ("RunResumed", {"on": "elsewhere"}),
        ("Evaluated", {"asked": "budget", "value": 1}),
        ("TaskEnded", {"task": 9, "visit": 1, "status": "succeeded", "error": None, "items": None}),
        ("TaskEnded", {"task": 1, "visit": 1, "status": "postponed", "error": None, "items": None}),
    ],
)
def test_what_a_newer_version_has_recorded_is_refused(kind: str, data: dict[str, Any]) -> None:
    """An unknown event, field, word or task: the error names the event, and the way on."""
    golden = Golden("interrupted")
    event = RecordedEvent(golden.record.run_no, 4, kind, msgspec.json.encode(data))
    golden.store.commit([event])
    before = golden.rows()
    with pytest.raises(StoreError) as caught:
        golden.go_on(lambda engine: engine.aresume(golden.plan, golden.record))
    assert str(caught.value) == (
        "run golden was recorded by a newer version of fanwise: "
        f"this one can't read its event 4, {kind}. Upgrade fanwise."
    )
    assert golden.rows() == before
    lease = golden.store.lease(golden.record.run_no)
    assert lease is not None
    assert lease.owner is None


def test_a_recorded_run_that_waits_is_answered() -> None:
    """It asks once more, and goes on with the answer."""
    golden = Golden("waiting")
    run = golden.go_on(lambda engine: engine.aresume(golden.plan, golden.record))
    assert run.status is Status.WAITING
    given = b'{"choice":"approve","answer":{}}'
    golden.store.answer_wait(golden.record.run_no, "ask", 1, given, by="ada", via="cli")
    run = golden.go_on(lambda engine: engine.aresume(golden.plan, golden.record))
    assert (run.status, run.output) == (Status.SUCCEEDED, "approve")
