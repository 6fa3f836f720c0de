"""`python -m benchmarks server`: it asks a real server, and has a budget for each question."""

from __future__ import annotations

from benchmarks import server


def test_each_question_is_answered_and_has_a_budget() -> None:
    """Over a store that is small; the figures of a large one are for the benchmark."""
    figures = server.compare(
        rounds=1, runs=60, items=300, rest_s=0.01, streams=20, changes=3, told=3
    )
    assert set(figures.seconds) == set(server.QUESTIONS)
    assert all(span_s > 0 for span_s in figures.seconds.values())
    assert figures.memory_bytes > 10e6
    assert figures.page_bytes > 1e3
    told = {budget.what for budget in server.budgets(figures)}
    assert {f"{what}, 95 %" for what in server.QUESTIONS} < told
    if figures.page is not None:
        assert figures.page.paint_s > 0
        assert 0 < figures.page.shown_s <= figures.page.grid_s
        assert figures.page.told_s > 0
