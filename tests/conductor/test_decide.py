"""What the conductor promises of the life of a task and of a run, in listed order."""

from __future__ import annotations

import pytest
from order_runs import plan_of

from fanwise.conductor import (
    CancelRequested,
    Command,
    EndRun,
    Evaluate,
    Evaluated,
    EvaluationKind,
    Event,
    PauseRequested,
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
    TaskStage,
    decide,
)
from fanwise.context import WorkflowContext
from fanwise.model import ErrorInfo, Status, TaskResult
from fanwise.plan import Plan

CONTEXT = WorkflowContext(parameters={"size": 3})
BOOM = ErrorInfo("Boom", "it broke")
SUCCESS = TaskResult(Status.SUCCEEDED, output={"n": 1})
FAILURE = TaskResult(Status.FAILED, error=BOOM)


TWO = plan_of("tasks: [{name: a, action: x.y}, {name: b, action: x.y}]")


def run(plan: Plan, *events: Event) -> tuple[State, list[tuple[Command, ...]]]:
    """The state after these events, and what was commanded after each."""
    state, said = State.initial(plan.graph, len(plan.tasks) - len(plan.graph.names)), []
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
    _, said = run(plan, RunStarted(CONTEXT), Evaluated(EvaluationKind.WHEN, 0, 1, value=False))
    assert said[0] == (Evaluate(EvaluationKind.WHEN, CONTEXT, 0, 1),)
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
        Evaluated(EvaluationKind.PUBLISH, 0, 1, value={"n": 1}),
    )
    assert said[1] == (Evaluate(EvaluationKind.PUBLISH, CONTEXT, 0, 1, SUCCESS),)
    assert said[2][1].context.variables == {"n": 1}


def test_a_publish_that_fails_fails_its_task() -> None:
    """The action succeeded, but the task did not."""
    plan = plan_of('tasks: [{name: a, action: x.y, publish: {n: "{{ result().n }}"}}]')
    _, said = run(
        plan,
        RunStarted(CONTEXT),
        TaskEnded(0, 1, SUCCESS),
        Evaluated(EvaluationKind.PUBLISH, 0, 1, error=BOOM),
    )
    assert said[2][0] == SettleTask(0, 1, FAILURE)
    assert said[2][1].status is Status.FAILED


def test_variables_are_evaluated_before_the_first_task() -> None:
    """Tasks see them from the start; if one can't be computed, nothing runs."""
    plan = plan_of("vars: {n: 1}\ntasks: [{name: a, action: x.y}]")
    _, good = run(plan, RunStarted(CONTEXT), Evaluated(EvaluationKind.VARIABLES, value={"n": 1}))
    assert good[0] == (Evaluate(EvaluationKind.VARIABLES, CONTEXT),)
    assert good[1][0].context.variables == {"n": 1}
    _, bad = run(plan, RunStarted(CONTEXT), Evaluated(EvaluationKind.VARIABLES, error=BOOM))
    assert bad[1] == (
        SettleTask(0, 0, TaskResult(Status.CANCELLED)),
        EndRun(Status.FAILED, None, BOOM),
    )


def test_the_output_is_asked_for_however_the_run_ends() -> None:
    """After a failure entries that can't be computed may be null; after success they may not."""
    plan = plan_of('tasks: [{name: a, action: x.y}]\noutput: {n: "{{ task.a.output.n }}"}')
    _, good = run(plan, RunStarted(CONTEXT), TaskEnded(0, 1, SUCCESS))
    _, bad = run(plan, RunStarted(CONTEXT), TaskEnded(0, 1, FAILURE))
    assert (good[1][1].asked, good[1][1].nullable) == (EvaluationKind.OUTPUT, False)
    assert (bad[1][1].asked, bad[1][1].nullable) == (EvaluationKind.OUTPUT, True)
    _, failed = run(
        plan,
        RunStarted(CONTEXT),
        TaskEnded(0, 1, SUCCESS),
        Evaluated(EvaluationKind.OUTPUT, error=BOOM),
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
    assert (state.tasks[0].stage, state.tasks[0].visit) == (TaskStage.WAITING, 0)


def test_a_run_of_which_all_that_is_left_waits_ends_as_waiting() -> None:
    """Its tasks keep their visits, and start once more when it is resumed."""
    state, said = run(TWO, RunStarted(CONTEXT), RunParked(), TaskPaused(0, 1), RunResumed())
    assert said[1] == (StopTask(0, 1, at_once=False),)
    assert said[2] == (EndRun(Status.WAITING),)
    assert said[3] == (StartTask(0, 1, CONTEXT),)
    assert not state.is_parked


def test_a_run_that_is_cancelled_while_it_is_being_left_comes_to_its_end() -> None:
    """Nobody would settle the wait, so the run doesn't end as waiting."""
    plan = plan_of("tasks: [{name: a, action: x.y}]\nfinally: [{name: b, action: x.y}]")
    events = (RunParked(), CancelRequested("ada"), TaskPaused(0, 1), TaskEnded(1, 1, SUCCESS))
    _, said = run(plan, RunStarted(CONTEXT), *events)
    assert kinds(said[3]) == ["SettleTask", "StartTask"]
    assert said[4][-1].status is Status.CANCELLED


def test_a_pause_that_is_requested_meanwhile_goes_before() -> None:
    """Somebody wants the run to stay as it is, whatever is answered; parking changes no pause."""
    for events in ((RunParked(), PauseRequested()), (PauseRequested(), RunParked())):
        _, said = run(TWO, RunStarted(CONTEXT), *events, TaskPaused(0, 1))
        assert said[-1] == (EndRun(Status.PAUSED),)


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


@pytest.mark.parametrize("tasks", [2, 2_000])
def test_an_ended_task_lets_go_of_its_context(tasks: int) -> None:
    """A long chain holds what one task sees at a time, not what each has seen."""
    plan = plan_of("tasks:\n" + "\n".join(f"- {{name: t{n}, action: x.y}}" for n in range(tasks)))
    state, _ = decide(plan, State.initial(plan.graph), RunStarted(CONTEXT))
    for number in range(tasks - 1):
        state, _ = decide(plan, state, TaskEnded(number, 1, SUCCESS))
    assert sum(task.seen is not None for task in state.tasks) == 1
    assert sum(len(task.arrivals) for task in state.tasks) == 1


def test_a_run_that_takes_too_long_after_fail_is_cut_off_all_the_same() -> None:
    """What runs was to finish; now it is told to stop, once, and the run's error stays."""
    plan = plan_of(
        "tasks: [{name: a, action: x.y, next: [{do: fail}]}, {name: b, action: x.y, needs: []}]"
    )
    late = RunTimedOut(60)
    _, said = run(plan, RunStarted(CONTEXT), TaskEnded(0, 1, SUCCESS), late, late)
    assert kinds(said[1]) == ["SettleTask"]
    assert said[2] == (StopTask(1, 1, at_once=True),)
    assert said[3] == ()
