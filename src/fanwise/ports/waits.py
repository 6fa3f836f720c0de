"""The waits of runs: opened by the engine, settled by people, by programs, or by their deadline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from fanwise.model import GivenAnswer, Link, OpenWait, Signal, Wait, WaitToOpen

CheckAnswer: TypeAlias = Callable[[Wait, GivenAnswer], bytes | None]
"""Gives an answer to a question as JSON text, or None if it doesn't fit. It is pure."""


class Waits(Protocol):
    """Waits, and the signals that end some of them. Any thread may call these; they may block.

    A wait is settled once: by an answer, by a signal, or by its deadline. Each change is one
    transaction that locks the run first, so all of them happen one after the other. What settles a
    wait makes a submitted run that is `waiting` `pending` in the same transaction.
    """

    def open_waits(
        self,
        run_no: int,
        token: int,
        waits: Sequence[WaitToOpen],
        check: CheckAnswer | None = None,
    ) -> Sequence[Wait]:
        """Record waits that aren't recorded yet, and return all of them as they are then.

        Waits for a signal that has come already are settled by it, in their order, and questions by
        answers that were kept for them, if these fit by `check`. An answer that doesn't is kept no
        longer; without `check` all of them are. `token` is that of the run's lease. Raises
        `LeaseLostError` if another process has taken the run.
        """

    def doze(self, run_no: int, token: int, rest_s: float) -> int:
        """Have the run as a whole wait for so many seconds, and return its `last_settled`.

        It is a wait that people don't see. `token` is that of the run's lease. Raises
        `LeaseLostError` if another process has taken the run.
        """

    def wake_at(self, run_no: int) -> float | None:
        """The time at which a run that sleeps is due, or None if it doesn't sleep as a whole."""

    def last_settled(self, run_no: int) -> int:
        """The highest `settled_no` of the run's waits, 0 if none is settled."""

    def settled_waits(self, run_no: int, *, after: int = 0) -> Sequence[Wait]:
        """The waits of a run with a `settled_no` over `after`, in its order.

        Those whose deadline has come are settled by that first.
        """

    def answer_wait(
        self, run_no: int, path: str, turn: int, answer: bytes, *, by: str, via: str
    ) -> Wait:
        """Settle an open wait with an answer, JSON text, and return it as it is then.

        A wait that isn't open any more, or whose deadline has come, isn't changed but for the
        latter. Raises `RunOverError` if the run is over.
        """

    def keep_answer(self, run_no: int, path: str, answer: GivenAnswer) -> bool:
        """Keep an answer for the question that will be asked at a path, on its first visits or not.

        False, and nothing is kept, if the task or item there waits, or has waited at this very
        path. Raises `RunOverError` if the run is over.
        """

    def send_signal(self, run_no: int, signal: Signal) -> Wait | None:
        """Keep a signal for a run; return the wait that it has settled, or None if none waits yet.

        Raises `RunOverError` if the run is over.
        """

    def wake_settled(self, run_no: int, *, after: int) -> None:
        """Make a waiting run pending if a wait with a `settled_no` over `after` is settled.

        Does nothing to a run that wasn't submitted.
        """

    def wake_due(self) -> None:
        """Settle the waits of waiting runs whose deadline has come."""

    def waits_at(self, run_no: int, path: str) -> Sequence[Wait]:
        """The waits of one task or item, one for each attempt, in their order."""

    def waits_open(self, *, run_no: int | None = None, limit: int = 100) -> Sequence[OpenWait]:
        """At most `limit` open waits of runs that aren't over, the oldest first; or of one run."""

    def add_links(self, links: Sequence[Link]) -> None:
        """Record links to questions, which last as long as their runs."""

    def link(self, token_hash: str) -> Link | None:
        """The link whose token has this hash, or None."""
