"""A pause, a cancellation or the run's timeout may come at any moment, and in any order."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from order_runs import answer, plan_of
from order_workflows import Scenario, scenarios

from fanwise.conductor import (
    CancelRequested,
    Command,
    EndRun,
    Evaluate,
    Evaluated,
    EvaluationKind,
    Event,
    KeptOutcome,
    PauseRequested,
    Phase,
    Replay,
    RunParked,
    RunResumed,
    RunStarted,
    RunTimedOut,
    SettleTask,
    StartTask,
    State,
    StopTask,
    TaskEnded,
    TaskPaused,
    replay_with,
)
from fanwise.context import WorkflowContext
from fanwise.model import Status, TaskResult
from fanwise.values import FrozenDict

FLOW = plan_of("""
vars: {v: 1}
tasks: [{name: a, action: x.y}, {name: b, action: x.y}]
finally: [{name: c, action: x.y}, {name: d, action: x.y}]
output: {v: "{{ vars.v }}"}
""")
SUCCESS = TaskResult(Status.SUCCEEDED)
CANCELLED = TaskResult(Status.CANCELLED)
TIMEOUT = RunTimedOut(5)

EVENTS: list[Event] = [
    RunStarted(WorkflowContext()),
    Evaluated(EvaluationKind.VARIABLES, value=FrozenDict({"v": 1})),
    *[TaskEnded(number, 1, SUCCESS) for number in range(4)],
    Evaluated(EvaluationKind.OUTPUT, value=1),
]
AT = {  # how many of the events lead there
    Phase.PREPARING: 1,
    Phase.WORKING: 2,
    Phase.CLEANING: 4,
    Phase.CLOSING: 6,
    Phase.OVER: 7,
}


class Interrupted:
    """A run of `FLOW` that stands in a phase, and what is told and started from there on."""

    def __init__(self, phase: Phase) -> None:
        self.replay = Replay(FLOW, State.initial(FLOW.graph, cleanup=2))
        for event in EVENTS[: AT[phase]]:
            self.replay.take(event)
        assert self.replay.state.phase is phase
        self.said: list[Command] = []

    def tell(self, *events: Event) -> None:
        for event in events:
            self.said += self.replay.take(event)

    def go_on(self) -> None:
        """Answer all that is pending, until the run has ended or is paused."""
        while self.replay.pending:
            command, *_ = self.replay.pending
            stopped = {each.task for each in self.replay.pending if isinstance(each, StopTask)}
            match command:
                case StartTask(task=number, visit=visit):
                    result = CANCELLED if number in stopped else SUCCESS
                    self.tell(TaskEnded(number, visit, result))
                case Evaluate(asked=asked):
                    self.tell(Evaluated(asked, value=FrozenDict({"v": 1})))

    @property
    def started(self) -> str:
        return "".join(FLOW.tasks[c.task].name for c in self.said if isinstance(c, StartTask))

    @property
    def settled(self) -> dict[str, Status]:
        settled = [each for each in self.said if isinstance(each, SettleTask)]
        return {FLOW.tasks[each.task].name: each.result.status for each in settled}

    @property
    def end(self) -> EndRun:
        assert self.replay.ended is not None
        return self.replay.ended


@pytest.mark.parametrize(
    ("phase", "then"),
    [(Phase.PREPARING, "abcd"), (Phase.WORKING, "bcd"), (Phase.CLEANING, "d")],
)
def test_a_pause_holds_the_run_up_wherever_it_stands(phase: Phase, then: str) -> None:
    """What runs finishes, nothing else starts; then all that is left does, and each once."""
    run = Interrupted(phase)
    run.tell(PauseRequested(), PauseRequested())
    run.go_on()
    assert (run.started, run.end) == ("", EndRun(Status.PAUSED))
    run.tell(RunResumed())
    run.go_on()
    assert run.started == then
    assert run.end.status is Status.SUCCEEDED


@pytest.mark.parametrize("phase", [Phase.CLOSING, Phase.OVER])
@pytest.mark.parametrize(
    "event", [PauseRequested(), RunParked(), CancelRequested(), TIMEOUT, RunResumed()]
)
def test_a_run_with_nothing_left_to_do_ends_whatever_is_asked(phase: Phase, event: Event) -> None:
    """It is too late to pause or to cancel it, and it ended before its time was up."""
    run = Interrupted(phase)
    run.tell(event)
    run.go_on()
    assert (run.started, run.end.status) == ("", Status.SUCCEEDED)


@pytest.mark.parametrize(
    ("event", "status", "error"),
    [(CancelRequested(), Status.CANCELLED, None), (TIMEOUT, Status.FAILED, "Timeout")],
)
@pytest.mark.parametrize(
    ("phase", "stopped", "then"),
    [(Phase.PREPARING, [], "cd"), (Phase.WORKING, ["a"], "cd"), (Phase.CLEANING, ["c"], "d")],
)
def test_a_run_that_is_to_end_cuts_off_what_runs_and_cleans_up(
    event: Event, status: Status, error: str | None, phase: Phase, stopped: list[str], then: str
) -> None:
    """Wherever it stands; of `finally` too what runs is cut off, and the rest of it goes on."""
    run = Interrupted(phase)
    run.tell(event)
    stops = [each for each in run.said if isinstance(each, StopTask)]
    assert [FLOW.tasks[each.task].name for each in stops] == stopped
    assert all(each.at_once for each in stops)
    run.go_on()
    assert run.started == then
    assert run.end.status is status
    assert (run.end.error and run.end.error.type) == error
    assert {run.settled[name] for name in stopped} <= {Status.CANCELLED}
    assert run.settled["d"] is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("phase", "then"),
    [(Phase.PREPARING, "cd"), (Phase.WORKING, "cd"), (Phase.CLEANING, "d")],
)
def test_a_paused_run_that_is_cancelled_does_nothing_but_clean_up(phase: Phase, then: str) -> None:
    """Nothing happens until it is resumed to that end."""
    run = Interrupted(phase)
    run.tell(PauseRequested())
    run.go_on()
    run.tell(CancelRequested())
    assert not run.replay.pending
    run.tell(RunResumed())
    run.go_on()
    assert (run.started, run.end.status) == (then, Status.CANCELLED)


@pytest.mark.parametrize("phase", [Phase.PREPARING, Phase.WORKING, Phase.CLEANING])
def test_no_time_runs_out_while_a_run_is_paused(phase: Phase) -> None:
    """Nor does anything else that isn't a cancellation change it until it goes on."""
    run = Interrupted(phase)
    run.tell(PauseRequested())
    run.go_on()
    state = run.replay.state
    run.tell(TIMEOUT, PauseRequested(), *EVENTS)
    assert run.replay.state == state
    run.tell(RunResumed())
    run.go_on()
    assert run.end.status is Status.SUCCEEDED


@pytest.mark.parametrize("event", [CancelRequested(), TIMEOUT])
def test_a_pause_after_the_run_was_to_end_holds_its_clean_up_up(event: Event) -> None:
    """What was cut off has ended by then; the clean-up runs when the run goes on."""
    run = Interrupted(Phase.WORKING)
    run.tell(event, PauseRequested())
    run.go_on()
    assert (run.started, run.end) == ("", EndRun(Status.PAUSED))
    run.tell(RunResumed())
    run.go_on()
    assert run.started == "cd"
    assert run.end.status is (Status.FAILED if event is TIMEOUT else Status.CANCELLED)


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([CancelRequested(), TIMEOUT], Status.CANCELLED),
        ([TIMEOUT, CancelRequested()], Status.FAILED),
        ([CancelRequested(), CancelRequested()], Status.CANCELLED),
    ],
)
def test_of_several_reasons_to_end_the_first_counts(events: list[Event], status: Status) -> None:
    """What runs is told once to end, and the clean-up after it isn't told at all."""
    run = Interrupted(Phase.WORKING)
    run.tell(*events)
    run.tell(TaskEnded(0, 1, CANCELLED), *events)
    assert [each.task for each in run.said if isinstance(each, StopTask)] == [0]
    run.go_on()
    assert (run.started, run.end.status) == ("cd", status)


def test_a_task_of_finally_that_was_held_starts_again_as_the_same_visit() -> None:
    """As any other does."""
    run = Interrupted(Phase.CLEANING)
    run.tell(PauseRequested(), TaskPaused(2, 1))
    assert run.end == EndRun(Status.PAUSED)
    run.tell(RunResumed())
    assert [(each.task, each.visit) for each in run.replay.pending] == [(2, 1)]
    run.go_on()
    assert (run.started, run.end.status) == ("cd", Status.SUCCEEDED)


# join: N, where the order of events decides

RACE = plan_of("""
tasks:
  - {name: start, action: x.y, next: [{do: [slow, fast]}]}
  - {name: slow, action: x.y, next: [{do: first}]}
  - {name: fast, action: x.y, next: [{do: first}]}
  - {name: first, action: x.y, join: 1}
""")


@pytest.mark.parametrize("order", [("slow", "fast"), ("fast", "slow")])
def test_a_join_of_some_ways_takes_those_that_were_kept_first(order: tuple[str, str]) -> None:
    """When a run is told anew its outcomes come in the order in which they were recorded."""
    at = {"start": 0, **{name: place for place, name in enumerate(order, 1)}}

    def outcome_of(command: StartTask) -> KeptOutcome | None:
        name = RACE.tasks[command.task].name
        if name == "first":
            return None
        result = TaskResult(Status.SUCCEEDED, output=name)
        return KeptOutcome(at[name], TaskEnded(command.task, command.visit, result))

    def evaluate(command: Evaluate) -> Evaluated:
        raise AssertionError("there is nothing to evaluate")

    replay, steps = replay_with(
        RACE, State.initial(RACE.graph), WorkflowContext(), outcome_of, evaluate
    )
    (first,) = replay.pending
    assert isinstance(first, StartTask)
    assert first.context.task_results[order[0]].output == order[0]
    assert order[1] not in _seen(first.context)
    again = Replay(RACE, State.initial(RACE.graph))
    for event, said in steps:
        assert again.take(event) == said
    assert again.state == replay.state


def _seen(context: WorkflowContext) -> set[str]:
    return {
        name
        for name in ("start", "slow", "fast")
        if context.task_results[name].status is Status.SUCCEEDED
    }


# any workflow, any interruptions

INTERRUPTIONS = st.dictionaries(
    st.integers(1, 25),
    st.sampled_from([PauseRequested(), RunParked(), CancelRequested(), TIMEOUT]),
    max_size=4,
)
CRASHES = st.sets(st.integers(1, 30), max_size=4)


class Disturbed:
    """A run that is interrupted, and that dies, and goes on each time until it is over."""

    def __init__(self, scenario: Scenario, arrivals: list[int], held: set[int]) -> None:
        self._scenario = scenario
        self._arrivals = arrivals
        self._held = held  # at these events a task that is being paused stops in its middle
        self.events: list[Event] = []
        self.said: list[Command] = []
        plan = plan_of(scenario.text)
        self._plan = plan
        self._start = State.initial(plan.graph, len(scenario.cleanup))
        self.replay = Replay(plan, self._start)

    def run(self, interruptions: dict[int, Event], crashes: Iterable[int]) -> None:
        event: Event = RunStarted(WorkflowContext())
        while True:
            self._take(event)
            now = len(self.events)
            if now in crashes:
                self._die()
            if now in interruptions:
                self._take(interruptions[now])
            if self.replay.state.phase is Phase.OVER:
                return
            assert now < 2_000, "the run never comes to its end"
            event = self._next_event()

    def _take(self, event: Event) -> None:
        self.events.append(event)
        self.said += self.replay.take(event)

    def _die(self) -> None:
        """The process dies; another one replays what is recorded, and goes on."""
        replay = Replay(self._plan, self._start)
        for event in self.events:
            replay.take(event)
        assert replay.state == self.replay.state
        self.replay = replay
        self._take(RunResumed())

    def _next_event(self) -> Event:
        """An answer to what is pending; a paused run goes on."""
        pending = self.replay.pending
        if self.replay.state.is_paused:
            assert not pending
            return RunResumed()
        assert pending, "nothing would ever happen any more"
        asked = [each for each in pending if not isinstance(each, StopTask)]
        stopped = {each.task for each in pending if isinstance(each, StopTask)}
        number = len(self.events)
        command = asked[self._arrivals[number % len(self._arrivals)] % len(asked)]
        if isinstance(command, StartTask) and command.task in stopped:
            return TaskEnded(command.task, command.visit, CANCELLED)
        if isinstance(command, StartTask) and self.replay.state.is_pausing and number in self._held:
            return TaskPaused(command.task, command.visit)
        event = answer(self._scenario, command)
        assert event is not None
        return event


@settings(deadline=None, max_examples=300)
@given(
    scenarios(fails=True, early=True, crowds=True),
    st.lists(st.integers(0, 5), min_size=1, max_size=8),
    st.sets(st.integers(1, 40)),
    INTERRUPTIONS,
    CRASHES,
)
def test_a_run_comes_to_its_end_however_often_it_is_interrupted_and_dies(
    scenario: Scenario,
    arrivals: list[int],
    held: set[int],
    interruptions: dict[int, Event],
    crashes: set[int],
) -> None:
    """Each task is settled, each visit once, and started again only after it was held.

    The first of a cancellation, the timeout and `fail` says how it ends, and `finally` always runs.
    """
    run = Disturbed(scenario, arrivals, held)
    run.run(interruptions, crashes)
    ends = [each for each in run.said if isinstance(each, EndRun)]
    assert all(end.status in (Status.PAUSED, Status.WAITING) for end in ends[:-1])
    stop = run.replay.state.stop
    assert ends[-1].status in ({stop} if stop else {Status.SUCCEEDED, Status.FAILED})
    # What was held before its first visit came to an end is settled as if it had never started.
    settled = [(each.task, each.visit or 1) for each in run.said if isinstance(each, SettleTask)]
    assert len(settled) == len(set(settled))
    assert {task for task, _ in settled} == set(range(len(scenario.all_steps)))
    started = [(each.task, each.visit) for each in run.said if isinstance(each, StartTask)]
    held_visits = [(each.task, each.visit) for each in run.events if isinstance(each, TaskPaused)]
    for visit in set(started):
        assert started.count(visit) <= 1 + held_visits.count(visit)
        assert visit in settled
