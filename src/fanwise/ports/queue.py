"""The queues of a store, from which engines take submitted runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from fanwise.model import Claim, EngineRecord, RunOrder, RunRecord, Submission


class Queue(Protocol):
    """Queues of submitted runs, and the engines that take them. Any thread may call these.

    They block. A submitted run waits, or it has been taken: by a claim, or by `Ownership.acquire`.
    Each change of that is one transaction with the change of its lease.
    """

    def submit(self, run: RunRecord, submission: Submission) -> tuple[str, bool]:
        """Record a new run that waits, and return its id and True.

        If a run has the key `once` of `submission` already, nothing is recorded, and it is the id
        of that run, and False. A run that its limit has skipped is recorded as cancelled, with the
        reason as its error; other runs make way as the limit says. Raises `RunExistsError` if the
        run's id is taken, `RunRepeatedError` for a repeat, and `QueueFullError`.
        """

    def is_full(self, workflow: str, most: int) -> bool:
        """Say whether so many runs of a workflow wait already that no other one may."""

    def submissions(self, run_nos: Collection[int]) -> Mapping[int, Submission]:
        """Return the places of these runs by their numbers, without runs that weren't submitted."""

    def has_work(self, queues: Sequence[str]) -> bool:
        """Say whether a look is worth its while: `claim` may give something, or `Waits.wake_due`.

        It asks the store once, as engines that idle do all the time.
        """

    def claim(self, engine_no: int, queues: Sequence[str], most: int) -> Sequence[Claim]:
        """Give at most `most` waiting runs to an engine, each of them with a new lease.

        The first queue is emptied before the next. A run under a limit gets a slot, or is left out.
        An engine that isn't recorded any more gets
        nothing. Of several engines that claim at once each run goes to one.
        """

    def put_back(self, run_no: int, token: int, why: str, *, counts: bool) -> None:
        """Give a run back to its queue, if the lease still has that token.

        With `counts` it was a try: one without progress if the run has recorded nothing new since
        it was taken. A run that is over or wasn't submitted doesn't wait, it is only given back.
        """

    def reap(self, engine_no: int, beats: int) -> Sequence[str]:
        """Put back the submitted runs of an engine that is gone, and return the ids of these runs.

        Does nothing if the engine has beaten again. A run that was being paused on request stays
        with nobody. Leases of other runs stay as they are, and so does an engine that has some;
        otherwise the engine is forgotten.
        """

    def order(self, run: RunRecord, order: RunOrder, place: Submission, *, after: int) -> bool:
        """Have a run that nobody drives wait for an engine, which carries an order out.

        It is taken from the lease with the token `after`, 0 for none, and gets that place in a
        queue if it has none. A run that isn't over is pending then; one that is over stays so until
        its retry begins. Returns False, and changes nothing, if that isn't its lease any more.
        """

    def decline(self, run_no: int, why: str) -> None:
        """Drop the order for a run that the caller has taken, for a reason to be shown."""

    def end_waiting(self, run: RunRecord, by: str) -> bool:
        """End a run as cancelled that waits in a queue and was never begun.

        Returns whether it is such a run; otherwise nothing has changed.
        """

    def engines(self) -> Sequence[EngineRecord]:
        """Return all recorded engines in the order of their numbers, with the runs they hold."""

    def count_ready(self, most: int) -> int:
        """Count the runs that wait to be taken and aren't held back, up to `most` of them."""

    def await_change(self, timeout_s: float) -> bool:
        """Block until the store may have changed since the last call, at most for so long.

        It is a hint that may be missed or given in vain: a caller that waits has to look by itself
        from time to time. One thread at a time calls it.
        """
