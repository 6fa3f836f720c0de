"""Which events and files concern a trigger, and how arrivals become batches."""

from __future__ import annotations

import pytest

from fanwise.triggers.match import (
    listens_for,
    matches,
)


@pytest.mark.parametrize(
    ("patterns", "name", "is_match"),
    [
        (["report.wanted"], "report.wanted", True),
        (["report.wanted"], "report.wantedx", False),
        (["report.wanted"], "reportXwanted", False),
        (["report.*"], "report.a.b", True),
        (["*"], "any\nthing", True),
        (["load", "x*"], "xyz", True),
        (["Load"], "load", False),
        ([], "load", False),
        (["[a]"], "a", False),
    ],
)
def test_a_star_stands_for_any_characters(patterns: list[str], name: str, is_match: bool) -> None:
    """And every other character for itself, in its own case."""
    assert matches(patterns, name) is is_match


def test_events_of_fanwise_itself_go_only_to_who_names_them() -> None:
    """A trigger for all events isn't fired by the failures that fanwise tells of."""
    assert listens_for(["*", "report.*"], "report.wanted")
    assert not listens_for(["*"], "fanwise.trigger.failed")
    assert listens_for(["*", "fanwise.*"], "fanwise.trigger.failed")
