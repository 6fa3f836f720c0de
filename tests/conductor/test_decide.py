"""What the conductor promises, for every workflow in listed order and every order of events."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.catalog import ActionSpec, Runs
from weft.conductor import (
    Asked,
    Command,
    EndRun,
    Evaluate,
    Evaluated,
    Event,
    PauseRequested,
    Phase,
    RunStarted,
    RunTimedOut,
    SettleTask,
    Stage,
    StartTask,
    State,
    StopTask,
    TaskEnded,
    TaskPaused,
    decide,
)
from weft.context import WorkflowContext
from weft.definition import load
from weft.model import ErrorInfo, Status, TaskResult
from weft.plan import Plan, compile_plan

CONTEXT = WorkflowContext(parameters={"size": 3})
BOOM = ErrorInfo("Boom", "it broke")
SUCCESS = TaskResult(Status.SUCCEEDED, output={"n": 1})
FAILURE = TaskResult(Status.FAILED, error=BOOM)


class AnyAction:
    """A catalog in which every name is an action that takes anything."""

    def get(self, name: str) -> ActionSpec:
        return ActionSpec(name, lambda **_: None, Runs.ASYNC, {}, open_input=True)

    def names(self) -> list[str]:
        return []


def plan_of(text: str) -> Plan:
    return compile_plan(load(text, file="flow.yaml"), AnyAction())


TWO = plan_of("tasks: [{name: a, action: x.y}, {name: b, action: x.y}]")


def run(plan: Plan, *events: Event) -> tuple[State, list[tuple[Command, ...]]]:
    """The state after these events, and what was commanded after each."""
    state, said = State.initial(plan.graph), []
    for event in events:
        state, commands = decide(plan, state, event)
        said.append(commands)
    return state, said


def kinds(commands: tuple[Command, ...]) -> list[str]:
    return [type(command).__name__ for command in commands]


def test_tasks_run_one_after_the_other_in_the_order_listed() -> None:
    """The second task starts when the first has succeeded, and the run ends with the last."""
    _, said = run(TWO, RunStarted(CONTEXT), TaskEnded(0, 1, SUCCESS), TaskEnded(1, 1, SUCCESS))
    assert said[0] == (StartTask(0, 1, CONTEXT),)
    assert kinds(said[1]) == ["SettleTask", "StartTask"]
    assert said[1][1].task == 1
    assert said[2][-1] == EndRun(Status.SUCCEEDED)


def test_a_task_sees_the_results_before_it_and_shares_them() -> None:
    """The context that is handed on holds the very object that the first task gave."""
    output = {"rows": [1, 2]}
    ended = TaskEnded(0, 1, TaskResult(Status.SUCCEEDED, output=output))
    _, said = run(TWO, RunStarted(CONTEXT), ended)
    start = said[1][1]
    assert isinstance(start, StartTask)
    assert start.context.task_results["a"].output is output
    assert start.context.parameters is CONTEXT.parameters


def test_the_context_is_immutable() -> None:
    """Invariant 1: what the first task saw doesn't change when it ends."""
    _, said = run(TWO, RunStarted(CONTEXT), TaskEnded(0, 1, SUCCESS))
    assert said[0][0].context.task_results == {}


def test_an_unhandled_failure_blocks_what_follows_and_fails_the_run() -> None:
    """The second task is blocked, and the run's error names the task that failed."""
    _, said = run(TWO, RunStarted(CONTEXT), TaskEnded(0, 1, FAILURE))
    assert said[1] == (
        SettleTask(0, 1, FAILURE),
        SettleTask(1, 0, TaskResult(Status.BLOCKED)),
        EndRun(
            Status.FAILED,
            None,
            ErrorInfo(
                "TaskFailed", 'task "a" failed: Boom: it broke', {"task": "a", "type": "Boom"}
            ),
        ),
    )


def test_a_handled_failure_takes_the_way_of_success() -> None:
    """With `on-error: continue` the next task starts and the run succeeds."""
    _, said = run(
        TWO,
        RunStarted(CONTEXT),
        TaskEnded(0, 1, FAILURE, handled=True),
        TaskEnded(1, 1, SUCCESS),
    )
    assert kinds(said[1]) == ["SettleTask", "StartTask"]
    assert said[1][1].context.task_results["a"].status == "failed"
    assert said[2][-1] == EndRun(Status.SUCCEEDED)


def test_a_false_when_skips_the_task_and_passes_control_on() -> None:
    """A skipped task is no failure: what follows starts."""
    plan = plan_of(
        "parameters: {size: {type: integer}}\n"
        'tasks: [{name: a, action: x.y, when: "{{ parameters.size > 5 }}"},\n'
        "        {name: b, action: x.y}]"
    )
    _, said = run(plan, RunStarted(CONTEXT), Evaluated(Asked.WHEN, 0, 1, value=False))
    assert said[0] == (Evaluate(Asked.WHEN, CONTEXT, 0, 1),)
    assert kinds(said[1]) == ["SettleTask", "StartTask"]
    assert said[1][0].result.status is Status.SKIPPED
    assert said[1][1].context.task_results["a"].status is Status.SKIPPED


def test_published_variables_are_seen_by_the_tasks_after() -> None:
    """Publishing happens on success, before what follows starts."""
    plan = plan_of(
        'tasks: [{name: a, action: x.y, publish: {n: "{{ result().n }}"}}, {name: b, action: x.y}]'
    )
    _, said = run(
        plan,
        RunStarted(CONTEXT),
        TaskEnded(0, 1, SUCCESS),
        Evaluated(Asked.PUBLISH, 0, 1, value={"n": 1}),
    )
    assert said[1] == (Evaluate(Asked.PUBLISH, CONTEXT, 0, 1, SUCCESS),)
    assert said[2][1].context.variables == {"n": 1}


def test_a_publish_that_fails_fails_its_task() -> None:
    """The action succeeded, but the task did not."""
    plan = plan_of('tasks: [{name: a, action: x.y, publish: {n: "{{ result().n }}"}}]')
    _, said = run(
        plan,
        RunStarted(CONTEXT),
        TaskEnded(0, 1, SUCCESS),
        Evaluated(Asked.PUBLISH, 0, 1, error=BOOM),
    )
    assert said[2][0] == SettleTask(0, 1, FAILURE)
    assert said[2][1].status is Status.FAILED


def test_variables_are_evaluated_before_the_first_task() -> None:
    """Tasks see them from the start; if one can't be computed, nothing runs."""
    plan = plan_of("vars: {n: 1}\ntasks: [{name: a, action: x.y}]")
    _, good = run(plan, RunStarted(CONTEXT), Evaluated(Asked.VARIABLES, value={"n": 1}))
    assert good[0] == (Evaluate(Asked.VARIABLES, CONTEXT),)
    assert good[1][0].context.variables == {"n": 1}
    _, bad = run(plan, RunStarted(CONTEXT), Evaluated(Asked.VARIABLES, error=BOOM))
    assert bad[1] == (
        SettleTask(0, 0, TaskResult(Status.CANCELLED)),
        EndRun(Status.FAILED, None, BOOM),
    )


def test_the_output_is_asked_for_however_the_run_ends() -> None:
    """After a failure entries that can't be computed may be null; after success they may not."""
    plan = plan_of('tasks: [{name: a, action: x.y}]\noutput: {n: "{{ task.a.output.n }}"}')
    _, good = run(plan, RunStarted(CONTEXT), TaskEnded(0, 1, SUCCESS))
    _, bad = run(plan, RunStarted(CONTEXT), TaskEnded(0, 1, FAILURE))
    assert (good[1][1].asked, good[1][1].nullable) == (Asked.OUTPUT, False)
    assert (bad[1][1].asked, bad[1][1].nullable) == (Asked.OUTPUT, True)
    _, failed = run(
        plan,
        RunStarted(CONTEXT),
        TaskEnded(0, 1, SUCCESS),
        Evaluated(Asked.OUTPUT, error=BOOM),
    )
    assert failed[2] == (EndRun(Status.FAILED, None, BOOM),)


def test_a_pause_starts_nothing_new_and_waits_for_what_runs() -> None:
    """The running task is told, and the run is paused once it has ended."""
    _, said = run(TWO, RunStarted(CONTEXT), PauseRequested(), TaskEnded(0, 1, SUCCESS))
    assert said[1] == (StopTask(0, 1, at_once=False),)
    assert kinds(said[2]) == ["SettleTask", "EndRun"]
    assert said[2][1].status is Status.PAUSED


def test_a_task_that_was_paused_in_the_middle_keeps_its_visit() -> None:
    """Its idempotency keys must not change when it goes on."""
    state, said = run(TWO, RunStarted(CONTEXT), PauseRequested(), TaskPaused(0, 1))
    assert said[2] == (EndRun(Status.PAUSED),)
    assert (state.tasks[0].stage, state.tasks[0].visit) == (Stage.WAITING, 0)


def test_a_pause_during_the_last_task_lets_the_run_end() -> None:
    """There is nothing left that could be paused."""
    plan = plan_of("tasks: [{name: a, action: x.y}]")
    _, said = run(plan, RunStarted(CONTEXT), PauseRequested(), TaskEnded(0, 1, SUCCESS))
    assert said[2][-1] == EndRun(Status.SUCCEEDED)


def test_a_run_that_takes_too_long_stops_at_once_and_cancels_the_rest() -> None:
    """The running task is cut off, the others are cancelled, and the error is a Timeout."""
    _, said = run(
        TWO,
        RunStarted(CONTEXT),
        RunTimedOut(60),
        TaskEnded(0, 1, TaskResult(Status.CANCELLED)),
    )
    assert said[1] == (StopTask(0, 1, at_once=True),)
    assert said[2][1] == SettleTask(1, 0, TaskResult(Status.CANCELLED))
    end = said[2][2]
    assert (end.status, end.error.type) == (Status.FAILED, "Timeout")


# Properties, over generated workflows and generated outcomes


@dataclass
class Simulation:
    """A run of a workflow whose outcomes are drawn, one event after the other."""

    plan: Plan
    events: list[Event]
    states: list[State]
    said: list[tuple[Command, ...]]


@st.composite
def workflows(draw: st.DrawFn) -> Plan:
    """Workflows in listed order, with conditions, published variables, variables and output."""
    lines = ["tasks:"]
    for number in range(draw(st.integers(1, 6))):
        lines.append(f"- {{name: t{number}, action: x.y}}")
        if draw(st.booleans()):
            lines[-1] = lines[-1][:-1] + ', when: "{{ 1 == 1 }}"}'
        if draw(st.booleans()):
            lines[-1] = lines[-1][:-1] + ", publish: {v: '{{ result() }}'}}"
    if draw(st.booleans()):
        lines.append("vars: {v: 0}")
    if draw(st.booleans()):
        lines.append("output: {done: true}")
    return plan_of("\n".join(lines))


def answers(draw: st.DrawFn, command: Command) -> Event | None:
    """An event that may follow from a command."""
    match command:
        case Evaluate(asked=asked, task=task, visit=visit):
            error = draw(st.sampled_from([None, None, None, BOOM]))
            value = draw(st.booleans()) if asked is Asked.WHEN else {"v": 1}
            return Evaluated(
                asked, task, visit, None if error else value, error, draw(st.booleans())
            )
        case StartTask(task=task, visit=visit):
            result = draw(st.sampled_from([SUCCESS, SUCCESS, FAILURE]))
            return TaskEnded(task, visit, result, draw(st.booleans()))
    return None


@st.composite
def simulations(draw: st.DrawFn) -> Simulation:
    """A whole run, with a pause or a timeout somewhere in it if it is drawn."""
    plan = draw(workflows())
    state = State.initial(plan.graph)
    simulation = Simulation(plan, [], [state], [])
    due: list[Event] = [RunStarted(CONTEXT)]
    interruption = draw(st.sampled_from([None, None, PauseRequested(), RunTimedOut(5)]))
    interrupt_after = draw(st.integers(1, 12))
    while due:
        if interruption is not None and len(simulation.events) == interrupt_after:
            due.insert(0, interruption)
        event = due.pop(draw(st.integers(0, len(due) - 1)) if len(due) > 1 else 0)
        if isinstance(event, TaskEnded) and draw(st.integers(0, 9)) == 0 and state.stop:
            event = TaskPaused(event.task, event.visit)
        state, commands = decide(plan, state, event)
        simulation.events.append(event)
        simulation.states.append(state)
        simulation.said.append(commands)
        due += filter(None, (answers(draw, command) for command in commands))
    return simulation


@given(simulations())
def test_every_run_comes_to_its_end(simulation: Simulation) -> None:
    """When nothing is due any more, the run is over, and it ended exactly once."""
    ends = [command for said in simulation.said for command in said if isinstance(command, EndRun)]
    assert len(ends) == 1
    assert simulation.states[-1].phase is Phase.OVER


@given(simulations())
def test_decisions_are_pure(simulation: Simulation) -> None:
    """Invariant 7: replaying the events gives the same states and the same commands."""
    state = State.initial(simulation.plan.graph)
    for event, expected, said in zip(
        simulation.events, simulation.states[1:], simulation.said, strict=True
    ):
        state, commands = decide(simulation.plan, state, event)
        assert state == expected
        assert commands == said


@given(simulations())
def test_a_duplicate_event_changes_nothing(simulation: Simulation) -> None:
    """Every event that was taken can come again at any later point without any effect."""
    for at, event in enumerate(simulation.events):
        for state in simulation.states[at + 1 :]:
            if isinstance(event, TaskEnded | TaskPaused | Evaluated) and _was_reopened(
                state, event
            ):
                continue
            assert decide(simulation.plan, state, event) == (state, ())


def _was_reopened(state: State, event: Event) -> bool:
    """Whether a pause has put the task back, so that the same visit may end again."""
    number = getattr(event, "task", -1)
    return number >= 0 and state.tasks[number].visit == 0


@given(simulations())
def test_a_run_that_is_not_over_says_what_it_waits_for(simulation: Simulation) -> None:
    """Something is running, being evaluated, or about to be, at every moment before the end."""
    open_commands = 0
    for event, state, said in zip(
        simulation.events, simulation.states[1:], simulation.said, strict=True
    ):
        open_commands -= isinstance(event, Evaluated | TaskEnded | TaskPaused)
        open_commands += sum(isinstance(command, Evaluate | StartTask) for command in said)
        assert state.phase is Phase.OVER or open_commands > 0


@given(simulations())
def test_every_task_is_settled_once_unless_the_run_is_paused(simulation: Simulation) -> None:
    """No task is forgotten, and none ends twice."""
    settled = [
        command.task
        for said in simulation.said
        for command in said
        if isinstance(command, SettleTask)
    ]
    assert len(settled) == len(set(settled))
    paused = any(EndRun(Status.PAUSED) in said for said in simulation.said)
    assert paused or len(settled) == len(simulation.plan.tasks)


@given(simulations())
def test_a_task_starts_only_after_the_one_listed_before_has_ended(simulation: Simulation) -> None:
    """Listed order: nothing overtakes."""
    ended: set[int] = set()
    for said in simulation.said:
        for command in said:
            if isinstance(command, SettleTask):
                ended.add(command.task)
            elif isinstance(command, StartTask):
                assert ended >= set(range(command.task))


@pytest.mark.parametrize("tasks", [2, 2_000])
def test_an_ended_task_lets_go_of_its_context(tasks: int) -> None:
    """A long chain holds one context at a time, not one for each task."""
    plan = plan_of("tasks:\n" + "\n".join(f"- {{name: t{n}, action: x.y}}" for n in range(tasks)))
    state, _ = decide(plan, State.initial(plan.graph), RunStarted(CONTEXT))
    for number in range(tasks - 1):
        state, _ = decide(plan, state, TaskEnded(number, 1, SUCCESS))
    assert sum(task.context is not None for task in state.tasks) == 1
