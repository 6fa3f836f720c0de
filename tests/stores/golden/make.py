"""Makes a store as this version of fanwise writes it: `python make.py NAME.sqlite`.

`python make.py waiting/NAME.sqlite waiting` makes one with a run that waits.

The file of each revision is made once, with the code of the last commit whose newest revision that
was, and is never made again: tests upgrade it to hold that records of older versions stay readable.
Run it in a copy of this folder elsewhere, since paths are recorded, with PYTHONPATH naming the
package of a clone at that commit. Clones from before version 0.2 have the package's first name, and
the recipe and flows that go with it.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import fanwise
from fanwise.ports import TaskProgress


class PauseAmidItems(fanwise.Observer):
    """Asks the engine to pause as soon as a few items of a task are recorded."""

    def __init__(self, engine: fanwise.Engine) -> None:
        self._engine = engine

    def task_started(self, progress: TaskProgress) -> None:
        if progress.has_items:
            self._waiting = asyncio.create_task(self._wait(progress))

    async def _wait(self, progress: TaskProgress) -> None:
        while progress.succeeded < 4:  # noqa: ASYNC110 - counters tell nobody
            await asyncio.sleep(0.001)
        self._engine.pause()


async def make(store: Path) -> None:
    """Record a run of each kind."""
    flows = Path("flows")
    with fanwise.open_engine(store=str(store)) as engine:
        for name, parameters in (("survey", {"token": "hunter2"}), ("broken", {})):
            await engine.arun(fanwise.load_plan(flows / f"{name}.yaml"), parameters, run_id=name)
        plan = fanwise.load_plan(flows / "long.yaml")
        await engine.arun(plan, run_id="paused", observer=PauseAmidItems(engine))


async def make_waiting(store: Path) -> None:
    """Record a run that waits, with one answer, and another and a signal that came early."""
    with fanwise.open_engine(store=str(store)) as engine:
        await engine.arun(fanwise.load_plan(Path("flows") / "waiting.yaml"), run_id="waiting")
    url = str(store)
    fanwise.answer("waiting", "each[0]", "keep", by="eve", store=url)
    fanwise.answer("waiting", "release", "approve", by="zoe", store=url)
    fanwise.signal("waiting", "order.paid", key="order-8", payload={"sum": 1}, store=url)


kind = make_waiting if sys.argv[2:] == ["waiting"] else make
asyncio.run(kind(Path(sys.argv[1])))
