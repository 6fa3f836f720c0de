"""Plans: workflows made ready to run."""

from weft.plan.compile import compile_plan
from weft.plan.model import (
    Plan,
    PlannedInput,
    PlannedItems,
    PlannedTask,
    PlannedTransition,
    Setting,
)
from weft.plan.parameters import WORDS, bind_parameters, read_parameter
from weft.plan.values import Value

__all__ = [
    "WORDS",
    "Plan",
    "PlannedInput",
    "PlannedItems",
    "PlannedTask",
    "PlannedTransition",
    "Setting",
    "Value",
    "bind_parameters",
    "compile_plan",
    "read_parameter",
]
