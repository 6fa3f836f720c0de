"""Workflow definitions: YAML text becomes checked, immutable models that know their places.

    yaml/                            YAML with the line and column of everything
    shorthand                        short forms written out
    schema, field_types, literals    the keys of the language, what they take and mean
    trigger_schema, trigger_rules    those of triggers
    rules, item_rules, order_rules   rules between several keys
    accepted                         the values that a parameter takes
    loader, messages, key_hints      from nodes to models, or to problems in plain words
    problems                         the codes of all problems
    json_schema                      the language as editors want it

Nothing here does I/O, compiles a template or knows an action.
"""

from fanwise.definition.accepted import NUMBERS, Accepted, type_of
from fanwise.definition.field_types import FAIL, NAME_PATTERN
from fanwise.definition.json_schema import workflow_json_schema
from fanwise.definition.literals import (
    SCALARS,
    TYPES,
    Tolerance,
    fits_type,
    has_template,
    parse_choice,
    parse_condition,
    parse_count,
    parse_duration,
    parse_flag,
    parse_rate,
    parse_tolerance,
)
from fanwise.definition.loader import load
from fanwise.definition.problems import CODES, did_you_mean, nearest
from fanwise.definition.schema import (
    MAX_CONCURRENCY,
    ConcurrencyDefinition,
    DedupeDefinition,
    ParameterDefinition,
    RetryDefinition,
    TaskDefinition,
    TransitionDefinition,
    WorkflowDefinition,
    reader,
)
from fanwise.definition.yaml.nodes import Node, Spot

__all__ = [
    "CODES",
    "FAIL",
    "MAX_CONCURRENCY",
    "NAME_PATTERN",
    "NUMBERS",
    "SCALARS",
    "TYPES",
    "Accepted",
    "ConcurrencyDefinition",
    "DedupeDefinition",
    "Node",
    "ParameterDefinition",
    "RetryDefinition",
    "Spot",
    "TaskDefinition",
    "Tolerance",
    "TransitionDefinition",
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
    "parse_rate",
    "parse_tolerance",
    "reader",
    "type_of",
    "workflow_json_schema",
]
