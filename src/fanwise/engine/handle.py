"""A handle for a run in progress: to pause it, to cancel it, and to wait for its end."""

from __future__ import annotations

import asyncio
from types import TracebackType

from fanwise.engine.driver import WorkflowDriver
from fanwise.errors import FanwiseError
from fanwise.model import RequestKind, Run


class RunInbox:
    """Requests to a run, and errors from outside, kept until its driver takes them.

    A cancellation isn't taken back. `is_begun` is done once the run is recorded and driven.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._driver: WorkflowDriver | None = None
        self._request: RequestKind | None = None
        self._by: str | None = None
        self._error: FanwiseError | None = None
        self.is_begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_asked(self) -> bool:
        """Say whether the run is to pause, to be cancelled, or to be driven no more."""
        return self._request is not None or self._error is not None

    def request(self, request: RequestKind, by: str | None = None) -> None:
        """Pause or cancel the run; `by` names the asker."""
        if self._request is not RequestKind.CANCEL:
            self._request, self._by = request, by
        self._pass_request_on()

    def fail(self, error: FanwiseError) -> None:
        """End the driving with an error; the run keeps its records."""
        self._error = error
        if self._driver is not None:
            self._driver.tell(error)

    def pass_to(self, driver: WorkflowDriver) -> None:
        """Pass on everything, from now on at once."""
        self._driver = driver
        if self._error is not None:
            driver.tell(self._error)
        self._pass_request_on()
        if not self.is_begun.done():
            self.is_begun.set_result(None)

    def close(self) -> None:
        """Pass on nothing more: the driver has ended."""
        self._driver = None

    def _pass_request_on(self) -> None:
        if self._driver is None:
            return
        if self._request is RequestKind.PAUSE:
            self._driver.pause(self._grace_s)
        elif self._request is RequestKind.CANCEL:
            self._driver.cancel(self._by)


class RunHandle:
    """A run that this process drives, from `Engine.start` and its like.

    Driving doesn't need the handle: it lasts until the run is over or paused. As a block the handle
    bounds the driving: a run that is still in progress at the end of the block is cut off, keeps
    its records, and can be resumed.
    """

    def __init__(self, run_id: str, inbox: RunInbox, task: asyncio.Task[Run]) -> None:
        self.id = run_id
        self._inbox = inbox
        self._task = task

    async def pause(self) -> None:
        """Ask the run to pause: nothing new starts, and attempts in flight finish.

        Attempts that don't finish within the engine's `grace_s` are cut off. `wait` gives the run
        once it is paused. A run that is over stays as it is.
        """
        self._inbox.request(RequestKind.PAUSE)

    async def cancel(self, *, by: str = "its own program") -> None:
        """Ask the run to end as cancelled: attempts in flight are cut off, `finally` runs.

        Templates at the run's end read `by`, the asker, as `run.cause.by`.
        `wait` gives the run once it is over. A run that is over stays as it is.
        """
        self._inbox.request(RequestKind.CANCEL, by)

    async def wait(self) -> Run:
        """The run once it is over or paused, also if it failed.

        Cancelling this call leaves the run in progress. Raises `StoreError` if the store can't be
        written any more, `LeaseLostError` if another process has taken the run while this one was
        stopped, and `SourceChangedError` if a file that the run reads further has
        changed.
        """
        return await asyncio.shield(self._task)

    async def __aenter__(self) -> RunHandle:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await end_task(self._task)


async def end_task(task: asyncio.Task[Run]) -> None:
    """Cancel a task, and wait until it has ended in whatever way."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # its owner knows, or has left
