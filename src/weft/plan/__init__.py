"""Plans: workflows made ready to run."""

from weft.plan.compile import compile_plan
from weft.plan.model import Plan, PlannedInput, PlannedItems, PlannedTask, Setting
from weft.plan.parameters import bind_parameters, read_parameter
from weft.plan.values import Value

__all__ = [
    "Plan",
    "PlannedInput",
    "PlannedItems",
    "PlannedTask",
    "Setting",
    "Value",
    "bind_parameters",
    "compile_plan",
    "read_parameter",
]
