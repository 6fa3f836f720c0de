"""The places of one visit's attempts: which worker has them, which run, and which are suspects.

Pure: it sends nothing, reads no clock and holds no slot itself; it says how many an executor has to
take or to free. Attempts have numbers, each once, which grow in the order in which they are sent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Generic, NamedTuple, TypeVar

from fanwise.ports import Ticket

# Workers that die
# ================
#
# A process that dies may have been killed by one of its attempts, or by something else: the
# kernel when memory ran out, or an operator. So its death fails nobody. The attempts that it ran
# are suspects. Where it is known which ones these were, they are made once more, each group of
# suspects in a worker of its own; all others have not begun, and are handed out as if they had
# never been sent. Where it isn't known, all of its attempts are suspects, and go in two halves. A
# group whose worker dies as well is halved again, until the attempt that kills stands alone. A
# single suspect that had a worker for itself alone, and whose worker has died again, has failed.
#
# So an attempt that kills does so a few times, and its neighbours may run more than once, as they
# may after a crash of the engine. Each death makes a group smaller or ends one, so deaths end.

W = TypeVar("W")


class Loss(NamedTuple):
    """The attempts of a worker that has died.

    `again` are to be handed out again, in this order; `failed` has killed its worker. `running` of
    those in `again` hold a slot, and so does `failed`.
    """

    again: Sequence[Ticket]
    failed: Ticket | None
    running: int


class Lane:
    """The attempts that one worker has: the first `running` of them run, `width` at most.

    A worker begins them in the order in which they were sent. `group` is that of suspects, which
    have the worker for themselves.
    """

    __slots__ = ("group", "running", "sent", "width")

    def __init__(self, width: int) -> None:
        self.width = width
        self.sent: dict[int, Ticket] = {}
        self.running = 0
        self.group: int | None = None

    @property
    def has_room(self) -> bool:
        """True if another attempt may begin at once."""
        return self.running < self.width and len(self.sent) == self.running

    def add(self, number: int, ticket: Ticket, *, runs: bool) -> None:
        """Note that an attempt was sent, to run at once or when another one has ended."""
        self.sent[number] = ticket
        self.running += runs

    def ended(self, number: int) -> tuple[Ticket | None, bool]:
        """The attempt that has ended, and True if the next one has begun in its place.

        It is None for one that this lane doesn't have, or has no more.
        """
        ticket = self.sent.pop(number, None)
        if ticket is None:
            return None, False
        begins = len(self.sent) >= self.running
        if not begins:
            self.running -= 1
        return ticket, begins

    def returned(self, numbers: Collection[int]) -> tuple[list[Ticket], int]:
        """The attempts that a worker gives back, the last ones sent; so many of them held a slot.

        The worker knows more than this lane: one that was to follow may not have begun after all.
        """
        tickets = [self.sent.pop(number) for number in sorted(numbers) if number in self.sent]
        held = max(0, self.running - len(self.sent))
        self.running -= held
        return tickets, held


class Placing(Generic[W]):
    """The lanes of one visit, by their workers, and the suspects among its attempts."""

    def __init__(self) -> None:
        self.lanes: dict[W, Lane] = {}
        self._groups: dict[int | None, int] = {}  # of suspects, by the index of their item
        self._last_group = 0

    @property
    def is_idle(self) -> bool:
        """True if no worker has an attempt."""
        return not any(lane.sent for lane in self.lanes.values())

    @property
    def running(self) -> int:
        """The number of attempts that run, in all lanes."""
        return sum(lane.running for lane in self.lanes.values())

    def group_of(self, ticket: Ticket) -> int | None:
        """The group of a suspect, which is to have a worker without others; None for no suspect."""
        return self._groups.get(ticket.index) if self._groups else None

    def send(self, lane: Lane, number: int, ticket: Ticket, *, runs: bool) -> None:
        """Note that an attempt was sent to a lane, whose group it makes that of the attempt."""
        if self._groups:
            lane.group = self._groups.pop(ticket.index, None)
        elif not lane.sent:
            lane.group = None
        lane.add(number, ticket, runs=runs)

    def lost(self, worker: W, running: Collection[int] | None, *, is_late: bool = False) -> Loss:
        """Take the lane of a worker that has died; `running` are the numbers that it ran, if known.

        An attempt whose outcome has come is none of them any more. One that `is_late` was killed
        with its worker, so there is no doubt.
        """
        lane = self.lanes.pop(worker)
        suspects, others = _divided(lane, running)
        if len(suspects) == 1 and (is_late or lane.group is not None):
            return Loss(others, suspects[0], lane.running - 1)
        again: list[Ticket] = []
        halves = running is None or lane.group is not None
        middle = len(suspects) // 2 if halves else 0
        for half in (suspects[:middle], suspects[middle:]):
            if half:
                self._last_group += 1
                self._groups |= {ticket.index: self._last_group for ticket in half}
                again += half
        return Loss([*again, *others], None, lane.running)


def even_shares(width: int, count: int) -> list[int]:
    """The widths of `count` lanes, which are `width` together, the larger ones first."""
    least, more = divmod(width, count)
    return [least + 1] * more + [least] * (count - more)


def _divided(lane: Lane, running: Collection[int] | None) -> tuple[list[Ticket], list[Ticket]]:
    """The attempts that may have killed their worker, and the others."""
    if running is None:
        return [*lane.sent.values()], []
    suspects = [ticket for number, ticket in lane.sent.items() if number in running]
    others = [ticket for number, ticket in lane.sent.items() if number not in running]
    return suspects, others
