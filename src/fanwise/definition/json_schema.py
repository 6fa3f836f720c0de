"""The JSON Schema of the workflow language, with which editors complete and check files.

It is made from the models, so its keys, bounds and documentation are those of `schema.py`; added
are only the forms that `shorthand.py` writes out. It takes every workflow that `load` takes, if
its keys are spelt as the table does, and knows no rules between several keys.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from pydantic.json_schema import GenerateJsonSchema

from fanwise.definition.schema import ORDER_KEYS, WorkflowDefinition
from fanwise.definition.shorthand import TASK_LISTS

_Schema: TypeAlias = dict[str, Any]

_WORKFLOW: Final = {"$ref": "#/$defs/WorkflowDefinition"}


class _Generator(GenerateJsonSchema):
    """Leaves out what only repeats, and refuses names that are no names."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def default_schema(self, schema: Any) -> _Schema:
        found = super().default_schema(schema)
        if found.get("default", ...) is None:  # It stands for a key that isn't there.
            del found["default"]
        return found

    def dict_schema(self, schema: Any) -> _Schema:
        found = super().dict_schema(schema)
        if "patternProperties" in found:
            found["additionalProperties"] = False
        return found


def workflow_json_schema() -> _Schema:
    """The JSON Schema (draft 2020-12) of a workflow file; a new dict at each call."""
    workflow = WorkflowDefinition.model_json_schema(schema_generator=_Generator)
    parts = workflow.pop("$defs")
    workflow["required"].remove("name")  # The loader gives one where it is missing.
    task = parts["TaskDefinition"]["properties"]
    transition = parts["TransitionDefinition"]["properties"]
    concurrency = workflow["properties"]["concurrency"]
    limit = parts["ConcurrencyDefinition"]["properties"]["limit"]
    concurrency["anyOf"] += limit["anyOf"]
    _or_one(transition["do"])
    _or_one(task["needs"])
    _or_one(task["next"], *transition["do"]["anyOf"])
    _triggers(workflow, parts)
    for key in TASK_LISTS[1:]:
        workflow["properties"][key]["items"]["properties"] = dict.fromkeys(ORDER_KEYS, False)
    wrapped = {
        "type": "object",
        "properties": {"workflow": _WORKFLOW},
        "required": ["workflow"],
        "additionalProperties": False,
    }
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "title": "fanwise workflow",
        "description": "A workflow, or one under the key `workflow`.",
        "anyOf": [_WORKFLOW, wrapped],
        "$defs": {"WorkflowDefinition": workflow, **parts},
    }


def _triggers(workflow: _Schema, parts: _Schema) -> None:
    """Add triggers, which may be a map by their names, and some of their parts a text."""
    from fanwise.definition.trigger_schema import Triggers

    whole = Triggers.model_json_schema(schema_generator=_Generator)
    parts |= whole["$defs"]
    trigger = parts["TriggerDefinition"]
    properties = workflow["properties"]
    properties["on"] = on = whole["properties"]["on"]
    listed = {part: on.pop(part) for part in ("type", "items")}
    named = {**trigger, "required": []}
    parts["NamedTrigger"] = named
    by_name = {"type": "object", "additionalProperties": {"$ref": "#/$defs/NamedTrigger"}}
    on["anyOf"] = [listed, by_name]
    for owner, key in (
        (trigger["properties"], "schedule"),
        (trigger["properties"], "event"),
        (parts["WebhookDefinition"]["properties"], "signature"),
    ):
        owner[key]["anyOf"].append({"type": "string", "minLength": 1})


def _or_one(key: _Schema, *others: _Schema) -> None:
    """Let the schema of a key that takes a list take one element as well, or `others`."""
    if "anyOf" in key:  # The list, or null for a key that isn't there.
        listed = key["anyOf"][0]
    else:
        listed = {part: key.pop(part) for part in ("type", "items", "minItems")}
    key["anyOf"] = [listed, listed["items"], *others]
