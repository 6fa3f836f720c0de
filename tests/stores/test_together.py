"""Changes that come at the same moment are made together, and each has its own result."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from fanwise.stores.together import Together


class Making:
    """Doubles numbers; while it makes the first of them, others come. One call is interrupted."""

    def __init__(self, others: int, interrupted: int = 0) -> None:
        self.together = Together(self._make_all)
        self.calls: list[tuple[str, Sequence[int]]] = []
        self._others = others
        self._interrupted = interrupted
        self._began = threading.Event()

    def run(self, numbers: Sequence[int], key: str = "a") -> list[int | BaseException]:
        """The results in the order of the numbers; the first comes before all others."""

        def make(number: int) -> int | BaseException:
            if number != numbers[0]:
                self._began.wait()
            try:
                return self.together.make(key, number)
            except (ValueError, KeyboardInterrupt) as error:
                return error

        with ThreadPoolExecutor(len(numbers)) as threads:
            return list(threads.map(make, numbers))

    def _make_all(self, key: str, numbers: Sequence[int]) -> list[int]:
        self.calls.append((key, sorted(numbers)))
        self._began.set()
        while len(self.calls) == 1 and len(self.together._wishes.get(key, ())) < self._others:
            os.sched_yield()
        if len(self.calls) == self._interrupted:
            raise KeyboardInterrupt
        if 13 in numbers:
            raise ValueError(13)
        return [2 * number for number in numbers]


def test_changes_that_come_meanwhile_are_made_at_once() -> None:
    """One call makes them all, and each thread has its own result."""
    making = Making(others=3)
    assert making.run([1, 2, 3, 4]) == [2, 4, 6, 8]
    assert making.calls == [("a", [1]), ("a", [2, 3, 4])]


def test_a_change_that_fails_fails_for_its_own_thread() -> None:
    """The others are made, each at once or later."""
    making = Making(others=3)
    first, *rest, failed = making.run([1, 2, 3, 13])
    assert [first, *rest] == [2, 4, 6]
    assert isinstance(failed, ValueError)


def test_changes_of_another_key_are_made_apart() -> None:
    """A call has those of one key."""
    making = Making(others=0)
    assert making.together.make("a", 1) == 2
    assert making.together.make("b", 2) == 4
    assert making.calls == [("a", [1]), ("b", [2])]


def test_an_interruption_is_of_one_thread() -> None:
    """The next one makes the changes of the others."""
    making = Making(others=3, interrupted=2)
    first, *rest = making.run([1, 2, 3, 4])
    (interrupted,) = [each for each in rest if isinstance(each, KeyboardInterrupt)]
    rest.remove(interrupted)
    assert first == 2
    assert len({*rest} & {4, 6, 8}) == 2
