"""Makes the attempts of one visit in workers elsewhere, whatever carries messages to them.

`RemoteVisit` takes tickets from a feed, sends them in chunks, and hands back outcomes as they come.
Where workers are, how they start and how messages travel is the affair of `Workers`. Spans are
seconds.
"""

from __future__ import annotations

import asyncio
from typing import Final

from fanwise.catalog import Runs
from fanwise.context import ItemContext
from fanwise.errors import (
    AttemptError,
    AttemptTimeoutError,
    WorkerRefusedError,
)
from fanwise.executors.failures import decode_error
from fanwise.executors.frames import (
    Attempts,
    Ended,
    Failure,
    Logged,
    Open,
    Opened,
    Recall,
    Refused,
    Returned,
    SentAttempt,
    Sleeping,
    Stop,
    VisitMessage,
)
from fanwise.executors.sizing import MOST_BYTES, MOST_ITEMS, ChunkSize
from fanwise.executors.stations import Station, Stations
from fanwise.executors.traces import Traces
from fanwise.executors.workers import MOST_LOSSES, Worker, WorkerEnd, Workers, died, never_began
from fanwise.ports import (
    ActionCall,
    ChunkFeed,
    Clock,
    PortableCall,
    RemoteAttemptError,
    Ticket,
    Timer,
)
from fanwise.values import encode

# Attempts elsewhere
# ==================
#
# Slots. As many attempts hold a slot as run, wherever they are: `concurrency` and `limits.running`
# count what runs, not what travels. A ticket of `Feed.take` has one, and begins at once in a lane
# with room. Behind it go tickets that were taken ahead. When an outcome comes its slot is freed,
# and the next of the lane, which the worker has begun by then, takes it in the same step.
#
# Lanes. A `def` has a worker for itself: it can be killed without harm to others, and it would
# stop an event loop. So the workers of `def` are lent, a chunk at a time if several visits want
# them. An `async def` mostly waits, so all such visits share all workers of their kind, and each
# has a share of its `concurrency` in each. Suspects (see `placing.py`) have a worker of their own,
# and worn workers finish what they have: so what runs is counted over all lanes.
#
# Leaving. A worker that is given back keeps the visit open and stays heard: a refusal may be under
# way, and a worker that has refused a visit never answers for it again.
#
# Topping up. A lane gets more once half of its chunk is done, so that a worker never waits for the
# engine. When others want its worker it gets nothing more, and changes hands once it is empty.
#
# Slow chunks. Sizes follow durations of the past. If nothing comes of a lane for far longer than
# its chunk was to take, what hasn't begun is recalled and handed out again, one by one at first.
#
# Timeouts. A worker keeps the deadlines of its attempts. One that can't, because an action has
# taken its interpreter for itself, is killed some time after the deadline.

TARGET_S: Final = 0.030
"""The work of a chunk."""

_SLOW_S: Final = 0.150
_LOOK_S: Final = 0.050
_LATE_S: Final = 1.0
"""The time after its deadline at which a worker that doesn't keep it is killed."""

_HALT_S: Final = {True: 0.5, False: 5.0}
"""The time for which attempts may run after a halt, by whether they block their worker."""


class RemoteVisit:
    """The attempts of one visit. Implements `Guest`."""

    def __init__(
        self,
        feed: ChunkFeed,
        call: ActionCall,
        workers: Workers,
        clock: Clock,
        portable: PortableCall,
        secrets: bytes,
        *,
        may_carry_secrets: bool = True,
    ) -> None:
        self._feed = feed
        self._call = call
        self._received = call.received
        self._may_carry_secrets = may_carry_secrets
        self._workers = workers
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._blocks = call.runs is not Runs.ASYNC
        self._visit = workers.next_number()
        most = max(1, min(feed.width, workers.size))
        opening = Open(self._visit, portable, secrets, feed.width)
        self._stations = Stations(self, workers, clock, opening, most=most, blocks=self._blocks)
        self._placing = self._stations.placing
        slots = most if self._blocks else feed.width
        self._size = ChunkSize(
            most, slots, target_s=TARGET_S, least_s=workers.least_s, rest=feed.rest
        )
        self._traces = Traces(self._visit, call)
        self._changed: asyncio.Future[None] = self._loop.create_future()
        self._timer: Timer | None = None
        self._halted_at: float | None = None
        self._losses = 0

    async def run(self) -> None:
        """Make the attempts that the feed hands out."""
        self._feed.on_halt(self._halt)
        self._look()
        try:
            while True:
                changed = self._changed  # of what follows, too
                station = None
                try:
                    station = self._stations.with_room()
                    if station is not None and self._fill(station):
                        continue
                except WorkerRefusedError as error:
                    self._feed.give_up(error)
                self._stations.settle()
                if station is None and not self._placing.is_idle:
                    await asyncio.shield(changed)
                elif not await self._more(changed):
                    return
        finally:
            self._end()

    # Handing out

    def _fill(self, station: Station, ticket: Ticket | None = None) -> bool:
        """Send what may begin at once, and a chunk behind it; False if there is nothing to send.

        A `ticket` that was taken already is the first.
        """
        lane, chunk = station.lane, _Chunk()
        free = self._stations.free
        while lane.has_room and free > 0:
            ticket = ticket or self._feed.take()
            if ticket is None:
                break
            group = self._placing.group_of(ticket)
            if group != lane.group and (lane.sent or not station.lent):
                if group is not None and not station.lent:
                    self._send(station, chunk)
                    return self._fill(self._spare(group, ticket), ticket)
                self._feed.put_back([ticket], running=1)
                break
            free -= self._add(station, chunk, ticket, runs=True)
            ticket = None
        if chunk.attempts:
            self._add_ahead(station, chunk)
            self._send(station, chunk)
        return bool(chunk.attempts)

    def _spare(self, group: int, ticket: Ticket) -> Station:
        """A station for suspects; the ticket is put back if there is none."""
        try:
            return self._stations.spare(group)
        except WorkerRefusedError:
            self._feed.put_back([ticket], running=1)
            raise

    def _add_ahead(self, station: Station, chunk: _Chunk) -> None:
        """Add attempts that begin after those that run, as many as make a chunk."""
        lane, feed = station.lane, self._feed
        if lane.running < lane.width:
            return
        most = min(MOST_ITEMS, self._size.of(feed.rest, lane.width))
        if 2 * len(lane.sent) > most + lane.width:
            return
        while len(lane.sent) < most and chunk.size_bytes < MOST_BYTES:
            ticket = feed.take_ahead()
            if ticket is None:
                return
            if self._placing.group_of(ticket) != lane.group:
                feed.put_back([ticket])
                return
            self._add(station, chunk, ticket, runs=False)

    def _add(self, station: Station, chunk: _Chunk, ticket: Ticket, *, runs: bool) -> bool:
        """Add an attempt; False if it has failed, since its item can't be sent.

        A hot path, as `_ended` is.
        """
        context = ticket.context
        item = b""
        if isinstance(context, ItemContext):
            try:
                item = encode(context.item, where="item")
                if not self._may_carry_secrets and self._received(item) != item:
                    raise _secret_item()
            except AttemptError as error:
                if not runs:
                    self._feed.begin()
                self._feed.failed(ticket, error, self._clock.now(), 0.0)
                return False
        number = self._workers.next_number()
        if not station.lane.sent:
            station.since = self._clock.monotonic()
        self._placing.send(station.lane, number, ticket, runs=runs)
        chunk.attempts.append(SentAttempt(number, ticket.index, ticket.attempt, item))
        chunk.size_bytes += len(item)
        return True

    def _send(self, station: Station, chunk: _Chunk) -> None:
        if chunk.attempts:
            station.had_turn = True
            station.worker.send(Attempts(self._visit, chunk.attempts))

    async def _more(self, changed: asyncio.Future[None]) -> bool:
        """Wait until another look is worth while; False if nothing runs and nothing will come."""
        is_idle = self._placing.is_idle
        asked = asyncio.ensure_future(self._feed.wait())
        try:
            waits: list[asyncio.Future[bool] | asyncio.Future[None]] = [asked, changed]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if changed.done():
                changed.result()
            if not asked.done() or asked.result():
                return True
        finally:
            asked.cancel()
        if not is_idle:
            await asyncio.shield(changed)
        return not is_idle

    def _wake(self) -> None:
        changed, self._changed = self._changed, self._loop.create_future()
        changed.set_result(None)

    def _break(self, error: Exception) -> None:
        """End the visit with an error that belongs to no attempt."""
        changed, self._changed = self._changed, self._loop.create_future()
        changed.set_exception(error)

    # Taking back

    def offered(self, worker: Worker) -> None:
        """Take over a worker that was asked for."""
        self._stations.join(worker)
        self._wake()

    def refused(self, error: WorkerRefusedError) -> None:
        """Make no more attempts: no worker can be had."""
        self._feed.give_up(error)
        self._wake()

    def heard(self, worker: Worker, message: VisitMessage) -> None:
        """Take a message in."""
        try:
            self._take_in(worker, message)
        except Exception as error:
            self._break(error)

    def lost(self, worker: Worker, end: WorkerEnd) -> None:
        """Take note that a worker has died: its attempts go elsewhere, or fail."""
        try:
            self._take_back(worker, end)
        except Exception as error:
            self._break(error)

    def _take_in(self, worker: Worker, message: VisitMessage) -> None:
        station = self._stations.of(worker)
        if station is None:
            return
        match message:
            case Ended():
                self._ended(station, message)
            case Logged():
                if (ticket := station.lane.sent.get(message.number)) is not None:
                    self._traces.logged(ticket, message)
            case Sleeping():
                if (ticket := station.lane.sent.get(message.number)) is not None:
                    self._traces.sleeps(worker, ticket, message)
            case Returned():
                station.is_recalled = False
                tickets, held = station.lane.returned(message.numbers)
                self._feed.put_back(tickets, running=held)
                self._wake()
            case Opened():
                station.is_open = True
                station.since = self._clock.monotonic()
                self._losses = 0
            case Refused():
                self._drop(station)
                self._feed.give_up(WorkerRefusedError(message.message, hint=message.hint))
                self._wake()

    def _ended(self, station: Station, message: Ended) -> None:
        """Hand back outcomes. The hot loop: it runs for each attempt."""
        lane, feed, traces = station.lane, self._feed, self._traces
        station.since = self._clock.monotonic()
        received = self._received
        total_s = 0.0
        for outcome in message.outcomes:
            ticket, begins = lane.ended(outcome.number)
            if ticket is None:
                continue
            if traces.numbers:
                traces.end(outcome.number, ticket)
            duration_s = outcome.duration_s
            total_s += duration_s
            if outcome.output is not None:
                feed.succeeded(ticket, received(outcome.output), outcome.started_at, duration_s)
            elif outcome.failure is not None:
                feed.failed(ticket, _error(outcome.failure), outcome.started_at, duration_s)
            else:
                feed.cancelled(ticket, outcome.started_at, duration_s)
            if begins:
                feed.begin()
        self._size.ended(len(message.outcomes), total_s)
        if lane.sent and self._halted_at is None and self._stations.may_grow(station):
            chunk = _Chunk()
            self._add_ahead(station, chunk)
            self._send(station, chunk)
        if lane.has_room:
            self._wake()

    def _take_back(self, worker: Worker, end: WorkerEnd) -> None:
        station = self._stations.lost(worker)
        if station is None:
            return
        lane, feed, now = station.lane, self._feed, self._clock.monotonic()
        ran_s = now - station.since
        started_at = self._clock.now() - ran_s
        for number, ticket in lane.sent.items():
            self._traces.end(number, ticket)
        if self._halted_at is not None:
            del self._placing.lanes[worker]
            tickets = [*lane.sent.values()]
            for ticket in tickets[: lane.running]:
                feed.cancelled(ticket, started_at, ran_s)
            feed.put_back(tickets[lane.running :])
        elif not station.is_open:
            del self._placing.lanes[worker]
            feed.put_back([*lane.sent.values()], running=lane.running)
            self._losses += 1
            if self._losses >= MOST_LOSSES:
                feed.give_up(never_began(end))
        else:
            loss = self._placing.lost(worker, worker.running(), is_late=bool(station.killed))
            if loss.failed is not None:
                error: AttemptError = died(self._call.describe(loss.failed), end)
                if station.killed:
                    error = AttemptTimeoutError(station.killed)
                feed.failed(loss.failed, error, started_at, ran_s)
            feed.put_back(loss.again, running=loss.running)
        self._wake()

    # Stopping, and what is late

    def _halt(self) -> None:
        """Cut off what runs."""
        self._halted_at = self._clock.monotonic()
        for station in self._stations:
            if station.lane.sent:
                station.worker.send(Stop(self._visit))

    def _look(self) -> None:
        """Recall what waits in slow lanes, and kill workers that keep no deadline."""
        now = self._clock.monotonic()
        for station in self._stations:
            if station.lane.sent and not station.killed:
                self._look_at(station, now)
        self._timer = self._clock.call_later(_LOOK_S, self._look)

    def _look_at(self, station: Station, now: float) -> None:
        lane, timeout_s = station.lane, self._call.timeout_s
        silent_s = now - station.since
        if self._halted_at is not None:
            if now - self._halted_at > _HALT_S[self._blocks]:
                station.killed = "halted"
                station.worker.kill()
        elif not station.is_open:
            return
        elif timeout_s is not None and silent_s > timeout_s + _LATE_S:
            station.killed = (
                f"the attempt took longer than its timeout of {timeout_s:g} s, and its process "
                "had to be killed"
            )
            station.worker.kill()
        elif silent_s > _SLOW_S and len(lane.sent) > lane.running and not station.is_recalled:
            station.is_recalled = True
            self._size.was_slow()
            station.worker.send(Recall(self._visit))

    def _drop(self, station: Station) -> None:
        """Take all attempts of a station back, as if they had never been sent."""
        tickets, held = station.lane.returned([*station.lane.sent])
        self._feed.put_back(tickets, running=held)

    def _end(self) -> None:
        """Leave all workers, also in the middle of attempts."""
        if self._timer is not None:
            self._timer.cancel()
        self._traces.close()
        now = self._clock.now()
        for station in self._stations:
            for ticket in [*station.lane.sent.values()][: station.lane.running]:
                self._feed.cancelled(ticket, now, 0.0)
        self._stations.close()


class _Chunk:
    """Attempts that are sent together, and the bytes of their items."""

    __slots__ = ("attempts", "size_bytes")

    def __init__(self) -> None:
        self.attempts: list[SentAttempt] = []
        self.size_bytes = 0


def _secret_item() -> WorkerRefusedError:
    return WorkerRefusedError(
        "the item holds a secret, and secrets don't go there.",
        hint="Name it in the input, as secrets.NAME, and not in with-items.",
    )


def _error(failure: Failure) -> RemoteAttemptError:
    return RemoteAttemptError(
        decode_error(failure.error),
        retryable=failure.retryable,
        retry_after_s=failure.retry_after_s,
    )
