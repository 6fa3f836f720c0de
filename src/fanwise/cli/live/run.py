"""Runs under the eyes of the command line: their progress shown, and open to interruption."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence, Set
from contextlib import suppress
from functools import partial

from fanwise.cli.errors import WRONG, error_lines
from fanwise.cli.leaving import INTERRUPTED, leave
from fanwise.cli.live import open_display
from fanwise.cli.live.interruption import KEPT, Interruption
from fanwise.cli.live.progress import ProgressDisplay
from fanwise.cli.text.log_lines import log_lines
from fanwise.cli.text.output import prints_aside, say
from fanwise.cli.text.summary import command
from fanwise.engine import Engine
from fanwise.errors import LeaseLostError, NoSlotError, StoreError, StoreUnusableError
from fanwise.model import LogEntry, Run
from fanwise.plan import Plan
from fanwise.ports import Observer, together
from fanwise.values import Json
from fanwise.wiring import Settings, open_engine

_MOMENT_S = 0.1


def execute(
    plan: Plan,
    parameters: Mapping[str, Json],
    settings: Settings,
    *,
    run_id: str | None = None,
    tags: Collection[str] = (),
    items: int | None = None,
    wait_s: float | None = None,
    grace_s: float | None = None,
    store: str | None = None,
    verbose: bool = False,
    observer: Observer | None = None,
) -> Run:
    """Run `plan` to its end, or until it is paused. `observer` watches as well.

    `items` bounds each fan-out, and `wait_s` the wait for a slot; `store` is the one that the
    command line named, if it did. What actions print is recorded, and shown if `verbose`; it goes
    to standard error where it can't be recorded. Raises what `Engine.arun` raises.
    """

    def start(engine: Engine) -> Start:
        return partial(
            engine.arun,
            plan,
            parameters,
            run_id=run_id,
            tags=tags,
            items=items,
            wait_s=wait_s,
        )

    return watch(
        start,
        settings,
        create=True,
        grace_s=grace_s,
        store=store,
        verbose=verbose,
        observer=observer,
    )


Start = Callable[..., Coroutine[None, None, Run]]
"""Starts or resumes a run, for the `observer` that it is given."""


def watch(
    start: Callable[[Engine], Start],
    settings: Settings,
    *,
    create: bool = False,
    grace_s: float | None = None,
    store: str | None = None,
    verbose: bool = False,
    observer: Observer | None = None,
) -> Run:
    """Drive the run that `start` makes with an engine to its end, and show its progress.

    With `create` a store is made if there is none. `store` is the one that the command line named.
    If `verbose`, what actions print is shown as well.
    Raises what `start` raises; a `StoreError` on the way has the way to resume in its hint.
    """
    display = open_display()
    display.store = store
    watchers = [observer] if observer else []
    if verbose:
        watchers.append(_Printed(display))
    with (
        open_engine(settings=settings, create=create, grace_s=grace_s) as engine,
        prints_aside(),
        display.opened(),
    ):
        return asyncio.run(_drive(engine, start(engine), display, _Started(store), watchers))


async def _drive(
    engine: Engine,
    start: Start,
    display: ProgressDisplay,
    started: _Started,
    watchers: Sequence[Observer],
) -> Run:
    interruption = Interruption(engine.pause, display.say, display.close)
    observers: list[Observer] = [display, interruption, started, *watchers]
    ticking = asyncio.create_task(_tick(display))
    with interruption.listening():
        try:
            return await start(observer=together(observers))
        except asyncio.CancelledError:
            if interruption.is_forced:
                display.say(f"Stopped. {KEPT} {started.way_on}".rstrip())
                leave(INTERRUPTED)
            raise
        except NoSlotError as error:
            if interruption.is_asked:
                say(f"Stopped. {error.message}")
                leave(INTERRUPTED)
            raise
        except LeaseLostError:
            raise
        except StoreError as error:
            stopped = started.stopped_by(error)
            here = {asyncio.current_task(), ticking}
            if await _are_left({each for each in asyncio.all_tasks() if each not in here}):
                say("\n".join(error_lines(stopped)))
                leave(WRONG)
            raise stopped from error
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking


async def _are_left(tasks: Set[asyncio.Task[object]]) -> bool:
    """Say whether some tasks don't end, such as actions that refuse to be cut off."""
    return bool(tasks and (await asyncio.wait(tasks, timeout=_MOMENT_S))[1])


class _Started(Observer):
    """The run that has started, and the way to resume it."""

    def __init__(self, store: str | None) -> None:
        self._store = store
        self.way_on = ""

    def run_started(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        self.way_on = f"Resume with: {command('resume', run_id, store=self._store)}"

    run_resumed = run_started

    def stopped_by(self, error: StoreError) -> StoreError:
        """The error by which a store has stopped the run, with the way to resume it."""
        if not self.way_on or isinstance(error, StoreUnusableError):
            return error
        return StoreError(error.message, hint=f"{error.hint} {KEPT} {self.way_on}".lstrip())


class _Printed(Observer):
    """Shows the lines that actions print."""

    def __init__(self, display: ProgressDisplay) -> None:
        self._display = display

    def logged(self, log: LogEntry) -> None:
        for line in log_lines(log):
            self._display.say(line)


async def _tick(display: ProgressDisplay) -> None:
    while True:
        await asyncio.sleep(display.interval_s)
        display.refresh()
