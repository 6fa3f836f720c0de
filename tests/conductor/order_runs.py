"""Carries the conductor through a scenario, with the events arriving in a given order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace
from order_workflows import Scenario, Step

from fanwise.catalog import ActionSpec, Runs
from fanwise.conductor import (
    Command,
    EndRun,
    Evaluate,
    Evaluated,
    EvaluationKind,
    Event,
    RunStarted,
    SettleTask,
    StartTask,
    State,
    TaskEnded,
    TaskPaused,
    decide,
)
from fanwise.context import WorkflowContext
from fanwise.definition import load
from fanwise.model import ErrorInfo, Status, TaskResult
from fanwise.plan import Plan, compile_plan
from fanwise.values import FrozenDict, FrozenList

BROKEN = ErrorInfo("Broken", "it broke")
VARIABLES = FrozenDict({"v": "start", "w": "start"})

Seen = tuple[Mapping[str, tuple[Status, Any]], Mapping[str, Any]]
"""What is seen at one place: each task's status and output, and the variables."""


class AnyAction:
    """A catalog in which every name is an action that takes anything."""

    def get(self, name: str) -> ActionSpec:
        return ActionSpec(name, lambda **_: None, Runs.ASYNC, {}, open_input=True)

    def names(self) -> list[str]:
        return []


def plan_of(text: str) -> Plan:
    return compile_plan(load(text, file="flow.yaml"), AnyAction())


@dataclass
class RunOfScenario:
    """A run from its start to its end: each event, the state after it, and what was commanded."""

    scenario: Scenario
    plan: Plan
    events: list[Event] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    said: list[tuple[Command, ...]] = field(default_factory=list)

    @property
    def commands(self) -> list[Command]:
        return [command for said in self.said for command in said]

    @property
    def ends(self) -> list[EndRun]:
        return [command for command in self.commands if isinstance(command, EndRun)]

    @property
    def statuses(self) -> dict[str, list[tuple[int, Status]]]:
        """For each task its visits and how each ended; a task that never started has visit 0."""
        found: dict[str, list[tuple[int, Status]]] = {task.name: [] for task in self.plan.tasks}
        for command in self.commands:
            if isinstance(command, SettleTask):
                name = self.plan.tasks[command.task].name
                found[name].append((command.visit, command.result.status))
        return found

    @property
    def seen(self) -> dict[tuple[str, int], Seen]:
        """What each visit saw that started, by the task's name and the visit."""
        return {
            (self.plan.tasks[command.task].name, command.visit): self._seen(command.context)
            for command in self.commands
            if isinstance(command, StartTask)
        }

    @property
    def seen_at_end(self) -> Seen | None:
        """What the run's output is computed from, or None if it never came to that."""
        asked = [each for each in self.commands if isinstance(each, Evaluate)]
        contexts = [command.context for command in asked if command.asked is EvaluationKind.OUTPUT]
        return self._seen(contexts[0]) if contexts else None

    def _seen(self, context: WorkflowContext) -> Seen:
        found = {task.name: context.task_results[task.name] for task in self.plan.tasks}
        results = {name: (each.status, each.output) for name, each in found.items()}
        return results, dict(context.variables)


def run_scenario(
    scenario: Scenario,
    arrivals: Sequence[int] = (0,),
    *,
    interruption: Event | None = None,
    after: int = 0,
) -> RunOfScenario:
    """Run a scenario to its end.

    `arrivals` says again and again which of the events that are due arrives next. After so many
    events, `interruption` comes as well; a task that runs then may say that it has paused.
    """
    plan = plan_of(scenario.text)
    run = RunOfScenario(scenario, plan)
    state = State.initial(plan.graph, len(scenario.cleanup))
    run.states.append(state)
    due: list[Event] = [RunStarted(WorkflowContext())]
    while due:
        number = arrivals[len(run.events) % len(arrivals)]
        if interruption is not None and len(run.events) == after:
            due.insert(0, interruption)
            number = 0
        event = due.pop(number % len(due))
        if isinstance(event, TaskEnded) and state.is_pausing and number % 2:
            event = TaskPaused(event.task, event.visit)
        state, commands = decide(plan, state, event)
        run.events.append(event)
        run.states.append(state)
        run.said.append(commands)
        due += filter(None, (answer(scenario, command) for command in commands))
    return run


def answer(scenario: Scenario, command: Command) -> Event | None:
    """What is said once `command` has been carried out."""
    match command:
        case StartTask(task=number, visit=visit):
            step = scenario.all_steps[number]
            if scenario.outcomes[step.name, visit].ends == "failed":
                failed = TaskResult(Status.FAILED, error=BROKEN)
                return TaskEnded(number, visit, failed, handled=step.goes_on)
            output = f"{step.name}#{visit}"
            return TaskEnded(number, visit, TaskResult(Status.SUCCEEDED, output=output))
        case Evaluate(asked=asked) if asked == scenario.breaks:
            return Evaluated(asked, error=BROKEN)
        case Evaluate(asked=EvaluationKind.VARIABLES):
            return Evaluated(EvaluationKind.VARIABLES, value=VARIABLES)
        case Evaluate(asked=EvaluationKind.OUTPUT):
            return Evaluated(EvaluationKind.OUTPUT, value=command.context.variables.get("v"))
        case Evaluate():
            return _evaluated(scenario, command)
    return None


def _evaluated(scenario: Scenario, command: Evaluate) -> Evaluated:
    """What a template of a task gives."""
    step = scenario.all_steps[command.task]
    outcome = scenario.outcomes[step.name, command.visit]
    said = Evaluated(command.asked, command.task, command.visit)
    match command.asked:
        case EvaluationKind.WHEN if outcome.ends == "unjudged":
            return replace(said, error=BROKEN, handled=step.goes_on)
        case EvaluationKind.PUBLISH if outcome.ends == "unpublished":
            return replace(said, error=BROKEN, handled=step.goes_on)
        case EvaluationKind.NEXT if outcome.taken is None:
            return replace(said, error=BROKEN)
        case EvaluationKind.WHEN:
            return replace(said, value=outcome.ends != "skipped")
        case EvaluationKind.PUBLISH:
            published = FrozenDict({step.sets: f"{step.name}#{command.visit}"})
            return replace(said, value=published)
    return replace(said, value=FrozenList(_transitions(step, command, outcome.taken or ())))


def _transitions(step: Step, command: Evaluate, holds: Sequence[bool]) -> list[Any]:
    values: list[Any] = []
    for at, way in enumerate(step.ways):
        published = {way.sets: f"{step.name}#{command.visit}/{at}"} if way.sets else {}
        is_taken = holds[at] if way.is_judged else command.passes
        values.append(FrozenDict(published) if is_taken else None)
    taken = [way for way, value in zip(step.ways, values, strict=True) if value is not None]
    return [*values, *[way.says for way in taken if way.says][:1]]
