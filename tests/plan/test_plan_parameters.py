"""Reading and binding a run's parameters."""

from __future__ import annotations

import pytest

from fanwise.definition import load
from fanwise.errors import ParameterError
from fanwise.plan import Plan, bind_parameters, compile_plan, read_parameter

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
  token: {secret: true}
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


@pytest.mark.parametrize("value", [5, True, ["s3cret"], {"a": "s3cret"}])
def test_a_secret_parameter_takes_text_or_null_only(value) -> None:
    """Only text can be masked, so nothing else may be a secret."""
    for given in ("s3cret", None):
        assert bind_parameters(plan(), {"must": 1, "token": given})["token"] == given
    with pytest.raises(ParameterError, match='the parameter "token" takes text') as caught:
        bind_parameters(plan(), {"must": 1, "token": value})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list", "[" * 100_000),
        ("list", "[" * 300 + "]" * 300),
        ("list", '["a\\u0000"]'),
        ("map", '{"a": "\ud800"}'),
        ("part", "1e999"),
        ("whole", "1" * 5_000),
        ("whole", "null"),
    ],
)
def test_a_text_that_can_not_be_read_is_an_error_that_names_the_parameter(name, text) -> None:
    """Whatever is given on the command line, the answer is a line and no traceback."""
    with pytest.raises(ParameterError, match=name) as caught:
        read_parameter(plan(), name, text)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_text_that_can_not_be_stored_is_an_error_that_names_the_parameter() -> None:
    text = read_parameter(plan(), "text", "\ud800")
    with pytest.raises(ParameterError, match=r"flow\.yaml  parameters\.text holds"):
        bind_parameters(plan(), {"must": 1, "text": text})


@pytest.mark.parametrize("name", [1, None, ("a",)])
def test_a_name_that_is_not_text_is_unknown(name) -> None:
    with pytest.raises(ParameterError, match="whose name is of type") as caught:
        bind_parameters(plan(), {"must": 1, name: 2})
    assert "It declares: text, whole" in str(caught.value)


BOUNDED = """
parameters:
  region: {enum: [eu, us], default: eu}
  size: {choices: [1, 2], default: 1}
  count: {type: integer, minimum: 1, maximum: 5}
  ratio: {type: number, maximum: 1}
  host: {type: string, pattern: '[a-z]+-[0-9]{1,3}'}
  token: {secret: true, pattern: 'key-.*'}
  deploy: {default: false}
  workers: {default: 4}
  tags: {default: []}
  note: {default: none}
tasks: [{name: a, action: x.y}]
"""


def bounded() -> Plan:
    return compile_plan(load(BOUNDED, file="flow.yaml"), None)


@pytest.mark.parametrize(
    ("given", "takes"),
    [
        ({"region": "mars"}, "eu or us"),
        ({"region": True}, "eu or us"),
        ({"size": 3}, "1 or 2"),
        ({"size": True}, "1 or 2"),
        ({"count": 0}, "a whole number from 1 to 5"),
        ({"count": 6}, "a whole number from 1 to 5"),
        ({"ratio": 1.5}, "a number of 1 or less"),
        ({"host": "web-17; reboot"}, r'text of the pattern "\[a-z\]\+-\[0-9\]\{1,3\}"'),
        ({"host": "web-17\n"}, "text of the pattern"),
        ({"host": 17}, "text of the pattern"),
        ({"token": "hunter2"}, 'text of the pattern "key'),
    ],
)
def test_a_value_beyond_choices_and_bounds_is_refused(given, takes) -> None:
    """The message says what the parameter takes, and not what it was given."""
    with pytest.raises(ParameterError, match=f'"{next(iter(given))}" takes {takes}'):
        bind_parameters(bounded(), given)


def test_choices_and_bounds_take_what_lies_within_them_and_null() -> None:
    """A parameter that isn't given is null."""
    given = {"region": "us", "size": 2, "count": 5, "ratio": None, "host": "web-17"}
    assert bind_parameters(bounded(), given).items() >= given.items()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("deploy", "false", False),
        ("workers", "8", 8),
        ("workers", "0.5", 0.5),
        ("tags", '["a"]', ["a"]),
        ("note", "5", "5"),
        ("size", "2", 2),
        ("region", "us", "us"),
    ],
)
def test_without_a_type_a_text_is_read_as_the_choices_or_the_default_are(name, text, value) -> None:
    """So that `-p deploy=false` is no text, which could be taken for true."""
    read = read_parameter(bounded(), name, text)
    assert isinstance(read, bool) is isinstance(value, bool)
    assert read == value


def test_a_text_unlike_the_default_is_refused_with_the_remedy() -> None:
    """The default's type is a guess, which a declared type replaces."""
    with pytest.raises(ParameterError, match=r"true or false, as its default is. Declare its type"):
        read_parameter(bounded(), "deploy", "no")
