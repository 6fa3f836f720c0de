"""The JSON Schema of the language: complete, documented, and as strict as it can be."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from fanwise.definition import (
    ParameterDefinition,
    RetryDefinition,
    TaskDefinition,
    TransitionDefinition,
    WorkflowDefinition,
    load,
    workflow_json_schema,
)
from fanwise.errors import DefinitionError

SCHEMA = workflow_json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
MODELS = [
    WorkflowDefinition,
    TaskDefinition,
    TransitionDefinition,
    RetryDefinition,
    ParameterDefinition,
]


def takes(document: Any) -> bool:
    return VALIDATOR.is_valid(document)


def loads(document: Any) -> bool:
    try:
        load(yaml.safe_dump(document), file="f")
    except DefinitionError:
        return False
    return True


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every map in a schema."""
    if isinstance(schema, dict):
        yield schema
    for each in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(each, dict | list):
            yield from parts(each)


def test_the_schema_is_one():
    """The schema is itself valid, says which draft it is in, and has a title."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["title"]


def test_every_reference_leads_somewhere():
    """Each `$ref` names a definition of this schema, and each definition is used."""
    refs = {part["$ref"] for part in parts(SCHEMA) if "$ref" in part}

    assert refs == {f"#/$defs/{name}" for name in SCHEMA["$defs"]}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_is_there_with_its_meaning(model):
    """Each map has all of its keys, spelt with hyphens, each with a description, and no others."""
    found = SCHEMA["$defs"][model.__name__]

    assert list(found["properties"]) == model.keys()
    assert all(key["description"] for key in found["properties"].values())
    assert found["additionalProperties"] is False


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_default_may_be_written(model):
    """A default that an editor puts in is a value that its key takes, and no key repeats itself."""
    keys = SCHEMA["$defs"][model.__name__]["properties"].values()

    assert all(
        VALIDATOR.evolve(schema=key).is_valid(key["default"]) for key in keys if "default" in key
    )
    assert not any("title" in key for key in keys)


@pytest.mark.parametrize("example", ["monitor.yaml", "order.yaml"])
def test_the_examples_are_taken(example):
    """Whole workflows are taken, also under `workflow:`."""
    document = yaml.safe_load(Path(__file__).with_name(example).read_text())

    assert takes(document)
    assert takes({"workflow": document})


def test_each_schema_is_the_callers_own():
    """What a caller does to one schema changes no other."""
    workflow_json_schema()["$defs"].clear()

    assert workflow_json_schema() == SCHEMA


TASK = {"name": "a"}
NUMBER = {"type": "number"}
OF_TYPES = {"minimum": NUMBER, "maximum": NUMBER, "pattern": {"type": "string"}}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"tasks": []},
        {"tasks": TASK},
        {"tasks": [TASK], "steps": []},
        {"workflow": {"tasks": [TASK]}, "name": "x"},
        {"workflow": {"workflow": {"tasks": [TASK]}}},
        {"tasks": [{}]},
        {"tasks": [{"name": "my task"}]},
        {"tasks": [{"name": "fail"}]},
        {"tasks": [TASK | {"acton": "x"}]},
        {"tasks": [TASK | {"retry": {}}]},
        {"tasks": [TASK | {"retry": {"count": -1}}]},
        {"tasks": [TASK | {"timeout": "soon"}]},
        {"tasks": [TASK | {"timeout": ""}]},
        {"tasks": [TASK | {"when": "x == 1"}]},
        {"tasks": [TASK | {"with-items": "x"}]},
        {"tasks": [TASK | {"rate": "100/d"}]},
        {"tasks": [TASK | {"tolerate": "5"}]},
        {"tasks": [TASK | {"batch-size": 0}]},
        {"tasks": [TASK | {"on-error": "repair"}]},
        {"tasks": [TASK | {"needs": None}]},
        {"tasks": [TASK | {"needs": "fail"}]},
        {"tasks": [TASK | {"join": "any"}]},
        {"tasks": [TASK | {"max-visits": 0}]},
        {"tasks": [TASK | {"next": {"when": True}}]},
        {"tasks": [TASK | {"next": [{"do": []}]}]},
        {"tasks": [TASK | {"next": ["b", {"do": "c"}]}]},
        {"tasks": [TASK | {"next": {"do": "b", "publish": {"a-b": 1}}}]},
        {"tasks": [TASK], "finally": [{"name": "b", "needs": []}]},
        {"tasks": [TASK], "finally": [{"name": "b", "max-visits": 5}]},
        {"tasks": [TASK], "vars": {"a b": 1}},
        {"tasks": [TASK], "parameters": {"a b": {}}},
        {"tasks": [TASK], "parameters": {"p": {"type": "int"}}},
    ],
    ids=str,
)
def test_what_is_wrong_is_refused(document):
    """An editor marks what `load` refuses, wherever one key or value shows it."""
    assert not takes(document)
    assert not loads(document)


VALUES = [
    None,
    True,
    False,
    0,
    1,
    5.5,
    100_000,
    -1,
    "",
    "a",
    "fail",
    "all",
    "stop",
    "none",
    "continue",
    "linear",
    "string",
    "5s",
    "1h30m",
    "100/s",
    "0.5/h",
    "5%",
    "{{ x }}",
    "a {# b #}",
    "a-b",
    [],
    ["a"],
    ["fail", "b"],
    [1],
    {},
    {"a": None},
    {"a": [1]},
    {"a": {"type": "array"}},
    {"count": 2},
    {"do": "a"},
    {"do": ["fail"], "when": "{{ x }}"},
    {"do": "a", "publish": None},
    [{"do": "b"}],
    [{"name": "b", "on-error": "continue"}],
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_nothing_that_loads_is_refused(model):
    """No editor marks a workflow that runs, whatever stands under a key."""
    around = {
        WorkflowDefinition: lambda keys: {"tasks": [TASK], **keys},
        TaskDefinition: lambda keys: {"tasks": [{"name": "t", "with-items": [1], **keys}]},
        TransitionDefinition: lambda keys: {"tasks": [TASK | {"next": {"do": "fail", **keys}}]},
        RetryDefinition: lambda keys: {"tasks": [TASK | {"retry": {"count": 1, **keys}}]},
        ParameterDefinition: lambda keys: {
            "tasks": [TASK],
            "parameters": {"p": {**OF_TYPES.get(next(iter(keys)), {}), **keys}},
        },
    }[model]
    taken = dict.fromkeys(model.keys(), 0)
    for key, value in product(model.keys(), VALUES):
        document = around({key: value})
        if loads(document):
            taken[key] += 1
            assert takes(document), f"{key}: {value}"
    assert all(taken.values())
