"""The helpers that the benchmarks measure and show with."""

import sys
from collections.abc import Callable

import pytest

from fanwise.bench.context_process import Held
from fanwise.bench.measure import alternate, in_process, peak_memory_bytes, process_seconds
from fanwise.errors import UsageError
from fanwise.units import show_bytes, show_ratio, show_seconds


def test_sides_take_turns_and_no_side_is_always_first() -> None:
    """Each round calls every side once, and every other round goes backwards."""
    calls: list[str] = []

    def side(name: str) -> Callable[[], float]:
        return lambda: calls.append(name) or 0.0  # type: ignore[func-returns-value]

    alternate({"a": side("a"), "b": side("b")}, 3)

    assert calls == ["a", "b", "b", "a", "a", "b"]


def test_a_side_is_told_by_its_median() -> None:
    """One slow round on a noisy machine changes nothing."""
    spans = iter([1.0, 900.0, 3.0, 2.0, 1.5])

    assert alternate({"a": lambda: next(spans)}, 5) == {"a": 2.0}


def test_no_rounds_are_refused() -> None:
    """There is no median of nothing."""
    with pytest.raises(UsageError, match="0 rounds"):
        alternate({"a": lambda: 1.0}, 0)


def test_a_command_that_fails_is_not_measured() -> None:
    """A failure isn't a fast start; the error quotes the command's last line."""
    with pytest.raises(UsageError, match=r"exited with 1: KeyError: 'nix'"):
        process_seconds([sys.executable, "-c", "{}['nix']"])


def test_peak_memory_keeps_what_was_held_once() -> None:
    """Memory that was used and given back counts in the peak."""
    before_bytes = peak_memory_bytes()
    # All of it is written to, and it alone is more than this process has ever held.
    assert len(bytearray(b"x") * (before_bytes + 64 * 2**20)) > before_bytes

    assert peak_memory_bytes() - before_bytes >= 64 * 2**20


def test_a_process_is_measured_without_the_memory_of_its_parent() -> None:
    """What this process holds isn't counted as the child's."""
    held = bytearray(b"x") * (300 * 2**20)
    figures = in_process(Held, "fanwise.bench.context_process", "hold", "fanwise", "10", "1000")

    assert len(held) == 300 * 2**20
    assert figures.memory_bytes < 50 * 2**20
    assert figures.items == 10


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (show_bytes(40), "40 B"),
        (show_bytes(999.6), "1 KB"),
        (show_bytes(1_060_000), "1.06 MB"),
        (show_bytes(123_456_000_000), "123 GB"),
        (show_bytes(5_000_000_000_000), "5 TB"),
        (show_bytes(-1_130_000), "-1.13 MB"),
        (show_bytes(-123_456), "-123 KB"),
        (show_seconds(81e-9), "81 ns"),
        (show_seconds(0.0174), "17.4 ms"),
        (show_seconds(1234.5), "1,234 s"),
        (show_ratio(29_956.3), "29,956x"),
        (show_ratio(0.834), "0.834x"),
    ],
)
def test_figures_are_shown_with_three_digits(shown: str, expected: str) -> None:
    """A figure has the unit that keeps it short."""
    assert shown == expected
