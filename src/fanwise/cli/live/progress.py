"""Progress of a run while it runs: bars on a terminal, plain lines elsewhere.

A display reads the counters of the running tasks when `refresh` is called, `interval_s` apart; no
item ever calls it. Its memory grows with the tasks that run, not with items or ended tasks. All
goes to standard error. Time is given.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import ClassVar

from fanwise.cli.text.output import say
from fanwise.cli.text.remedies import copyable
from fanwise.cli.text.render import count, show_error
from fanwise.cli.text.rerun_lines import rerun_lines
from fanwise.cli.text.summary import store_words
from fanwise.model import ErrorInfo, Run, Status
from fanwise.ports import Observer, RerunNotes, TaskProgress
from fanwise.reports.plain import clean
from fanwise.units import show_span

Monotonic = Callable[[], float]
"""Seconds on a clock that never goes back."""

MAX_SHOWN = 8
"""Running tasks that are shown one by one; of the rest only their number."""

_WINDOW_S = 10.0


class TaskMeter:
    """The progress of a running task; its rate is that of the last ten seconds."""

    def __init__(self, progress: TaskProgress, now: float) -> None:
        self.progress = progress
        self.started = now
        self._samples = deque([(now, 0)])

    @property
    def done(self) -> int:
        """Items whose outcomes are recorded."""
        return self.progress.succeeded + self.progress.failed

    @property
    def total(self) -> int:
        """All items, or those known so far."""
        progress = self.progress
        if progress.total is not None:
            return progress.total
        return self.done + progress.running + progress.waiting

    def sample(self, now: float) -> None:
        """Note the count of items done by this moment, without those done before a resume."""
        samples = self._samples
        samples.append((now, self.done - self.progress.restored))
        while len(samples) > 2 and samples[1][0] <= now - _WINDOW_S:
            samples.popleft()

    def rate(self) -> float:
        """Items per second."""
        (first_at, first), (last_at, last) = self._samples[0], self._samples[-1]
        return (last - first) / (last_at - first_at) if last_at > first_at else 0.0

    def repeat(self) -> str:
        """The number of the visit, if it isn't the first."""
        return f"visit {self.progress.visit:,}" if self.progress.visit > 1 else ""

    def counts(self) -> str:
        """The counts in words."""
        progress = self.progress
        so_far = " so far" if progress.total is None else ""
        parts = [repeat] if (repeat := self.repeat()) else []
        if progress.has_items:
            parts.append(f"{self.done:,}/{self.total:,}{so_far} done")
        if progress.has_items and progress.failed:
            parts.append(f"{progress.failed:,} failed")
        if progress.bad_records:
            parts.append(f"{progress.bad_records:,} bad records")
        if progress.running:
            parts.append(f"{progress.running:,} running" if progress.has_items else "running")
        if progress.waiting:
            parts.append(f"{progress.waiting:,} to retry" if progress.has_items else "to retry")
        return ", ".join(parts)

    def pace(self, now: float) -> str:
        """The rate and the time left, or for a task without items how long it has run.

        A task that is being stopped has neither: what is left isn't done in this time.
        """
        if not self.progress.has_items:
            return show_span(now - self.started)
        rate = self.rate()
        if not rate or self.progress.is_stopping:
            return ""
        shown = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"
        if self.progress.total is None:
            return shown
        left_s = round((self.total - self.done) / rate)
        return f"{shown}, {show_span(left_s) if left_s >= 60 else f'{left_s} s'} left"


class ProgressDisplay(Observer):
    """An observer that keeps an eye on the running tasks, and says in a line what has ended."""

    interval_s: ClassVar[float]
    store: str | None = None
    """The store that the command line named, if it did."""

    def __init__(self, now: Monotonic = time.monotonic) -> None:
        self._now = now
        self._running: dict[str, TaskMeter] = {}
        self._held: list[str] | None = None  # lines about a resume that may yet be refused

    def refresh(self) -> None:
        """Show how the running tasks get on."""
        now = self._now()
        for meter in self._running.values():
            meter.sample(now)
        self._show(now)

    def opened(self) -> AbstractContextManager[object]:
        """A block while which this display may use the terminal."""
        return nullcontext()

    def close(self) -> None:
        """Take what is shown of running tasks off the terminal, for good."""

    def run_started(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        """Say which run it is, so that others can look at it."""
        self.say(f"Run {run_id} of {clean(workflow)} has started.")

    def run_resumed(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        """Say which run is resumed, once something of it happens: until then it may be refused."""
        self._held = [f"Run {run_id} of {clean(workflow)} is resumed."]

    def task_started(self, progress: TaskProgress) -> None:
        """Begin to look at a task."""
        self._say_held()
        self.watch(progress)

    def watch(self, progress: TaskProgress, *, since_s: float = 0.0) -> None:
        """Begin to look at a task that has been running for so long."""
        meter = TaskMeter(progress, self._now())
        meter.started -= since_s
        self._running[progress.name] = meter

    def task_ended(
        self, name: str, status: Status, error: ErrorInfo | None, *, took_s: float | None = None
    ) -> None:
        """Say how a task has ended, and for how long it was driven, if that isn't as watched."""
        self._say_held()
        meter = self._running.pop(name, None)
        parts = [name, str(status)]
        if meter is not None:
            counts = meter.counts() if meter.progress.has_items else meter.repeat()
            parts += [counts] if counts else []
            watched_s = self._now() - meter.started
            parts.append(f"in {show_span(watched_s if took_s is None else took_s)}")
        if error is not None:
            parts.append(show_error(error))
        self.say("  ".join(parts))

    def notice(self, text: str) -> None:
        """Pass it on."""
        line = f"Notice: {copyable(clean(text), store_words(self.store))}"
        if self._held is None:
            self.say(line)
        else:
            self._held.append(line)

    def rerun_planned(self, notes: RerunNotes) -> None:
        """Say which tasks a retry runs again, and which it keeps."""
        for line in rerun_lines(notes):
            self.notice(line)

    def run_ended(self, run: Run) -> None:
        """The summary says it all."""
        self._say_held()

    def shown(self) -> list[tuple[str, TaskMeter]]:
        """The running tasks that are shown one by one, the first started first."""
        return list(islice(self._running.items(), MAX_SHOWN))

    def rest(self) -> str:
        """The words for the others, if there are any."""
        more = len(self._running) - MAX_SHOWN
        return f"and {count(more, 'more task')} running" if more > 0 else ""

    def say(self, text: str) -> None:
        """Show a line."""
        say(text)

    def _say_held(self) -> None:
        held, self._held = self._held or (), None
        for line in held:
            self.say(line)

    def _show(self, now: float) -> None:
        raise NotImplementedError


class LineDisplay(ProgressDisplay):
    """Prints a line for each running task now and then."""

    interval_s = 5.0

    def _show(self, now: float) -> None:
        for name, meter in self.shown():
            said = [part for part in (meter.counts(), meter.pace(now)) if part]
            self.say(f"{name}  {', '.join(said)}")
        if rest := self.rest():
            self.say(rest)
