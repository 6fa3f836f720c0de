"""A pool of child processes that all runs of an engine share, and that starts them when needed."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping, Sequence

from fanwise.executors.child import Child
from fanwise.executors.workers import Guest, Worker


class ProcessPool:
    """The processes of an engine. Implements `workers.Workers`.

    Those that are lent to one visit at a time are apart from those that visits share.
    """

    def __init__(self, size: int, environment: Mapping[str, str], recycled_after: int) -> None:
        self.size = size
        self._environment = environment
        self._recycled_after = recycled_after
        self._numbers = itertools.count(1)
        self._lent: set[Child] = set()
        self._free: list[Child] = []
        self._shared: list[Child] = []
        self._worn: list[Child] = []  # were shared, and are left to their visits
        self._spare: set[Child] = set()
        self._ending: list[Child] = []
        self._waiting: deque[Guest] = deque()

    @property
    def processes(self) -> frozenset[int]:
        """The numbers of the processes that live."""
        return frozenset(child.pid for child in self._children() if child.is_alive)

    def _children(self) -> Sequence[Child]:
        return (*self._lent, *self._free, *self._shared, *self._worn, *self._spare)

    def next_number(self) -> int:
        """A number for a visit or an attempt, from 1, given once."""
        return next(self._numbers)

    @property
    def is_wanted(self) -> bool:
        """True if guests wait for a process to be offered."""
        return bool(self._waiting)

    def borrow(self, guest: Guest) -> Worker | None:
        """A process for one visit alone; None if all are lent, and then one is offered later."""
        if guest in self._waiting:
            return None
        while self._free:
            child = self._free.pop()
            if child.is_alive:
                return self._lend(child)
            self._let_end(child)
        if len(self._lent) < self.size:
            return self._lend(self._start())
        self._waiting.append(guest)
        return None

    def _lend(self, child: Child) -> Child:
        self._lent.add(child)
        return child

    def _start(self) -> Child:
        self._ending = [child for child in self._ending if not child.has_ended]
        return Child(self._environment, self._recycled_after, self._gone)

    def forget(self, guest: Guest) -> None:
        """Offer this guest nothing any more."""
        if guest in self._waiting:
            self._waiting.remove(guest)

    def give_back(self, worker: Worker) -> None:
        """End the loan of a process; one that was made for it alone ends."""
        assert isinstance(worker, Child)
        if worker in self._spare:
            self._spare.discard(worker)
            self._let_end(worker)
            return
        self._lent.discard(worker)
        if worker.is_worn or not worker.is_alive:
            self._let_end(worker)
        else:
            self._free.append(worker)
        self._offer()

    def _let_end(self, child: Child) -> None:
        child.close()
        self._ending.append(child)

    def _offer(self) -> None:
        if self._waiting and (self._free or len(self._lent) < self.size):
            guest = self._waiting.popleft()
            child = self._free.pop() if self._free else self._start()
            guest.offered(self._lend(child))

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

    def _gone(self, child: Child) -> None:
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
