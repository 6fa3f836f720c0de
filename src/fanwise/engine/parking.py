"""The waits of a run in progress: opened in the store, and handed to their feeds once settled.

A feed parks an attempt under the wait's place. Waits that come together are opened
together; from then on the store is asked for those that are settled, each half second while some
are open, so an answer from any process is heard. Deadlines strike in the store, by its clock.

A child workflow of which all that is left waits parks as a whole: its caller's feed watches the
same waits, and starts the child again where its records lead once one of them is settled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from fanwise.catalog import WAITING_ACTIONS
from fanwise.errors import NotAskedError, ParameterError
from fanwise.model import GivenAnswer, Wait, WaitPlace, WaitToOpen
from fanwise.plan import PlannedTask
from fanwise.ports import Clock, Waits

_LOOK_S: Final = 0.5
_MOST_AT_ONCE: Final = 1_000

Settled = Callable[[Wait], None]
"""Hears that a wait is settled."""


class ParkedChild(Exception):  # noqa: N818 - no failure
    """Ends the attempt of a child workflow that waits: it starts again with one of the `places`."""

    def __init__(self, places: Collection[WaitPlace]) -> None:
        super().__init__("all that is left of the workflow waits")
        self.places = places


def may_park(task: PlannedTask) -> bool:
    """Say whether attempts of a task may wait: a question, a signal, or a workflow with these."""
    if task.spec.workflow is None:
        return task.spec.name in WAITING_ACTIONS
    return any(
        each.spec.name in WAITING_ACTIONS
        for plan in task.spec.workflow().family()
        for each in plan.tasks
    )


class Parking:
    """The waits of one run, which this process drives under the lease with `token`."""

    def __init__(
        self,
        run_no: int,
        token: int,
        waits: Waits,
        clock: Clock,
        most: int,
        check: Callable[[Wait, GivenAnswer], bytes],
        notice: Callable[[str], None],
    ) -> None:
        self._run_no = run_no
        self._token = token
        self._waits = waits
        self._clock = clock
        self._check = check
        self._notice = notice
        self._broken: Callable[[BaseException], None] = _ignore
        self._most = most
        self._to_open: dict[WaitPlace, tuple[WaitToOpen, Callable[[], None]]] = {}
        self._heard_by: dict[WaitPlace, Settled] = {}
        self._between: set[WaitPlace] = set()  # left by a child, and not watched yet
        self._unheard: dict[WaitPlace, Wait] = {}  # of these, settled already
        self._looker: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self.last_settled = 0
        """The highest `settled_no` that is known here; earlier waits are found when they open."""

    def on_broken(self, callback: Callable[[BaseException], None]) -> None:
        """Have `callback` called with an error after which no wait is heard of any more."""
        self._broken = callback

    def has_room(self) -> bool:
        """Say whether one more wait may be open."""
        return len(self._heard_by) < self._most

    def park(self, wait: WaitToOpen, settled: Settled, opened: Callable[[], None]) -> None:
        """Open a wait, or find it open or settled; `opened` hears that it is recorded."""
        self._to_open[wait.place] = wait, opened
        self._heard_by[wait.place] = settled
        self._look_soon()

    def watch(self, places: Iterable[WaitPlace], settled: Settled) -> None:
        """Have `settled` hear of the first of some open waits that is settled, or more of them."""
        for place in places:
            self._between.discard(place)
            self._heard_by[place] = settled
            if place in self._unheard:
                asyncio.get_running_loop().call_soon(self._tell, self._unheard.pop(place))
        self._look_soon()

    def leave(self, places: Iterable[WaitPlace]) -> None:
        """Hear of these waits no more; they stay as they are, and others may watch them."""
        for place in places:
            self._to_open.pop(place, None)
            if self._heard_by.pop(place, None) is not None:
                self._between.add(place)

    async def doze(self, rest_s: float) -> None:
        """Have the run be woken after so many seconds, once nobody drives it."""
        last = await asyncio.to_thread(self._waits.doze, self._run_no, self._token, rest_s)
        if self._looker is None:  # nothing else is waited for
            self.last_settled = last

    async def close(self) -> None:
        """Look no more."""
        if self._looker is not None:
            self._looker.cancel()
            await asyncio.wait([self._looker])

    def _look_soon(self) -> None:
        self._wake.set()
        if self._looker is None:
            self._looker = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        """Open and look, for as long as the run is driven."""
        last_settled = self._waits.last_settled
        try:
            self.last_settled = await asyncio.to_thread(last_settled, self._run_no)
            while True:
                self._wake.clear()
                await self._open()
                await self._ask()
                await self._rest()
        except Exception as error:
            self._broken(error)

    async def _open(self) -> None:
        while self._to_open:
            batch = list(self._to_open.values())[:_MOST_AT_ONCE]
            found = await self._open_some([wait for wait, _ in batch])
            for wait, opened in batch:
                if self._to_open.pop(wait.place, None) is not None:
                    opened()
            for each in found:
                if each.settled_no is not None:
                    self._tell(each)

    async def _open_some(self, waits: Sequence[WaitToOpen]) -> Sequence[Wait]:
        """Open waits, and tell of answers that came before their questions and don't fit."""
        misfits: dict[str, str] = {}  # each once, also if the transaction is repeated

        def check(wait: Wait, given: GivenAnswer) -> bytes | None:
            try:
                return self._check(wait, given)
            except (NotAskedError, ParameterError) as error:
                misfits[error.message.replace("\n", " ")] = given.by
                return None

        found = await asyncio.to_thread(
            self._waits.open_waits, self._run_no, self._token, waits, check
        )
        for why, by in misfits.items():
            self._notice(f"{why} That was the answer of {by}, which came before the question.")
        return found

    async def _ask(self) -> None:
        if not self._heard_by:
            return
        after = self.last_settled
        found = await asyncio.to_thread(self._waits.settled_waits, self._run_no, after=after)
        for each in found:
            self.last_settled = max(self.last_settled, each.settled_no or 0)
            self._tell(each)

    async def _rest(self) -> None:
        """Wait for the next look: at once if a wait is to be opened, else a while."""
        timer = self._clock.call_later(_LOOK_S, self._wake.set) if self._heard_by else None
        try:
            await self._wake.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def _tell(self, wait: Wait) -> None:
        settled = self._heard_by.pop(wait.place, None)
        if settled is not None:
            settled(wait)
        elif wait.place in self._between:
            self._unheard[wait.place] = wait


def _ignore(_: BaseException) -> None:
    """Hear of nothing."""
