"""The workers of one visit: those it has borrowed, those it shares, and its spare ones."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from fanwise.executors.frames import Close, Open
from fanwise.executors.placing import Lane, Placing, even_shares
from fanwise.executors.workers import Guest, Worker, Workers
from fanwise.ports import Clock


class Station:
    """A worker in use for a visit, its lane, and what is known of it.

    A worker that is `lent` is no other visit's. `since` is when an outcome last came of it, or when
    it was given something to do; `killed` says why it was killed, or is empty. `had_turn` says that
    it was given something at all, so that its worker may change hands.
    """

    __slots__ = ("had_turn", "is_open", "is_recalled", "killed", "lane", "lent", "since", "worker")

    def __init__(self, worker: Worker, lane: Lane, *, lent: bool) -> None:
        self.worker = worker
        self.lane = lane
        self.lent = lent
        self.since = 0.0
        self.had_turn = False
        self.is_open = False
        self.is_recalled = False
        self.killed = ""

    @property
    def has_room(self) -> bool:
        """True if an attempt may begin here at once."""
        return self.lane.has_room and not self.killed and not self.worker.is_worn


class Stations:
    """The stations of the visit `guest`, in `most` workers at once beside those of suspects.

    In all of them `width` attempts run at most. With `blocks` its action needs workers for itself.
    `opening` makes the visit known to a worker.
    """

    def __init__(
        self,
        guest: Guest,
        workers: Workers,
        clock: Clock,
        opening: Open,
        *,
        most: int,
        blocks: bool,
    ) -> None:
        self._guest = guest
        self._workers = workers
        self._clock = clock
        self._opening = opening
        self._most = most
        self._blocks = blocks
        self._by_worker: dict[Worker, Station] = {}
        # A worker that was given back still has the visit open, and may refuse it.
        self._left: dict[Worker, Station] = {}
        self.placing: Placing[Worker] = Placing()

    def __iter__(self) -> Iterator[Station]:
        return iter([*self._by_worker.values()])

    def of(self, worker: Worker) -> Station | None:
        """The station in a worker that has the visit open, if there is one."""
        return self._by_worker.get(worker) or self._left.get(worker)

    def may_grow(self, station: Station) -> bool:
        """True if a station may get more before it is empty: nobody waits for its worker."""
        return not (station.worker.is_worn or (station.lent and self._workers.is_wanted))

    @property
    def free(self) -> int:
        """The number of attempts that may begin beside those that run."""
        return self._opening.width - self.placing.running

    def with_room(self) -> Station | None:
        """A station where an attempt may begin at once; if there is none, one may be offered."""
        for station in self:
            if station.had_turn and not station.lane.sent and not self.may_grow(station):
                self._leave(station)
        if self.free <= 0:
            return None
        return self._own() if self._blocks else self._least_busy()

    def _own(self) -> Station | None:
        for station in self._by_worker.values():
            if station.has_room:
                return station
        if len(self._by_worker) >= self._most:
            return None
        worker = self._workers.borrow(self._guest)
        return None if worker is None else self.join(worker)

    def _least_busy(self) -> Station | None:
        stations = self._by_worker.values()
        shared = [each for each in stations if not (each.lent or each.worker.is_worn)]
        missing = self._most - len(shared)
        if missing > 0:
            new = [worker for worker in self._workers.shared() if worker not in self._by_worker]
            width = self._opening.width - sum(station.lane.width for station in shared)
            for share, worker in zip(even_shares(width, missing), new, strict=False):
                shared.append(self._join(worker, share, lent=False))
        rooms = [station for station in shared if station.has_room]
        return min(rooms, key=lambda station: station.lane.running, default=None)

    def spare(self, group: int) -> Station:
        """A station in a worker for a group of suspects alone."""
        station = self.join(self._workers.spare())
        station.lane.group = group
        return station

    def join(self, worker: Worker) -> Station:
        """Make a station in a worker that is lent to this visit."""
        width = 1 if self._blocks else even_shares(self._opening.width, self._most)[0]
        return self._join(worker, width, lent=True)

    def _join(self, worker: Worker, width: int, *, lent: bool) -> Station:
        station = self._left.pop(worker, None)
        if station is None:
            lane = self.placing.lanes[worker] = Lane(width)
            station = Station(worker, lane, lent=lent)
            worker.join(self._opening.visit, self._guest)
            worker.send(replace(self._opening, width=width))
        station.had_turn = False
        station.since = self._clock.monotonic()
        self._by_worker[worker] = station
        return station

    def settle(self) -> None:
        """Give back the workers that were lent and have nothing to do."""
        for station in self:
            if station.lent and not station.lane.sent:
                self._leave(station)

    def lost(self, worker: Worker) -> Station | None:
        """Forget a worker that has died, but for the lane of a station that it was in use for."""
        if self._left.pop(worker, None) is not None:
            del self.placing.lanes[worker]
        return self._by_worker.pop(worker, None)

    def close(self) -> None:
        """Leave all workers; those that are lent and have something to do are killed."""
        self._workers.forget(self._guest)
        for station in self:
            if station.lent and station.lane.sent:
                station.worker.kill()
            self._leave(station)
        for worker in [*self._left]:
            self._forget(worker)

    def _leave(self, station: Station) -> None:
        """Use a worker no more, or not before it is joined again."""
        worker = station.worker
        self._left[worker] = self._by_worker.pop(worker)
        if station.lent:
            self._workers.give_back(worker)
        if worker.is_worn or not worker.is_alive:
            self._forget(worker)

    def _forget(self, worker: Worker) -> None:
        """Close the visit in a worker."""
        del self._left[worker]
        del self.placing.lanes[worker]
        worker.send(Close(self._opening.visit))
        worker.leave(self._opening.visit)
