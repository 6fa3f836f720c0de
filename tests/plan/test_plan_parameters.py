"""Reading and binding a run's parameters."""

from __future__ import annotations

import pytest

from weft.definition import load
from weft.errors import ParameterError
from weft.plan import Plan, bind_parameters, compile_plan, read_parameter

TEXT = """
parameters:
  text: {type: string}
  whole: {type: integer, default: 3}
  part: {type: number}
  flag: {type: boolean}
  list: {type: array}
  map: {type: object}
  any: {}
  must: {required: true}
tasks: [{name: a, action: x.y}]
"""


def plan() -> Plan:
    return compile_plan(load(TEXT, file="flow.yaml"), None)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("text", "5", "5"),
        ("whole", "5", 5),
        ("part", "0.5", 0.5),
        ("part", "2", 2),
        ("flag", "true", True),
        ("list", "[1, 2]", [1, 2]),
        ("map", '{"a": 1}', {"a": 1}),
        ("any", "5", "5"),
        ("unknown", "5", "5"),
    ],
)
def test_a_parameter_is_read_as_the_type_that_it_is_declared_as(name, text, value) -> None:
    """As text without one."""
    assert read_parameter(plan(), name, text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("whole", "many"),
        ("whole", "1.5"),
        ("flag", "yes"),
        ("list", "{}"),
        ("map", "[1"),
        ("part", "NaN"),
    ],
)
def test_a_text_that_is_not_of_the_type_says_what_is_taken_and_never_the_value(name, text) -> None:
    with pytest.raises(ParameterError) as caught:
        read_parameter(plan(), name, text)
    assert f'the parameter "{name}" takes' in str(caught.value)
    assert text not in str(caught.value).partition("takes")[2]


def test_what_is_not_given_has_its_default_or_null() -> None:
    bound = bind_parameters(plan(), {"must": 1})
    assert bound["whole"] == 3
    assert bound["text"] is None


def test_bound_parameters_are_frozen() -> None:
    given = [1]
    bound = bind_parameters(plan(), {"must": 1, "list": given})
    given.append(2)
    assert bound["list"] == [1]
    with pytest.raises(TypeError):
        bound["list"].append(3)


def test_every_misfit_is_told_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        bind_parameters(plan(), {"whole": "x", "lst": 1})
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "-p must=VALUE" in str(caught.value)
    assert 'Did you mean "list"?' in str(caught.value)
