"""The benchmark of a fan-out that is watched: the stream is told of it while it runs."""

from benchmarks.watched import ALONE, WATCHED, budgets, compare


def test_a_watched_fan_out_is_compared_with_one_that_nobody_watches() -> None:
    """It fails if the stream is told nothing before the end."""
    figures = compare(items=30_000, rounds=1)

    assert list(figures.seconds) == [ALONE, WATCHED]
    (budget,) = budgets(figures)
    assert budget.measured == figures.seconds[ALONE] / figures.seconds[WATCHED]
