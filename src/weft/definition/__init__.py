"""Workflow definitions: YAML text becomes checked, immutable models that know their places.

    text, composer, scalars, syntax, nodes  YAML with the line and column of everything
    schema, literals                        the keys of the language, their types and values
    rules                                   what holds between several keys
    loader, wording, keys                   from nodes to models, or to problems in plain words
    problems                                the codes of all problems

Nothing here does I/O, compiles a template or knows an action.
"""

from weft.definition.literals import (
    TYPES,
    Tolerance,
    fits_type,
    has_template,
    parse_choice,
    parse_condition,
    parse_count,
    parse_duration,
    parse_flag,
    parse_tolerance,
)
from weft.definition.loader import load
from weft.definition.problems import CODES, did_you_mean, nearest
from weft.definition.rules import STREAMS
from weft.definition.schema import (
    MAX_CONCURRENCY,
    NAME_PATTERN,
    ParameterDefinition,
    RetryDefinition,
    TaskDefinition,
    WorkflowDefinition,
)

__all__ = [
    "CODES",
    "MAX_CONCURRENCY",
    "NAME_PATTERN",
    "STREAMS",
    "TYPES",
    "ParameterDefinition",
    "RetryDefinition",
    "TaskDefinition",
    "Tolerance",
    "WorkflowDefinition",
    "did_you_mean",
    "fits_type",
    "has_template",
    "load",
    "nearest",
    "parse_choice",
    "parse_condition",
    "parse_count",
    "parse_duration",
    "parse_flag",
    "parse_tolerance",
]
