"""The conductor: decides what runs next, as a pure function of what has happened."""

from weft.conductor.decide import decide
from weft.conductor.messages import (
    Asked,
    Command,
    EndRun,
    Evaluate,
    Evaluated,
    Event,
    PauseRequested,
    RunStarted,
    RunTimedOut,
    SettleTask,
    StartTask,
    StopTask,
    TaskEnded,
    TaskPaused,
)
from weft.conductor.state import Phase, Stage, State, TaskState

__all__ = [
    "Asked",
    "Command",
    "EndRun",
    "Evaluate",
    "Evaluated",
    "Event",
    "PauseRequested",
    "Phase",
    "RunStarted",
    "RunTimedOut",
    "SettleTask",
    "Stage",
    "StartTask",
    "State",
    "StopTask",
    "TaskEnded",
    "TaskPaused",
    "TaskState",
    "decide",
]
