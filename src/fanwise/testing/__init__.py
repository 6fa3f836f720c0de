"""For authors of workflows, actions and stores.

`rehearse` runs a workflow with stand-ins for its actions. Beside it are what engines and stores are
tested with: clocks, stores that misbehave, and the contract of every store.
"""

from fanwise.testing.outcome import Attempt, Outcome, RehearsedItem, RehearsedTask
from fanwise.testing.rehearsal import rehearse
from fanwise.testing.stand_ins import fails, in_turn, per_item, per_task
from fanwise.testing.stores import MemoryStore

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
