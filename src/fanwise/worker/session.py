"""The visits that a worker has open, and the messages of its engine for them."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable
from importlib.metadata import version
from typing import NoReturn

from fanwise.actions.resources import resources
from fanwise.catalog import ActionRef, ActionSpec, Runs
from fanwise.engine.attempt import restore_call
from fanwise.errors import FanwiseError
from fanwise.executors.frames import (
    PROTOCOL,
    Attempts,
    Close,
    FromWorker,
    Hello,
    Open,
    Opened,
    Recall,
    Refused,
    Slept,
    Stop,
    ToVisit,
)
from fanwise.executors.local import LocalExecutor
from fanwise.executors.marks import Marks
from fanwise.packs.loader import ActionLoader
from fanwise.system import SystemClock
from fanwise.worker.feed import LinkFeed
from fanwise.worker.surroundings import LinkSurroundings
from fanwise.worker.threads import BlockingThread


class Session:
    """Makes the attempts of visits for an engine.

    `send` sends a message, on the event loop's thread. `marks` are told which attempts run. `end`
    ends this process at once, and with it an attempt that is out of time. `unsent_bytes` says how
    much the engine hasn't read yet.
    """

    def __init__(
        self,
        send: Callable[[FromWorker], None],
        marks: Marks,
        end: Callable[[], NoReturn],
        unsent_bytes: Callable[[], int],
    ) -> None:
        self._send = send
        self._marks = marks
        self._end = end
        self._unsent_bytes = unsent_bytes
        self._actions = _Actions()
        self._visits: dict[int, _Visit] = {}

    def start(self) -> None:
        """Greet the engine."""
        self._send(Hello(PROTOCOL, version("fanwise"), platform.python_version()))

    def receive(self, message: ToVisit) -> None:
        """Take a message in, on the event loop's thread."""
        if isinstance(message, Open):
            self._visits[message.visit] = self._opened(message)
            return
        visit = self._visits.get(message.visit)
        if visit is None:  # it has been closed meanwhile
            return
        match message:
            case Attempts():
                visit.feed.add(message.attempts)
            case Recall():
                visit.feed.recall()
            case Stop():
                visit.feed.halt()
            case Slept():
                visit.around.slept(message.sleep)
            case Close():
                del self._visits[message.visit]
                visit.feed.close()

    def _opened(self, message: Open) -> _Visit:
        spec = message.call.spec
        feed = LinkFeed(
            *(message.visit, message.width, spec.limits),
            *(self._send, self._marks, self._unsent_bytes),
        )
        around = LinkSurroundings(message.visit, spec, feed, self._send)
        return _Visit(message, feed, around, self._actions, self._send, self._end)


class _Actions:
    """The actions of packs, which are imported one at a time, and beside the event loop."""

    def __init__(self) -> None:
        self._loader = ActionLoader()
        self._importing = asyncio.Lock()

    async def find(self, reference: ActionRef) -> ActionSpec:
        """The action. Raises `ActionLoadError`."""
        async with self._importing:
            return await asyncio.to_thread(self._loader.find, reference)


class _Visit:
    """One visit: its feed, its surroundings, and the task that makes its attempts."""

    def __init__(
        self,
        message: Open,
        feed: LinkFeed,
        around: LinkSurroundings,
        actions: _Actions,
        send: Callable[[FromWorker], None],
        end: Callable[[], NoReturn],
    ) -> None:
        self.feed = feed
        self.around = around
        self._number = message.visit
        self._actions = actions
        self._send = send
        self._end = end
        self._task = asyncio.create_task(self._serve(message))

    async def _serve(self, message: Open) -> None:
        try:
            await self._make_attempts(message)
        except FanwiseError as error:
            self._refuse(error.message, error.hint)
        except Exception as error:  # a fault here, which no attempt has
            self._refuse(f"{type(error).__name__}.", "Its traceback is on the worker's stderr.")
            raise

    async def _make_attempts(self, message: Open) -> None:
        action = await self._actions.find(message.call.spec.action)
        call = restore_call(message.call, message.secrets, action, self.around)
        self.feed.opens(call.context)
        self._send(Opened(self._number))
        async with resources():
            if call.runs is Runs.ASYNC:
                await LocalExecutor(SystemClock()).execute(self.feed, call)
            else:
                await BlockingThread(self.feed, call, self._end).work()

    def _refuse(self, message: str, hint: str) -> None:
        self.feed.close()
        text = f"a worker process can't run the action: {message}"
        self._send(Refused(self._number, text, hint))
