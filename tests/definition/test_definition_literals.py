"""Literal values of keys, read by the loader and by the engine alike."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.definition import (
    Tolerance,
    fits_type,
    has_template,
    load,
    parse_choice,
    parse_condition,
    parse_count,
    parse_duration,
    parse_flag,
    parse_rate,
    parse_tolerance,
    reader,
)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)


def complaint_of(parse, value):
    try:
        parse(value)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("5s", 5),
        ("1h30m", 5_400),
        ("2d", 172_800),
        ("1d2h3m4s5ms", 93_784.005),
        ("1.5h", 5_400),
        ("0s", 0),
        (0, 0),
        (2.5, 2.5),
    ],
)
def test_durations_are_seconds(text, seconds):
    """Days to milliseconds add up, and a number is seconds."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "5",
        "s",
        "5 s",
        "-5s",
        "30m1h",
        "1h1h",
        "5S",
        "\u0665s",
        -1,
        -0.1,
        True,
        None,
        [],
        {},
        float("inf"),
        float("nan"),
        10**400,
        -(10**400),
        "9" * 5_000 + "d",
        "36501d",
    ],
)
def test_what_is_no_duration_is_refused(value):
    """The message says what is taken."""
    with pytest.raises(ValueError, match="takes a duration such as 500ms"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("value", "per_second"),
    [
        ("100/s", 100),
        ("6000/m", 100),
        ("36/h", 0.01),
        ("0.5/s", 0.5),
        ("1000000/s", 1_000_000),
        ("0.001/h", 0.001 / 3_600),
        (20, 20),
        (0.1, 0.1),
    ],
)
def test_rates_are_starts_per_second(value, per_second):
    """Seconds, minutes and hours come to the same unit, and a number is starts per second."""
    assert parse_rate(value) == pytest.approx(per_second)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "100",
        "/s",
        "-1/s",
        "0/s",
        "100/d",
        "100/S",
        "100 /s",
        "1e3/s",
        "\u0665/s",
        "100/s\n",
        "1000001/s",
        "0.0001/h",
        "9" * 5_000 + "/s",
        0,
        -1,
        1e-12,
        1_000_001,
        True,
        None,
        [],
        {},
        float("inf"),
        float("nan"),
        10**400,
        -(10**400),
    ],
)
def test_what_is_no_rate_is_refused(value):
    """The message says what is taken, and within which bounds."""
    with pytest.raises(ValueError, match=r"takes a rate such as 100/s.* to 1000000/s"):
        parse_rate(value)


@pytest.mark.parametrize(
    ("value", "total", "allowed"),
    [
        (0, 10, 0),
        (3, 10, 3),
        ("5%", 1_000, 50),
        ("5%", 99, 4),
        ("100%", 7, 7),
        ("0%", 7, 0),
        ("7.1%", 1_000, 71),
        ("0.57%", 10_000, 57),
        ("29 %", 100, 29),
        ("50%", 0, 0),
    ],
)
def test_tolerance_is_a_count_or_a_part_rounded_down(value, total, allowed):
    """A percentage counts of all items, rounded down."""
    assert parse_tolerance(value).allowed(total) == allowed


@pytest.mark.parametrize("value", [-1, 1.5, True, None, "5", "101%", "-1%", "%", "5%%", [], {}])
def test_what_is_no_tolerance_is_refused(value):
    """The message says what is taken."""
    with pytest.raises(ValueError, match="takes a number of items"):
        parse_tolerance(value)


@given(st.integers(0, 10**7), st.integers(0, 1_000))
def test_a_percentage_never_tolerates_more_than_it_says(total, tenths):
    """The count is exact: rounding errors of fractions neither add an item nor lose one."""
    tolerance = Tolerance(percent=tenths / 10)

    assert tolerance.allowed(total) == total * tenths // 1_000


@pytest.mark.parametrize("value", [0, 101, 1.0, "5", True, None, [5]])
def test_counts_have_bounds(value):
    """A count is a whole number within bounds, and true is no number."""
    with pytest.raises(ValueError, match="takes a whole number from 1 to 100"):
        parse_count(value, minimum=1, maximum=100)


def test_counts_choices_flags_and_conditions_are_what_they_say():
    """What is taken comes back as it is."""
    assert parse_count(100, minimum=1, maximum=100) == 100
    assert parse_count(10**9) == 10**9
    assert parse_choice("stop", ("continue", "stop")) == "stop"
    assert parse_flag(value=True) is True
    assert parse_condition(value=False) is False


def test_choices_are_listed():
    """A wrong choice is answered with the right ones."""
    with pytest.raises(ValueError, match="takes all, failed or none"):
        parse_choice("some", ("all", "failed", "none"))


@pytest.mark.parametrize("value", ["a == b", "", "false", 0, 1, None, []])
def test_a_condition_is_never_a_bare_text(value):
    """A text without braces would always be true, so it is refused with the way to write it."""
    with pytest.raises(ValueError, match="template"):
        parse_condition(value)


@settings(deadline=None)
@given(anything)
def test_a_parser_gives_its_value_or_a_value_error_that_keeps_it_secret(value):
    """Whatever a template gives, nothing but `ValueError` is raised, and the value isn't quoted."""
    for parse in (
        parse_duration,
        parse_rate,
        parse_tolerance,
        parse_count,
        parse_flag,
        parse_condition,
    ):
        message = complaint_of(parse, value)
        assert message is None or message.startswith("takes ")
        assert message is None or type(value) is not str or len(value) < 5 or value not in message


@pytest.mark.parametrize(
    ("value", "types"),
    [
        ("x", {"string"}),
        (1, {"integer", "number"}),
        (1.0, {"number"}),
        (True, {"boolean"}),
        ([], {"array"}),
        ({}, {"object"}),
        (None, set()),
    ],
)
def test_values_fit_their_types_only(value, types):
    """Each JSON value fits its own type; an integer is a number too."""
    declared = {"string", "integer", "number", "boolean", "array", "object"}

    assert {each for each in declared if fits_type(value, each)} == types


@pytest.mark.parametrize(
    ("text", "is_template"),
    [("{{ x }}", True), ("a {% if x %}", True), ("{# c #}", True), ("{ x }", False), ("", False)],
)
def test_braces_make_a_template(text, is_template):
    """A text is a template if it opens one of the three kinds of braces."""
    assert has_template(text) is is_template


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("concurrency", 100_000, 100_000),
        ("tolerate", "5%", Tolerance(percent=5)),
        ("on-item-error", "stop", "stop"),
        ("keep-output", "failed", "failed"),
        ("on-error", "continue", "continue"),
        ("timeout", "1m", 60),
        ("delay", "2s", 2),
        ("rate", "60/m", 1),
        ("batch-size", 100, 100),
        ("retry.count", 0, 0),
        ("retry.delay", "500ms", 0.5),
        ("retry.backoff", "linear", "linear"),
        ("retry.max-delay", "1h", 3_600),
        ("retry.jitter", False, False),
    ],
)
def test_a_key_reads_what_a_template_gave_as_it_reads_its_literals(key, written, value):
    """`reader` gives what the loader reads a key with: the same values, bounds and messages."""
    read = reader(key)
    owner, _, name = key.rpartition(".")
    keys = {name: written}
    task = {"name": "a", "with-items": [1], **({owner: {"count": 1, **keys}} if owner else keys)}

    (loaded,) = load(json.dumps({"tasks": [task]}), file="f").tasks

    assert read(written) == value
    assert getattr(loaded.retry if owner else loaded, name.replace("-", "_")) == value
    for wrong in ("some", "{{ x }}", None, []):
        assert str(complaint_of(read, wrong)).startswith("takes ")


@pytest.mark.parametrize("key", ["name", "input", "publish", "retry", "retry.x", "x", "x.y"])
def test_only_keys_with_literals_have_a_reader(key):
    """A key whose value is used as it is, or that doesn't exist, has none."""
    with pytest.raises(KeyError):
        reader(key)
