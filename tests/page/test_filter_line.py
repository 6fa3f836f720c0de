"""The line of filters, as a pure function."""

from hypothesis import given
from hypothesis import strategies as st

from fanwise.reports.ownership import Filters
from fanwise.server.page.views.filter_line import STATUSES, read_line

NOW = 1_000_000.0


def test_a_line_is_read_word_by_word() -> None:
    """Each word is a filter; a word without a key names a run or a workflow."""
    line = read_line("status:failed workflow:check tag:a tag:b since:2h report", NOW)
    assert line.status == "failed"
    assert line.filters == Filters(workflow="check", since=NOW - 7_200, tags=("a", "b"))
    assert line.run == "report"
    assert line.problem == ""
    assert read_line("since:1970-01-02", NOW).filters.since == 86_400


def test_what_is_not_understood_is_told_with_what_is() -> None:
    """An unknown key or value is told, with those that there are."""
    assert "status, workflow, tag and since" in read_line("colour:red", NOW).problem
    assert "interrupted" in read_line("status:lost", NOW).problem
    assert "7d" in read_line("since:yesterday", NOW).problem


@given(st.text(max_size=60), st.sampled_from([None, *STATUSES]))
def test_a_line_with_another_status_differs_in_nothing_else(text: str, status: str | None) -> None:
    """A chip changes the status of a line, and leaves all other filters as they are."""
    before = read_line(text, NOW)
    after = read_line(before.with_status(status), NOW)
    assert after.status == status
    assert after.filters == before.filters
    assert after.run == before.run
