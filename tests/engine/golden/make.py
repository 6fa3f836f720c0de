"""Records the runs of this folder: `PYTHONPATH=.. python make.py NAME...`, or all without a name.

A recording has the lines of `fanwise export` of one run. It is made once, with the code of its
time, and never again: tests hold that later versions still read it. A new kind of run gets a new
name. Workflows call actions of the core pack only, and time is that of a loop whose time jumps, so
that runs that are made again give the same lines.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from msgspec.structs import replace

from fanwise.cli.text.output import as_json
from fanwise.engine import Engine
from fanwise.errors import StoreError
from fanwise.model import RunRecord
from fanwise.packs.workflows import Workflows
from fanwise.plan import Plan
from fanwise.ports import Observer, TaskProgress
from fanwise.reports.records import record_object
from fanwise.stores import Store
from fanwise.testing.chance import FixedChance
from fanwise.testing.jumping_loop import JumpingLoop
from fanwise.testing.stores import FailingStore, MemoryStore
from fanwise.wiring import Settings, build_engine

SETTINGS = Settings(store="")
FOLDER = Path("/golden")  # where the workflows seem to stand

CHILD = """
parameters: {number: {type: integer}}
tasks:
  - {name: first, action: core.echo, input: {n: "{{ parameters.number }}"}}
  - {name: second, action: core.echo, input: {n: "{{ task.first.output.n * 10 }}"}}
output: "{{ task.second.output.n }}"
"""

FAN_OUT = """
parameters: {count: {type: integer, default: 5}, token: {type: string, secret: true}}
vars: {seen: []}
tasks:
  - name: list
    action: core.echo
    input: {hosts: "{{ range(parameters.count) | list }}"}
    publish: {seen: "{{ result().hosts }}"}
  - name: check
    action: core.fail
    with-items: "{{ task.list.output.hosts }}"
    label: "no {{ item }}"
    tolerate: 100%
    retry: {count: 1, delay: 2s}
    input: {message: "no way to {{ item }}", type: DeadEnd, data: {at: "{{ item }}"}}
  - name: each
    action: core.echo
    with-items: "{{ vars.seen }}"
    input: {n: "{{ item + 1 }}"}
  - {name: visit, action: ./child.yaml, with-items: {range: 3}, input: {number: "{{ item }}"}}
output:
  failed: "{{ task.check.items.failed }}"
  sum: "{{ task.each.output | sum(attribute='n') }}"
  visited: "{{ task.visit.output }}"
"""

GRAPH = """
vars: {seen: [], way: none}
tasks:
  - name: a
    action: core.echo
    input: {n: 1}
    next:
      - {when: "{{ result().n == 1 }}", publish: {seen: "{{ vars.seen + ['a'] }}"}, do: [b, c]}
      - {when: "{{ result().n == 2 }}", do: never}
  - name: b
    action: core.fail
    input: {message: it breaks, type: Broken}
    on-error: continue
    next: [{publish: {way: b}, do: middle}]
  - {name: c, action: core.echo, input: {seen: "{{ vars.seen }}"}, next: [{do: middle}]}
  - {name: never, action: core.noop, next: [{do: middle}]}
  - {name: middle, action: core.noop, join: 2, next: [{do: poll}]}
  - name: poll
    action: core.echo
    delay: 5s
    input: {n: "{{ (task.poll.output or {'n': 0}).n + 1 }}"}
    next:
      - {when: "{{ result().n < 3 }}", do: poll}
      - {when: "{{ result().n >= 3 }}", do: last}
  - {name: last, action: core.noop, when: "{{ task.poll.output.n > 3 }}"}
finally:
  - {name: clean, action: core.echo, input: {polled: "{{ task.poll.output.n }}"}}
output: {polled: "{{ task.clean.output.polled }}", seen: "{{ vars.seen }}", way: "{{ vars.way }}"}
"""

STEPS = """
vars: {n: 2}
tasks:
  - {name: first, action: core.echo, input: {n: "{{ vars.n }}"}}
  - name: each
    action: core.echo
    with-items: {range: 6}
    concurrency: 1
    rate: 1/s
    input: {n: "{{ item * task.first.output.n }}"}
  - {name: last, action: core.echo, input: {sum: "{{ task.each.output | sum(attribute='n') }}"}}
finally:
  - {name: clean, action: core.noop}
output: "{{ task.last.output.sum }}"
"""

SLOW = """
timeout: 30s
tasks:
  - {name: first, action: core.noop}
  - {name: wait, action: core.sleep, input: {seconds: 60}}
  - {name: last, action: core.noop}
finally:
  - {name: clean, action: core.noop}
output: "{{ task.first.status }}"
"""

FAILING = """
tasks:
  - {name: first, action: core.noop}
  - {name: break, action: core.fail, input: {message: it breaks, type: Broken}}
  - {name: last, action: core.echo, input: {after: "{{ task.first.status }}"}}
output: "{{ task.last.output.after }}"
"""

ASKING = """
tasks:
  - {name: first, action: core.noop}
  - {name: ask, action: core.ask, timeout: 1h, input: {prompt: "Go on?"}}
  - {name: last, action: core.echo, input: {choice: "{{ task.ask.output.choice }}"}}
output: "{{ task.last.output.choice }}"
"""


class Recording:
    """One run being recorded."""

    def __init__(self, *, dies_at: int = 1_000_000) -> None:
        loop = cast("JumpingLoop", asyncio.get_running_loop())
        self._memory = MemoryStore(loop.now)
        self._store: Store = FailingStore(self._memory, dies_at)
        self.engine: Engine = self._new_engine()

    def _new_engine(self) -> Engine:
        loop = cast("JumpingLoop", asyncio.get_running_loop())
        return build_engine(self._store, SETTINGS, clock=loop, chance=FixedChance())

    def another_process(self) -> None:
        """From now on the run is driven by another process, on a store that works."""
        self._store = self._memory
        self.engine = self._new_engine()
        lease = self._memory.lease(1)
        if lease is not None:
            self._memory.release(1, lease.token, lease.beat_at)

    def plan(self, text: str) -> Plan:
        """The plan of a workflow that seems to stand in `FOLDER`."""
        texts = {str(FOLDER / "flow.yaml"): text, str(FOLDER / "child.yaml"): CHILD}
        workflows = Workflows((), SETTINGS.limits, import_packs=True, texts=texts)
        return workflows.load(FOLDER / "flow.yaml")

    def record(self) -> RunRecord:
        """The run as it is recorded by now."""
        found = self._memory.run("golden")
        assert found is not None
        return found

    async def run(self, text: str, parameters: Mapping[str, Any], pause_at: str = "") -> None:
        """Run a workflow; the run pauses once an item of the task `pause_at` is recorded."""
        observer = _PauseAt(pause_at, self.engine)
        with suppress(StoreError):
            await self.engine.arun(
                self.plan(text), parameters, run_id="golden", tags=["kept"], observer=observer
            )

    def lines(self) -> list[str]:
        """The lines of the run's export, as if it were recorded in `FOLDER`."""
        record, *rest = self._memory.export("golden")
        assert isinstance(record, RunRecord)
        record = replace(record, origin=replace(record.origin, folder=str(FOLDER)))
        return [as_json(record_object(each)) for each in (record, *rest)]


class _PauseAt(Observer):
    def __init__(self, name: str, engine: Engine) -> None:
        self._name = name
        self._engine = engine

    def task_started(self, progress: TaskProgress) -> None:
        if progress.name == self._name:
            self._waiting = asyncio.create_task(self._wait(progress))

    async def _wait(self, progress: TaskProgress) -> None:
        while not progress.succeeded:  # noqa: ASYNC110 - counters tell nobody
            await asyncio.sleep(0.5)
        self._engine.pause()


async def fan_out() -> Recording:
    """Items that fail after a retry, a paged output, a child for each item, a secret."""
    recording = Recording()
    await recording.run(FAN_OUT, {"token": "hunter2"})
    return recording


async def graph() -> Recording:
    """Transitions, what they publish, a join, a cycle with delays, a handled failure."""
    recording = Recording()
    await recording.run(GRAPH, {})
    return recording


async def failed() -> Recording:
    """A run that fails, and whose last task is blocked."""
    recording = Recording()
    await recording.run(FAILING, {})
    return recording


async def timed_out() -> Recording:
    """A run that takes longer than it may."""
    recording = Recording()
    await recording.run(SLOW, {})
    return recording


async def paused() -> Recording:
    """A run that is paused amid the items of a task."""
    recording = Recording()
    await recording.run(STEPS, {}, pause_at="each")
    return recording


async def waiting() -> Recording:
    """A run that waits for an answer."""
    recording = Recording()
    await recording.run(ASKING, {})
    return recording


async def resumed() -> Recording:
    """The same, gone on to its end."""
    recording = await paused()
    recording.another_process()
    record = recording.record()
    await recording.engine.aresume(recording.plan(STEPS), record)
    return recording


async def interrupted() -> Recording:
    """A run whose process died amid the items of a task."""
    recording = Recording(dies_at=5)
    await recording.run(STEPS, {})
    recording.another_process()
    return recording


async def cancelled() -> Recording:
    """The same, cancelled."""
    recording = await interrupted()
    record = recording.record()
    await recording.engine.aresume(recording.plan(STEPS), record, cancel=True)
    return recording


async def retried() -> Recording:
    """A run that failed, and was made again with a repaired workflow."""
    recording = await failed()
    recording.another_process()
    repaired = FAILING.replace("core.fail", "core.echo")
    await recording.engine.aretry(
        recording.plan(repaired), recording.record(), recorded=recording.plan(FAILING)
    )
    return recording


async def retried_from() -> Recording:
    """A run that succeeded, and was made again from one of its tasks, as a new visit."""
    recording = Recording()
    await recording.run(STEPS, {})
    recording.another_process()
    await recording.engine.aretry(recording.plan(STEPS), recording.record(), from_task="each")
    return recording


RECIPES: dict[str, Callable[[], Awaitable[Recording]]] = {
    recipe.__name__: recipe
    for recipe in (
        fan_out,
        graph,
        failed,
        timed_out,
        paused,
        resumed,
        interrupted,
        cancelled,
        retried,
        retried_from,
        waiting,
    )
}


def make(name: str) -> list[str]:
    """The lines of a recording, made anew."""

    async def work() -> list[str]:
        return (await RECIPES[name]()).lines()

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(work())


if __name__ == "__main__":
    for each in sys.argv[1:] or RECIPES:
        Path(f"{each}.jsonl").write_text("\n".join(make(each)) + "\n", "utf-8")
