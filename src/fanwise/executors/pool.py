"""A pool of processes that all runs of an engine share, and that starts them when needed."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from fanwise.errors import WorkerRefusedError
from fanwise.executors.workers import Guest, Worker


class PooledWorker(Worker, Protocol):
    """A process of a pool, wherever it runs."""

    @property
    def is_idle(self) -> bool:
        """True if no visit uses it."""

    @property
    def has_ended(self) -> bool:
        """True once it has ended."""

    def close(self) -> None:
        """Let it end."""

    def wait(self) -> None:
        """Wait for its end, which comes soon or is made to come."""


P = TypeVar("P", bound=PooledWorker)


class ProcessPool(Generic[P]):
    """Processes of an engine, `size` at once of each kind. Implements `workers.Workers`.

    Those that are lent to one visit at a time are apart from those that visits share. `start`
    starts a process that calls its argument once it has died. `least_s` is that of `Workers`.
    """

    def __init__(
        self, size: int, start: Callable[[Callable[[P], None]], P], *, least_s: float
    ) -> None:
        self.size = size
        self.least_s = least_s
        self._start_one = start
        self._numbers = itertools.count(1)
        self._lent: set[P] = set()
        self._free: list[P] = []
        self._shared: list[P] = []
        self._worn: list[P] = []  # were shared, and are left to their visits
        self._spare: set[P] = set()
        self._ending: list[P] = []
        self._waiting: deque[Guest] = deque()

    @property
    def living(self) -> Sequence[P]:
        """The processes that live."""
        return [child for child in self._children() if child.is_alive]

    def _children(self) -> Sequence[P]:
        return (*self._lent, *self._free, *self._shared, *self._worn, *self._spare)

    def next_number(self) -> int:
        """A number for a visit or an attempt, from 1, given once."""
        return next(self._numbers)

    @property
    def is_wanted(self) -> bool:
        """True if guests wait for a process to be offered."""
        return bool(self._waiting)

    def borrow(self, guest: Guest) -> Worker | None:
        """A process for one visit alone; see `Workers.borrow`."""
        if guest in self._waiting:
            return None
        child = self._lend()
        if child is None:
            self._waiting.append(guest)
        return child

    def _lend(self) -> P | None:
        """A process that is lent from now on; None if all are that there can be."""
        child: P | None = None
        while self._free and child is None:
            free = self._free.pop()
            if free.is_alive:
                child = free
            else:
                self._let_end(free)
        if child is None and len(self._lent) < self.size:
            try:
                child = self._start()
            except WorkerRefusedError:
                if not self._lent:
                    raise
        if child is not None:
            self._lent.add(child)
        return child

    def _start(self) -> P:
        self._ending = [child for child in self._ending if not child.has_ended]
        try:
            return self._start_one(self._gone)
        except OSError as error:
            raise WorkerRefusedError(
                f"a worker process can't be started: {error.strerror}.",
                hint="Set FANWISE_PROCESSES to less, or raise the limits of this process: ulimit.",
            ) from error

    def forget(self, guest: Guest) -> None:
        """Offer this guest nothing any more."""
        if guest in self._waiting:
            self._waiting.remove(guest)

    def give_back(self, worker: Worker) -> None:
        """End the loan of a process; one that was made for it alone ends."""
        child: P = worker  # type: ignore[assignment]
        if child in self._spare:
            self._spare.discard(child)
            self._let_end(child)
            return
        self._lent.discard(child)
        if child.is_worn or not child.is_alive:
            self._let_end(child)
        else:
            self._free.append(child)
        self._offer()

    def _let_end(self, child: P) -> None:
        child.close()
        self._ending.append(child)

    def _offer(self) -> None:
        if not self._waiting:
            return
        try:
            child = self._lend()
        except WorkerRefusedError as error:
            while self._waiting:  # nobody has a process that could be offered later
                self._waiting.popleft().refused(error)
            return
        if child is not None:
            self._waiting.popleft().offered(child)

    def shared(self) -> Sequence[Worker]:
        """The processes that all visits of `async def` actions share."""
        for child in [*self._shared]:
            if child.is_worn or not child.is_alive:
                self._shared.remove(child)
                self._worn.append(child)
        for child in [*self._worn]:
            if child.is_idle:
                self._worn.remove(child)
                self._let_end(child)
        while len(self._shared) < self.size:
            self._shared.append(self._start())
        return self._shared

    def spare(self) -> Worker:
        """A process for suspects, made for them; it ends when it is given back."""
        child = self._start()
        self._spare.add(child)
        return child

    def _gone(self, child: P) -> None:
        """Forget a process that has died."""
        self._lent.discard(child)
        self._spare.discard(child)
        for some in (self._shared, self._worn, self._free):
            if child in some:
                some.remove(child)
        self._offer()

    def close(self) -> None:
        """End all processes."""
        for child in self._children():
            self._let_end(child)
        self._lent, self._free, self._shared = set(), [], []
        self._worn, self._spare = [], set()
        for child in self._ending:
            child.wait()
