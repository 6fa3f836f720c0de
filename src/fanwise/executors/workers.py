"""Workers as a visit sees them: places elsewhere that make attempts, and how they end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple, Protocol

from fanwise.errors import WorkerDiedError, WorkerRefusedError
from fanwise.executors.frames import Attempts, ToWorker, VisitMessage

MOST_LOSSES: Final = 5
"""Workers that may die in a row before they begin."""


class WorkerEnd(NamedTuple):
    """The end of a worker: `how` in words, and its signal or exit status, if there is one."""

    how: str
    signal: int | None = None
    exit_status: int | None = None


class Guest(Protocol):
    """A visit, as its workers know it. Called on the event loop's thread."""

    def offered(self, worker: Worker) -> None:
        """Take over a worker that was asked for, or give it back."""

    def refused(self, error: WorkerRefusedError) -> None:
        """Take note that no worker can be had that was asked for."""

    def heard(self, worker: Worker, message: VisitMessage) -> None:
        """Take a message in."""

    def lost(self, worker: Worker, end: WorkerEnd) -> None:
        """Take note that the worker has died."""


class Worker(Protocol):
    """A place elsewhere that makes attempts, and the way to it."""

    @property
    def is_alive(self) -> bool:
        """True if it can be sent attempts."""

    @property
    def is_worn(self) -> bool:
        """True once it has made so many attempts that it is to make room for a new one."""

    def join(self, visit: int, guest: Guest) -> None:
        """Pass on the messages of a visit to `guest`."""

    def leave(self, visit: int) -> None:
        """Pass them on no more."""

    def send(self, message: ToWorker) -> None:
        """Send a message. It is lost if the worker has died."""

    def running(self) -> Collection[int] | None:
        """The numbers of the attempts that it ran when it died; None if nobody knows."""

    def kill(self) -> None:
        """End it at once, with all that it runs; its guests hear of it soon."""


class ServingWorker(Worker):
    """The base of workers: its guests by their visits, and the number of attempts it was sent."""

    def __init__(self, most_attempts: int) -> None:
        self._most_attempts = most_attempts
        self._attempts = 0
        self._guests: dict[int, Guest] = {}

    @property
    def is_worn(self) -> bool:
        """True once it has been sent so many attempts that it is to make room for a new one."""
        return self._attempts >= self._most_attempts

    @property
    def is_idle(self) -> bool:
        """True if no visit uses it."""
        return not self._guests

    def join(self, visit: int, guest: Guest) -> None:
        """Pass on the messages of a visit to `guest`."""
        self._guests[visit] = guest

    def leave(self, visit: int) -> None:
        """Pass them on no more."""
        self._guests.pop(visit, None)

    def _count(self, message: ToWorker) -> None:
        """Count the attempts in a message that is sent."""
        if type(message) is Attempts:
            self._attempts += len(message.attempts)

    def _pass_to_guest(self, message: VisitMessage) -> None:
        """Pass on a message to the guest of its visit, if that hasn't left."""
        if (guest := self._guests.get(message.visit)) is not None:
            guest.heard(self, message)

    def _dismiss(self) -> dict[int, Guest]:
        """Have no guest any more, and return the guests of before by their visits."""
        guests, self._guests = self._guests, {}
        return guests


class Workers(Protocol):
    """The workers of an engine. `size` is how many may compute at once.

    `least_s` is the work that is worth a way to a worker and back, whatever else is left.
    """

    size: int
    least_s: float

    def next_number(self) -> int:
        """A number for a visit or an attempt, from 1, given once."""

    def borrow(self, guest: Guest) -> Worker | None:
        """A worker for one visit alone; None if all are lent, and then one is offered later.

        Like `shared` and `spare` it raises `WorkerRefusedError` if none can be started.
        """

    def forget(self, guest: Guest) -> None:
        """Offer this guest nothing any more."""

    def give_back(self, worker: Worker) -> None:
        """End the loan of a worker."""

    @property
    def is_wanted(self) -> bool:
        """True if guests wait for a worker to be offered."""

    def shared(self) -> Sequence[Worker]:
        """The workers that all visits of `async def` actions share."""

    def spare(self) -> Worker:
        """A worker for suspects, made for them; it ends when it is given back."""


def died(path: str, end: WorkerEnd) -> WorkerDiedError:
    """The error of an attempt that has killed its worker twice."""
    return WorkerDiedError(
        f"the process that ran {path} {end.how}, and so did the next one that ran it alone.",
        signal=end.signal,
        exit_status=end.exit_status,
        hint=_out_of_memory(end),
    )


def never_began(end: WorkerEnd) -> WorkerDiedError:
    """The error of a visit whose workers die before they make attempts."""
    return WorkerDiedError(
        f"{MOST_LOSSES} processes in a row ended before they had imported the action: the last "
        f"one {end.how}.",
        signal=end.signal,
        exit_status=end.exit_status,
        hint=_out_of_memory(end) or "Import the pack in a Python of its own to see why.",
    )


def _out_of_memory(end: WorkerEnd) -> str:
    return "Linux ends processes so when memory runs out." if end.signal == 9 else ""
