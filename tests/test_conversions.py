"""Results that have one natural form in JSON, and those that have none."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from fanwise.conversions import converted
from fanwise.errors import ResultError
from fanwise.values import encode


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Disk:
    path: Path
    seen: dt.date


class Host(BaseModel):
    name: str
    disks: list[Disk]


DISK = Disk(Path("/var"), dt.date(2026, 3, 5))


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (dt.datetime(2026, 3, 5, 7, 8, tzinfo=dt.UTC), "2026-03-05T07:08:00+00:00"),
        (dt.time(7, 8), "07:08:00"),
        (Path("a/b"), "a/b"),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Colour.RED, "red"),
        ({Colour.RED: (Colour.RED,)}, {"red": ["red"]}),
        (DISK, {"path": "/var", "seen": "2026-03-05"}),
        (
            Host(name="a", disks=[DISK]),
            {"name": "a", "disks": [{"path": "/var", "seen": "2026-03-05"}]},
        ),
    ],
)
def test_what_has_a_natural_form_in_json_gets_it(value: object, form: object) -> None:
    """Also deep inside of lists, maps and each other."""
    assert converted(value) == form
    assert converted([{"a": value}]) == [{"a": form}]


@pytest.mark.parametrize("value", [b"x", {1, 2}, object(), Disk, 1 + 2j, dt.timedelta(1)])
def test_what_has_none_is_left_to_be_refused(value: object) -> None:
    """The error names the type and says what to return."""
    with pytest.raises(ResultError, match="which isn't JSON"):
        encode(converted(value))


def test_a_value_that_holds_itself_is_refused_and_no_endless_loop() -> None:
    """As one that is too deep."""
    ring: list[object] = [DISK]
    ring.append(ring)
    with pytest.raises(ResultError, match="levels deep"):
        encode(converted(ring))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_json_stays_as_it_is(value: object) -> None:
    """Nothing is converted that needs none."""
    assert converted(value) == value
