"""The benchmark of a fan-out that is watched: a stream is told of it to its end."""

from benchmarks.watched import ALONE, WATCHED, budgets, compare


def test_a_watched_fan_out_is_compared_with_one_that_nobody_watches() -> None:
    """The reader returns once it is told that all items have ended."""
    figures = compare(items=3_000, rounds=1)

    assert list(figures.seconds) == [ALONE, WATCHED]
    (budget,) = budgets(figures)
    assert budget.measured == figures.seconds[ALONE] / figures.seconds[WATCHED]
