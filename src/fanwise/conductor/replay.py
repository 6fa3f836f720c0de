"""Replay: the state of a recorded run from its events, pure like `decide` itself.

`Replay` takes a run's events once more, and knows the commands without an answer: an interrupted
run has to carry out these next. `replay_with` replays a run from its start with some outcomes kept:
they are given where the conductor asks for them, and all else stays to be done.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from fanwise.conductor.decide import decide
from fanwise.conductor.messages import (
    Command,
    EndRun,
    Evaluate,
    Evaluated,
    EvaluationKind,
    Event,
    RunStarted,
    SettleTask,
    StartTask,
    StopTask,
    TaskEnded,
    TaskPaused,
    VisitsAdvanced,
)
from fanwise.conductor.state import Phase, State
from fanwise.context import WorkflowContext
from fanwise.plan import Plan

Step = tuple[Event, tuple[Command, ...]]
"""An event, and the commands that followed from it."""


class Replay:
    """A run's state while its events are taken, and the commands that wait for an answer."""

    def __init__(self, plan: Plan, state: State) -> None:
        self._plan = plan
        self._waiting: dict[int, Evaluate | StartTask] = {}  # by task; the run's own have -1
        self._cut_off: dict[int, StopTask] = {}
        self.state = state
        self.ended: EndRun | None = None
        """The end or the pause of the run, if it has come to one."""

    def take(self, event: Event) -> tuple[Command, ...]:
        """Take the next event, and return the commands that follow from it."""
        if isinstance(event, Evaluated | TaskEnded | TaskPaused):
            self._waiting.pop(event.task, None)
        self.state, commands = decide(self._plan, self.state, event)
        if not (self.state.is_paused or self.state.phase is Phase.OVER):
            self.ended = None
        for command in commands:
            match command:
                case Evaluate() | StartTask():
                    self._waiting[command.task] = command
                case StopTask(at_once=True):
                    self._cut_off[command.task] = command
                case SettleTask():
                    self._waiting.pop(command.task, None)
                case EndRun():
                    self.ended = command
        return commands

    @property
    def pending(self) -> tuple[Command, ...]:
        """The commands without an answer, in their order."""
        started = [each for each in self._waiting.values() if isinstance(each, StartTask)]
        stops = [self._cut_off.get(each.task) for each in started]
        return (*self._waiting.values(), *[each for each in stops if each is not None])


class KeptOutcome(msgspec.Struct, frozen=True, gc=False):
    """An event that is kept; among several, the one with the lowest `order` comes first."""

    order: float
    event: Event


def replay_with(
    plan: Plan,
    state: State,
    context: WorkflowContext,
    outcome_of: Callable[[StartTask], KeptOutcome | VisitsAdvanced | None],
    evaluate: Callable[[Evaluate], Evaluated],
    *,
    first: Sequence[Event] = (),
    spontaneous: Sequence[KeptOutcome] = (),
) -> tuple[Replay, list[Step]]:
    """Replay a run from its start, with the kept outcomes of visits, by `outcome_of`.

    In place of an outcome it may have a higher number for the visit, which starts once more then.
    The events `first` come right after the start; `spontaneous` ones answered no command, and come
    each in its order. Returns the replay and its steps. The run's output is left to be evaluated.
    """
    replay = Replay(plan, state)
    steps: list[Step] = []
    answers: deque[Event] = deque([RunStarted(context), *first])
    kept: list[tuple[float, int, Event]] = [(each.order, -1, each.event) for each in spontaneous]
    while answers or kept:
        event = answers.popleft() if answers else heapq.heappop(kept)[-1]
        commands = replay.take(event)
        steps.append((event, commands))
        for command in commands:
            if isinstance(command, Evaluate) and command.asked is not EvaluationKind.OUTPUT:
                answers.append(evaluate(command))
            elif isinstance(command, StartTask):
                found = outcome_of(command)
                if isinstance(found, KeptOutcome):
                    heapq.heappush(kept, (found.order, command.task, found.event))
                elif found is not None:
                    answers.append(found)
    return replay, steps
