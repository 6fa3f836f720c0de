"""For authors of workflows, actions and stores.

`rehearse` runs a workflow with stand-ins for its actions. Beside it are what engines and stores are
tested with: clocks, stores that misbehave, and the contract of every store.
"""

from weft.testing.outcome import Attempt, Outcome, RehearsedItem, RehearsedTask
from weft.testing.rehearsal import rehearse
from weft.testing.stand_ins import fails, in_turn, per_item, per_task
from weft.testing.stores import MemoryStore

__all__ = [
    "Attempt",
    "MemoryStore",
    "Outcome",
    "RehearsedItem",
    "RehearsedTask",
    "fails",
    "in_turn",
    "per_item",
    "per_task",
    "rehearse",
]
