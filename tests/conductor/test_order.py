"""What the conductor promises of order and of data, for generated workflows of every shape.

Where a promise is that timing has no influence, three things are left out because it has some there
by design: `fail`, after which what has not started is cancelled; `join: N`, where the first N ways
count; and a loop in which several visits are due at once, which see each other's results.
"""

from __future__ import annotations

from functools import partial

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from order_model import Prediction
from order_runs import RunOfScenario, answer, run_scenario
from order_workflows import FAIL, Scenario, scenarios

from fanwise.conductor import (
    CancelRequested,
    EndRun,
    Evaluate,
    Evaluated,
    Event,
    KeptOutcome,
    PauseRequested,
    Phase,
    Replay,
    RunResumed,
    RunTimedOut,
    SettleTask,
    StartTask,
    State,
    TaskEnded,
    TaskPaused,
    TaskStage,
    VisitsAdvanced,
    decide,
    replay_with,
)
from fanwise.context import WorkflowContext
from fanwise.model import Status

ARRIVALS = st.lists(st.integers(0, 5), min_size=1, max_size=8)
ANY = scenarios(fails=True, early=True, crowds=True)
TIMELESS = scenarios()


@st.composite
def runs(draw: st.DrawFn) -> RunOfScenario:
    """Runs of any workflow, some of which are paused or cancelled, or take too long."""
    asked = [None, None, PauseRequested(), CancelRequested(), RunTimedOut(5)]
    interruption = draw(st.sampled_from(asked))
    after = draw(st.integers(1, 15))
    return run_scenario(draw(ANY), draw(ARRIVALS), interruption=interruption, after=after)


def predicted(scenario: Scenario) -> Prediction:
    """What the model says, of scenarios of which it can say something."""
    prediction = Prediction(scenario)
    assume(not prediction.is_crowded)
    return prediction


@settings(deadline=None, max_examples=150)
@given(ANY, ARRIVALS)
def test_a_run_that_was_led_to_fail_says_the_message_of_that_transition(
    scenario: Scenario, arrivals: list[int]
) -> None:
    """Without a message it says which task led there."""
    run = run_scenario(scenario, arrivals)
    for end in run.ends:
        if end.error is not None and end.error.type == "Failed":
            leader = end.error.data["task"]
            (step,) = (each for each in scenario.steps if each.name == leader)
            (way,) = (each for each in step.ways if FAIL in each.targets)
            assert end.error.message == (way.says or f'task "{leader}" led to fail')


@settings(deadline=None, max_examples=250)
@given(TIMELESS, ARRIVALS)
def test_what_happens_is_what_the_rules_say(scenario: Scenario, arrivals: list[int]) -> None:
    """Statuses, what each task sees, and the run's end are those that the plain model works out."""
    prediction = predicted(scenario)
    run = run_scenario(scenario, arrivals)
    assert run.statuses == prediction.statuses
    assert run.seen == prediction.seen
    assert run.seen_at_end == prediction.seen_at_end
    (end,) = run.ends
    is_failed = bool(prediction.failures or scenario.breaks)
    assert end.status == (Status.FAILED if is_failed else Status.SUCCEEDED)
    if prediction.failures:
        listed = [step.name for step in scenario.all_steps if step.name in prediction.failures]
        assert end.error is not None
        assert end.error.data["task"] == listed[0]


@settings(deadline=None, max_examples=120)
@given(TIMELESS, ARRIVALS, ARRIVALS)
def test_the_order_in_which_events_arrive_changes_nothing(
    scenario: Scenario, arrivals: list[int], others: list[int]
) -> None:
    """What a run computes depends on outcomes, never on timing."""
    predicted(scenario)
    one, other = run_scenario(scenario, arrivals), run_scenario(scenario, others)
    assert one.statuses == other.statuses
    assert one.seen == other.seen
    assert one.seen_at_end == other.seen_at_end
    assert one.ends == other.ends


@settings(deadline=None)
@given(runs())
def test_every_run_ends_once(run: RunOfScenario) -> None:
    """When nothing is due any more the run is over, whatever its shape and however it went."""
    assert len(run.ends) == 1
    assert run.states[-1].phase is Phase.OVER or run.states[-1].is_paused


@settings(deadline=None)
@given(runs())
def test_when_a_run_has_ended_every_visit_and_every_task_is_settled(run: RunOfScenario) -> None:
    """No task is forgotten, none is settled twice for one visit, and none runs on."""
    for name, visits in run.statuses.items():
        numbers = [visit for visit, _ in visits]
        assert len(numbers) == len(set(numbers)), name
        started = {visit for task, visit in run.seen if task == name}
        if run.ends[0].status is not Status.PAUSED:
            assert numbers, name
            assert started <= {visit or 1 for visit in numbers}


@settings(deadline=None)
@given(runs())
def test_only_what_a_stop_prevents_is_cancelled(run: RunOfScenario) -> None:
    """A run that nobody stops and that reaches no `fail` comes to the end of every path."""
    statuses = {status for visits in run.statuses.values() for _, status in visits}
    if run.states[-1].stop is None:
        assert Status.CANCELLED not in statuses
    if run.states[-1].stop is not None and not run.states[-1].is_paused:
        assert run.ends[0].status is run.states[-1].stop


@settings(deadline=None)
@given(runs())
def test_replaying_the_events_gives_the_same_states(run: RunOfScenario) -> None:
    """Invariant 7, at every event and not only at the end."""
    state = State.initial(run.plan.graph, len(run.scenario.cleanup))
    for event, expected, said in zip(run.events, run.states[1:], run.said, strict=True):
        state, commands = decide(run.plan, state, event)
        assert state == expected
        assert commands == said


@settings(deadline=None)
@given(runs())
def test_a_duplicate_event_changes_nothing(run: RunOfScenario) -> None:
    """Every event can come again at any later point, unless a pause has undone what it said."""
    for at, event in enumerate(run.events):
        for state in run.states[at + 1 :]:
            if not _is_put_back(state, event):
                assert decide(run.plan, state, event) == (state, ())


def _is_put_back(state: State, event: Event) -> bool:
    """Whether a pause has put the task back, so that the same visit may come again."""
    if not isinstance(event, TaskEnded | TaskPaused | Evaluated) or event.task < 0:
        return False
    return state.tasks[event.task].visit < event.visit


@settings(deadline=None)
@given(runs())
def test_a_run_that_is_not_over_waits_for_something(run: RunOfScenario) -> None:
    """Something is running or being evaluated at every moment before the end."""
    pending = 0
    for event, state, said in zip(run.events, run.states[1:], run.said, strict=True):
        pending -= isinstance(event, Evaluated | TaskEnded | TaskPaused)
        pending += sum(isinstance(command, Evaluate | StartTask) for command in said)
        assert state.phase is Phase.OVER or state.is_paused or pending > 0


@settings(deadline=None)
@given(ANY, ARRIVALS, st.integers(1, 15))
def test_a_paused_run_has_only_left_what_had_not_started(
    scenario: Scenario, arrivals: list[int], after: int
) -> None:
    """Nothing is in the middle of a visit, and something is left to go on with."""
    run = run_scenario(scenario, arrivals, interruption=PauseRequested(), after=after)
    state = run.states[-1]
    assume(run.ends == [EndRun(Status.PAUSED)])
    assert state.active == 0
    assert {task.stage for task in state.tasks} <= {TaskStage.WAITING, TaskStage.ENDED}
    unsettled = any(result is None for result in state.results)
    assert unsettled or any(loop.busy for loop in state.loops.values())


@settings(deadline=None, max_examples=120)
@given(TIMELESS, ARRIVALS, st.integers(1, 15))
def test_what_a_pause_leaves_undone_is_left_undone_and_the_rest_stays(
    scenario: Scenario, arrivals: list[int], after: int
) -> None:
    """All that was settled by then is as without the pause; a run with something left is paused."""
    prediction = predicted(scenario)
    run = run_scenario(scenario, arrivals, interruption=PauseRequested(), after=after)
    is_paused = run.ends[0].status is Status.PAUSED
    for name, visits in run.statuses.items():
        assert visits == prediction.statuses[name][: len(visits) if is_paused else None]
    assert run.seen.items() <= prediction.seen.items() if is_paused else run.seen == prediction.seen


@settings(deadline=None)
@given(runs())
def test_nothing_starts_after_fail(run: RunOfScenario) -> None:
    """Once `fail` was reached only what runs goes on, and then `finally`."""
    graph_tasks = len(run.plan.graph.names)
    for state, said in zip(run.states[1:], run.said, strict=True):
        if state.stop is Status.FAILED:
            started = [each.task for each in said if isinstance(each, StartTask)]
            assert all(number >= graph_tasks for number in started)


@settings(deadline=None)
@given(runs())
def test_finally_runs_in_order_however_the_run_ended(run: RunOfScenario) -> None:
    """Each of its tasks is settled after the one before, unless a pause came before it."""
    names = [step.name for step in run.scenario.cleanup]
    settled = [
        run.plan.tasks[each.task].name for each in run.commands if isinstance(each, SettleTask)
    ]
    assert [name for name in settled if name in names] == names[: len(names)] or (
        run.ends[0].status is Status.PAUSED
    )
    if run.ends[0].status is not Status.PAUSED and names:
        assert settled[-len(names) :] == names


@settings(deadline=None, max_examples=120)
@given(TIMELESS, ARRIVALS, st.integers(1, 15))
def test_a_run_that_is_paused_and_resumed_ends_as_if_nothing_had_happened(
    scenario: Scenario, arrivals: list[int], after: int
) -> None:
    """Nothing runs twice, nothing is left out, and the end is the same."""
    prediction = predicted(scenario)
    paused = run_scenario(scenario, arrivals, interruption=PauseRequested(), after=after)
    assume(paused.ends == [EndRun(Status.PAUSED)])
    run = resumed(scenario, paused, [RunResumed()])
    assert run.statuses == prediction.statuses
    assert run.seen == prediction.seen
    assert run.seen_at_end == prediction.seen_at_end


@settings(deadline=None, max_examples=120)
@given(TIMELESS, ARRIVALS, st.integers(1, 15))
def test_a_run_that_is_interrupted_at_any_event_goes_on_with_what_is_pending(
    scenario: Scenario, arrivals: list[int], after: int
) -> None:
    """What a replay of the first events says is still to be done leads to the same end."""
    prediction = predicted(scenario)
    run = run_scenario(scenario, arrivals)
    kept = run.events[:after]
    replay = Replay(run.plan, run.states[0])
    said = [replay.take(event) for event in kept]
    assert replay.state == run.states[len(kept)]
    due = [each for each in map(partial(answer, scenario), replay.pending) if each is not None]
    cut = RunOfScenario(scenario, run.plan, list(kept), [run.states[0], replay.state], said)
    again = resumed(scenario, cut, [RunResumed(), *due])
    assert again.statuses == prediction.statuses
    assert again.seen == prediction.seen
    assert len(again.ends) == 1


@settings(deadline=None, max_examples=120)
@given(TIMELESS, ARRIVALS, st.sets(st.integers(0, 15)), st.booleans())
def test_a_run_that_is_told_anew_keeps_what_it_is_to_keep_and_asks_for_the_rest(
    scenario: Scenario, arrivals: list[int], forgotten: set[int], renumbers: bool
) -> None:
    """Whatever is kept isn't asked for again, and what is computed stays the same."""
    prediction = predicted(scenario)
    run = run_scenario(scenario, arrivals)
    ends = [event for event in run.events if isinstance(event, TaskEnded)]
    kept = {
        (event.task, event.visit): KeptOutcome(order, event)
        for order, event in enumerate(ends)
        if order not in forgotten
    }
    asked: list[Evaluated] = []

    def evaluate(command: Evaluate) -> Evaluated:
        said = answer(scenario, command)
        assert isinstance(said, Evaluated)
        asked.append(said)
        return said

    replay, steps = replay_with(
        run.plan,
        run.states[0],
        WorkflowContext(),
        lambda command: kept.get((command.task, command.visit)),
        evaluate,
    )
    started = [(each.task, each.visit) for each in replay.pending if isinstance(each, StartTask)]
    assert not kept.keys() & set(started)
    if renumbers:  # as for visits that are made again, up to ten after those of before
        last = tuple((number, 10) for number in range(len(run.plan.tasks)))
        replay.take(VisitsAdvanced(last))
        again = [(each.task, each.visit) for each in replay.pending if isinstance(each, StartTask)]
        waiting = {each.task for each in replay.pending if isinstance(each, Evaluate)}
        assert {task for task, _ in started} == {task for task, _ in again} | waiting - {-1}
        assert all(visit == 11 for _, visit in again)
        return
    told = RunOfScenario(scenario, run.plan)
    told.events, told.said = [event for event, _ in steps], [said for _, said in steps]
    told.states = [run.states[0], replay.state]
    due = [each for each in map(partial(answer, scenario), replay.pending) if each is not None]
    again = resumed(scenario, told, due)
    assert again.statuses == prediction.statuses
    assert again.seen == prediction.seen
    assert again.seen_at_end == prediction.seen_at_end


def resumed(scenario: Scenario, run: RunOfScenario, due: list[Event]) -> RunOfScenario:
    """The same run, carried on from its last state with the events that are due."""
    state = run.states[-1]
    again = RunOfScenario(scenario, run.plan, list(run.events), [*run.states], list(run.said))
    while due:
        event = due.pop(0)
        state, commands = decide(run.plan, state, event)
        again.events.append(event)
        again.states.append(state)
        again.said.append(commands)
        due += filter(None, (answer(scenario, command) for command in commands))
    return again
