"""The conductor: decides what runs next, as a pure function of what has happened."""

from fanwise.conductor.decide import decide
from fanwise.conductor.messages import (
    Asked,
    CancelRequested,
    Command,
    EndRun,
    Evaluate,
    Evaluated,
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
from fanwise.conductor.replay import Kept, Replay, Step, retell
from fanwise.conductor.state import Phase, Stage, State, TaskState

__all__ = [
    "Asked",
    "CancelRequested",
    "Command",
    "EndRun",
    "Evaluate",
    "Evaluated",
    "Event",
    "Kept",
    "PauseRequested",
    "Phase",
    "Replay",
    "RunResumed",
    "RunStarted",
    "RunTimedOut",
    "SettleTask",
    "Stage",
    "StartTask",
    "State",
    "Step",
    "StopTask",
    "TaskEnded",
    "TaskPaused",
    "TaskState",
    "VisitsAdvanced",
    "decide",
    "retell",
]
