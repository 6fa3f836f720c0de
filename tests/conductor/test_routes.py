"""Single promises of order and of data that are easily broken, each with its smallest workflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from order_runs import plan_of

from fanwise.conductor import (
    Command,
    EndRun,
    Evaluate,
    Evaluated,
    EvaluationKind,
    Event,
    PauseRequested,
    RunStarted,
    RunTimedOut,
    SettleTask,
    StartTask,
    State,
    StopTask,
    TaskEnded,
    TaskPaused,
    decide,
)
from fanwise.context import WorkflowContext
from fanwise.model import ErrorInfo, Status, TaskResult
from fanwise.plan import Plan

SUCCESS = TaskResult(Status.SUCCEEDED)
FAILURE = TaskResult(Status.FAILED, error=ErrorInfo("Boom", "it broke"))
CANCELLED = TaskResult(Status.CANCELLED)


class Told:
    """A run that is told one event after the other, by the names of tasks."""

    def __init__(self, text: str) -> None:
        self.plan: Plan = plan_of(text)
        self.said: list[Command] = []
        cleanup = len(self.plan.tasks) - len(self.plan.graph.names)
        self.state = State.initial(self.plan.graph, cleanup)
        self.tell(RunStarted(WorkflowContext(variables={"v": "start"})))

    def tell(self, event: Event) -> None:
        self.state, commands = decide(self.plan, self.state, event)
        self.said += commands

    def end(self, name: str, result: TaskResult = SUCCESS, *, takes: Sequence[Any] = ()) -> None:
        """A task's running visit ends; then `takes` is what its transitions publish, or null."""
        number = self.plan.numbers[name]
        visit = self.state.tasks[number].visit
        self.tell(TaskEnded(number, visit, result))
        if takes:
            self.tell(Evaluated(EvaluationKind.NEXT, number, visit, list(takes)))

    def publish(self, name: str, values: Mapping[str, Any]) -> None:
        """A task whose visit has just ended with success publishes these."""
        number = self.plan.numbers[name]
        self.tell(Evaluated(EvaluationKind.PUBLISH, number, self.state.tasks[number].visit, values))

    @property
    def started(self) -> list[str]:
        return [self.plan.tasks[c.task].name for c in self.said if isinstance(c, StartTask)]

    @property
    def statuses(self) -> dict[str, Status]:
        settled = [each for each in self.said if isinstance(each, SettleTask)]
        return {self.plan.tasks[each.task].name: each.result.status for each in settled}

    @property
    def last_seen(self) -> WorkflowContext:
        """What the visit saw that started last."""
        return [each for each in self.said if isinstance(each, StartTask)][-1].context

    @property
    def ends(self) -> list[Status]:
        return [each.status for each in self.said if isinstance(each, EndRun)]


SELF_LOOP = '{name: a, action: x.y, max-visits: 2, next: [{when: "{{ 1 == 1 }}", do: a}]}'


def test_a_pause_between_two_visits_is_no_end() -> None:
    """A loop of which a visit is due has more to do, though each of its tasks has ended once."""
    run = Told(f"tasks: [{SELF_LOOP}]")
    run.tell(PauseRequested())
    run.end("a", takes=[{}])
    assert run.ends == [Status.PAUSED]


def test_a_later_visit_that_a_pause_put_back_is_cancelled_if_the_run_fails() -> None:
    """It has been told that it paused, so it is told that it won't go on."""
    run = Told(f"tasks: [{SELF_LOOP}, {{name: b, action: x.y, needs: []}}]")
    run.end("a", takes=[{}])
    run.tell(PauseRequested())
    run.tell(TaskPaused(0, 2))
    run.tell(RunTimedOut(5))
    run.end("b", CANCELLED)
    assert SettleTask(0, 2, CANCELLED) in run.said
    assert run.ends == [Status.FAILED]


def test_finally_with_a_condition_runs_after_fail() -> None:
    """`fail` keeps tasks from starting, but not those of `finally`."""
    run = Told(
        "tasks: [{name: a, action: x.y, next: fail}]\n"
        'finally: [{name: z, action: x.y, when: "{{ 1 == 1 }}"}]'
    )
    run.end("a")
    run.tell(Evaluated(EvaluationKind.WHEN, run.plan.numbers["z"], 1, value=True))
    assert run.started == ["a", "z"]


def test_a_transition_to_fail_starts_none_of_its_other_targets() -> None:
    """Nothing starts after `fail`, on a loop neither."""
    run = Told(
        "tasks:\n"
        '- {name: a, action: x.y, next: [{when: "{{ 1 == 1 }}", do: [a, fail]}, {do: b}]}\n'
        "- {name: b, action: x.y}\n"
    )
    run.end("a", takes=[{}, None])
    assert run.started == ["a"]
    assert run.statuses["b"] is Status.CANCELLED
    assert run.ends == [Status.FAILED]


def test_what_runs_when_fail_is_reached_finishes() -> None:
    """It isn't stopped, and ends as it does; what would follow it is cancelled."""
    run = Told(
        "tasks:\n"
        "- {name: a, action: x.y, next: fail}\n"
        "- {name: b, action: x.y, needs: [], next: c}\n"
        "- {name: c, action: x.y}\n"
    )
    run.end("a")
    assert run.ends == []
    assert not any(isinstance(each, StopTask) for each in run.said)
    run.end("b")
    assert (run.statuses["b"], run.statuses["c"]) == (Status.SUCCEEDED, Status.CANCELLED)
    assert run.ends == [Status.FAILED]


def test_ways_out_of_a_loop_are_decided_once() -> None:
    """Also when the visit that brings it to rest never starts, because of max-visits."""
    run = Told(
        "tasks:\n"
        "- {name: s, action: x.y, next: [a, b]}\n"
        "- {name: a, action: x.y, next: b}\n"
        "- {name: b, action: x.y, max-visits: 1,\n"
        '   next: [{when: "{{ 1 == 1 }}", do: a}, {when: "{{ 1 == 1 }}", do: last}]}\n'
        "- {name: slow, action: x.y, needs: [], next: last}\n"
        "- {name: last, action: x.y}\n"
    )
    run.end("s")
    run.end("a")
    run.end("b", takes=[None, {}])
    assert run.statuses["b"] is Status.FAILED
    assert "last" not in run.started
    run.end("slow")
    assert run.started[-1] == "last"


def test_a_value_gives_way_to_the_one_that_its_transitions_target_set() -> None:
    """The target has seen and replaced it, although the file lists the target first."""
    run = Told(
        "tasks:\n"
        "- {name: target, action: x.y, publish: {v: x}, next: last}\n"
        "- {name: source, action: x.y, needs: [], next: [{do: [target, last], publish: {v: x}}]}\n"
        "- {name: last, action: x.y, join: all}\n"
    )
    run.end("source", takes=[{"v": "source"}])
    run.end("target")
    run.publish("target", {"v": "target"})
    assert run.started[-1] == "last"
    assert run.last_seen.variables["v"] == "target"


def test_a_value_set_for_one_transition_lasts_beside_those_of_the_others() -> None:
    """What comes after another transition of the same task has never seen it."""
    run = Told(
        "tasks:\n"
        "- {name: other, action: x.y, publish: {v: x}, next: last}\n"
        "- name: source\n"
        "  action: x.y\n"
        "  needs: []\n"
        "  next: [{do: between, publish: {v: x}}, {do: step}]\n"
        "- {name: step, action: x.y, next: other}\n"
        "- {name: between, action: x.y, next: last}\n"
        "- {name: last, action: x.y, join: all}\n"
    )
    run.end("source", takes=[{"v": "source"}, {}])
    run.end("step")
    run.end("other")
    run.publish("other", {"v": "other"})
    run.end("between")
    assert run.last_seen.variables["v"] == "source"


def test_what_was_set_on_a_way_out_of_a_cycle_is_forgotten_if_it_is_set_again() -> None:
    """Nobody has seen the first value: what follows saw the second, and replaced it."""
    run = Told(
        "tasks:\n"
        "- {name: after, action: x.y, publish: {v: x}}\n"
        "- name: a\n"
        "  action: x.y\n"
        "  next: [{do: a, when: true}, {do: after, publish: {v: x}}]\n"
        "- {name: s, action: x.y, needs: [], next: a}\n"
        'output: "{{ vars.v }}"'
    )
    run.end("s")
    run.end("a", takes=[{}, {"v": "first"}])
    run.end("a", takes=[None, {"v": "second"}])
    assert run.last_seen.variables["v"] == "second"
    run.end("after")
    run.publish("after", {"v": "after"})
    (asked,) = [each for each in run.said if isinstance(each, Evaluate) and each.task < 0]
    assert asked.context.variables["v"] == "after"


def test_what_is_published_on_the_way_to_fail_is_seen_at_the_end() -> None:
    """It may say why the run fails."""
    run = Told(
        "tasks: [{name: a, action: x.y, next: [{do: fail, publish: {v: x}}]}]\n"
        'output: "{{ vars.v }}"'
    )
    run.end("a", takes=[{"v": "why"}])
    (asked,) = [each for each in run.said if isinstance(each, Evaluate) and each.task < 0]
    assert asked.context.variables["v"] == "why"


def test_thousands_of_arrivals_can_be_too_many_at_once() -> None:
    """Each of them fails with its own visit, in one decision."""
    count = 2_000
    lines = [f"- {{name: t{n}, action: x.y, needs: [], next: a}}" for n in range(count)]
    run = Told("\n".join(["tasks:", *lines, f"- {SELF_LOOP.replace('visits: 2', 'visits: 1')}"]))
    for n in range(count):
        run.end(f"t{n}")
    run.end("a", takes=[None])
    failed = [each for each in run.said if isinstance(each, SettleTask) and each.result.error]
    assert [each.visit for each in failed] == list(range(2, count + 1))
    assert run.ends == [Status.FAILED]


def test_a_long_chain_of_loops_that_nothing_reaches_is_passed_over_at_once() -> None:
    """However many follow each other, an unhandled failure blocks all of them."""
    count = 1_000
    again = '{when: "{{ 1 == 1 }}", do: t%s}'
    lines = [
        f"- {{name: t{n}, action: x.y, next: [{again % n}, {{do: t{n + 1}}}]}}"
        for n in range(1, count)
    ]
    first, last = "- {name: t0, action: x.y, next: t1}", f"- {{name: t{count}, action: x.y}}"
    run = Told("\n".join(["tasks:", first, *lines, last]))
    run.end("t0", FAILURE)
    assert [run.statuses[f"t{n}"] for n in range(1, count + 1)] == [Status.BLOCKED] * count
    assert run.ends == [Status.FAILED]
