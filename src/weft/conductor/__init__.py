"""The conductor: decides what runs next, as a pure function of what has happened."""

from weft.conductor.decide import decide
from weft.conductor.messages import (
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
from weft.conductor.replay import Kept, Replay, Step, retell
from weft.conductor.state import Phase, Stage, State, TaskState

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
