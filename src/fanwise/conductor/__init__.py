"""The conductor: decides what runs next, as a pure function of what has happened."""

from fanwise.conductor.decide import decide
from fanwise.conductor.messages import (
    CancelRequested,
    Command,
    EndRun,
    Evaluate,
    Evaluated,
    EvaluationKind,
    Event,
    PauseRequested,
    RunResumed,
    RunStarted,
    RunTimedOut,
    SettleTask,
    StartTask,
    StopTask,
    TaskEnded,
    TaskPaused,
    VisitsAdvanced,
)
from fanwise.conductor.replay import KeptOutcome, Replay, Step, replay_with
from fanwise.conductor.state import Phase, State, TaskStage, TaskState

__all__ = [
    "CancelRequested",
    "Command",
    "EndRun",
    "Evaluate",
    "Evaluated",
    "EvaluationKind",
    "Event",
    "KeptOutcome",
    "PauseRequested",
    "Phase",
    "Replay",
    "RunResumed",
    "RunStarted",
    "RunTimedOut",
    "SettleTask",
    "StartTask",
    "State",
    "Step",
    "StopTask",
    "TaskEnded",
    "TaskPaused",
    "TaskStage",
    "TaskState",
    "VisitsAdvanced",
    "decide",
    "replay_with",
]
