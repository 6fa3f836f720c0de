"""Input is checked against annotations: by reference if it fits, else by pydantic."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import pathlib
import uuid
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, field_validator

from fanwise.actions.checks import accepts, check_for, is_shareable
from fanwise.errors import InputError
from fanwise.values import FrozenDict, FrozenList, freeze


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Server(BaseModel):
    name: str
    port: int
    tags: list[str] = []


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Picky(BaseModel):
    word: str

    @field_validator("word")
    @classmethod
    def refuse(cls, word: str) -> str:
        raise ValueError(f"{word} is bad")


class NoSchema:
    pass


def check(annotation: Any) -> Callable[[Any], Any]:
    made = check_for("pack.act", "field", annotation)
    assert made is not None
    return made


def refusal(annotation: Any, value: Any) -> str:
    with pytest.raises(InputError) as caught:
        check(annotation)(freeze(value))
    text = str(caught.value)
    assert "\n" not in text
    return text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.sampled_from("abc"), parts),
    max_leaves=6,
).map(freeze)


class TestSharing:
    @pytest.mark.parametrize(
        "annotation",
        [dict, dict[str, Any], dict[str, object], dict | None, dict | list[Any] | str],
    )
    def test_a_map_is_passed_by_reference(self, annotation: Any) -> None:
        """However large a shared map is, checking it copies nothing."""
        value = freeze({"servers": [{"port": 80}]})
        assert check(annotation)(value) is value

    @pytest.mark.parametrize("annotation", [list, list[Any], list | None])
    def test_a_list_is_passed_by_reference(self, annotation: Any) -> None:
        """However large a shared list is, checking it copies nothing."""
        value = freeze([1, [2], {"a": 3}])
        assert check(annotation)(value) is value

    @pytest.mark.parametrize("annotation", [Any, object, Any | None])
    def test_no_annotation_no_check(self, annotation: Any) -> None:
        """What takes anything costs nothing."""
        assert check_for("pack.act", "field", annotation) is None

    @given(json_values)
    @settings(deadline=None)
    def test_what_pydantic_rebuilt_is_frozen(self, value: Any) -> None:
        """Whatever a shareable check gives can be shared: no part of it can be changed."""
        rebuilt = check(dict[str, list[Any]])(freeze({"a": [value]}))
        assert type(rebuilt) is FrozenDict
        assert type(rebuilt["a"]) is FrozenList
        assert rebuilt == {"a": [value]}

    def test_nested_lists_are_frozen_again(self) -> None:
        """Lists that were checked element by element are as immutable as what came in."""
        result = check(dict[str, list[list[int]]])(freeze({"a": [[1], [2]]}))
        assert result == {"a": [[1], [2]]}
        with pytest.raises(TypeError):
            result["a"][0].append(3)

    @pytest.mark.parametrize(
        ("annotation", "expected"),
        [
            (str, True),
            (list[str], True),
            (dict[str, datetime.date], True),
            (tuple[int, ...], True),
            (Literal["a"] | None, True),
            (Annotated[int, Field(ge=1)], True),
            (frozenset[uuid.UUID], True),
            (Colour, True),
            (decimal.Decimal, True),
            (pathlib.Path, True),
            (Sequence[int], True),
            (Server, False),
            (list[Server], False),
            (Point | None, False),
            (set[int], False),
            (bytearray, False),
        ],
    )
    def test_only_what_nobody_can_change_is_shared(self, annotation: Any, expected: bool) -> None:
        """A model, a dataclass or a set is made for each item; immutable values are shared."""
        assert is_shareable(annotation) is expected

    def test_a_model_is_built_for_each_item(self) -> None:
        """Two items never get the same model."""
        made = check(Server)
        value = freeze({"name": "a", "port": 1})
        assert made(value) == made(value)
        assert made(value) is not made(value)


class TestConversion:
    @pytest.mark.parametrize(
        ("annotation", "value", "expected"),
        [
            (int, "5", 5),
            (float, 5, 5.0),
            (float, "0.5", 0.5),
            (bool, "true", True),
            (int | str, "5", "5"),
            (datetime.date, "2024-05-01", datetime.date(2024, 5, 1)),
            (Colour, "red", Colour.RED),
            (pathlib.Path, "a/b", pathlib.Path("a/b")),
            (Point, {"x": 1, "y": 2}, Point(1, 2)),
            (tuple[int, str], [1, "a"], (1, "a")),
            (set[int], [1, 1], {1}),
            (Annotated[int, Field(ge=1)], 1, 1),
        ],
    )
    def test_values_become_what_is_annotated(
        self, annotation: Any, value: Any, expected: Any
    ) -> None:
        """Text from a template or the command line becomes the type that the function wants."""
        result = check(annotation)(freeze(value))
        assert result == expected
        assert type(result) is type(expected)

    @given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans())
    @settings(deadline=None)
    def test_the_short_cut_for_numbers_agrees_with_pydantic(self, value: Any) -> None:
        """What passes without pydantic is what pydantic would have given."""
        for annotation in (int, float, bool, int | float, float | None):
            try:
                expected = TypeAdapter(annotation).validate_python(value)
            except ValueError:
                refusal(annotation, value)
            else:
                result = check(annotation)(value)
                assert result == expected
                assert type(result) is type(expected)


class TestDurations:
    @pytest.mark.parametrize("value", ["1h30m", 5400, 5400.0, "PT1H30M"])
    def test_a_timedelta_takes_durations_of_the_language(self, value: Any) -> None:
        """And a number of seconds, and what pydantic reads."""
        hour_and_half = datetime.timedelta(minutes=90)
        assert check(datetime.timedelta)(value) == hour_and_half
        assert check(datetime.timedelta | None)(value) == hour_and_half

    def test_a_text_that_is_none_is_told_what_one_looks_like(self) -> None:
        """As for the keys of the language."""
        assert "a duration such as 30s or 1h30m" in refusal(datetime.timedelta, "soon")


class TestRefusals:
    @pytest.mark.parametrize(
        ("annotation", "value", "expected"),
        [
            (str, 5, 'input "field" of pack.act must be text.'),
            (int, "secret", 'input "field" of pack.act must be an integer.'),
            (int | None, "secret", 'input "field" of pack.act must be an integer or null.'),
            (list, {}, 'input "field" of pack.act must be a list.'),
            (Literal["a", "b"], "secret", "input \"field\" of pack.act should be 'a' or 'b'."),
            (datetime.date, "secret", 'input "field" of pack.act must be date.'),
            (uuid.UUID, "secret", 'input "field" of pack.act must be UUID.'),
            (
                Annotated[int, Field(ge=1)],
                0,
                'input "field" of pack.act should be greater than or equal to 1.',
            ),
            (
                list[Server],
                [{"name": "a", "port": 1}, {"name": "secret", "port": "secret"}],
                'input "field[1].port" of pack.act should be a valid integer.',
            ),
            (list[Server], [{"port": 1}], 'input "field[0].name" of pack.act is missing.'),
            (Server | None, {"name": "a"}, 'input "field.port" of pack.act is missing.'),
            (
                dict[str, int | list[int]],
                {"a": "secret"},
                'input "field.a" of pack.act isn\'t what field takes.',
            ),
            (Picky, {"word": "secret"}, 'input "field.word" of pack.act isn\'t what field takes.'),
            (
                dict[str, int],
                {"two\nlines": "secret"},
                'input "field[...]" of pack.act should be a',
            ),
        ],
    )
    def test_an_error_says_where_and_what_is_accepted_but_never_the_value(
        self, annotation: Any, value: Any, expected: str
    ) -> None:
        """Values can be secrets, so messages repeat the annotation and not the value."""
        text = refusal(annotation, value)
        assert text.startswith(expected)
        assert "secret" not in text

    def test_a_validator_that_crashes_is_an_input_error(self) -> None:
        """An exception that pydantic doesn't expect is told as one line, too."""

        class Crashing(BaseModel):
            word: str

            @field_validator("word")
            @classmethod
            def crash(cls, word: str) -> str:
                raise KeyError(word)

        text = refusal(Crashing, {"word": "secret"})
        assert "a validator raised KeyError" in text
        assert "secret" not in text

    def test_a_type_that_json_cannot_make_is_told(self) -> None:
        """An annotation that pydantic has no schema for is named."""
        assert "annotated as NoSchema, which can't be made from JSON" in refusal(NoSchema, {})


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (str, "text"),
        (int | None, "an integer or null"),
        (list[Any], "a list"),
        (dict[str, Any] | bool, "a map or true or false"),
        (Literal["x", 1], '"x" or "1"'),
        (Any, "anything"),
        (list[Server], "list[Server]"),
        (Annotated[float, Field(gt=0)], "a number"),
    ],
)
def test_what_is_accepted_is_told_in_words(annotation: Any, words: str) -> None:
    """Docs and errors say "an integer", not `<class 'int'>`."""
    assert accepts(annotation) == words
