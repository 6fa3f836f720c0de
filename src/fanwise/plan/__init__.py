"""Plans: workflows made ready to run."""

from fanwise.plan.compile import compile_plan
from fanwise.plan.model import (
    Plan,
    PlannedInput,
    PlannedItems,
    PlannedLimit,
    PlannedTask,
    PlannedTransition,
)
from fanwise.plan.parameters import (
    bind_parameters,
    offered,
    read_given,
    read_parameter,
    require_no_secrets,
    require_recordable,
)
from fanwise.plan.settings import PlannedRetry, PlannedSettings, Setting
from fanwise.plan.values import Value, truth

__all__ = [
    "Plan",
    "PlannedInput",
    "PlannedItems",
    "PlannedLimit",
    "PlannedRetry",
    "PlannedSettings",
    "PlannedTask",
    "PlannedTransition",
    "Setting",
    "Value",
    "bind_parameters",
    "compile_plan",
    "offered",
    "read_given",
    "read_parameter",
    "require_no_secrets",
    "require_recordable",
    "truth",
]
