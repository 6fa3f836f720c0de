"""A feed tells of every change since it was asked, however late its answer is awaited."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fanwise.engine import LOCAL, PROCESS
from fanwise.model import Limits, Status
from fanwise.ports import ActionCall, ChunkFeed
from fanwise.testing import MemoryStore
from fanwise.wiring import Settings, build_engine, load_plan
from tests.one_thread import OneThreadLoop

TURNS = 50
"""Turns of the loop in which all that goes on at a moment comes to its end."""


class _Hesitant:
    """An executor that asks when there will be more, and looks at the answer much later."""

    async def execute(self, feed: ChunkFeed, call: ActionCall) -> None:
        while True:
            ticket = feed.take()
            if ticket is not None:
                await asyncio.sleep(0)
                feed.succeeded(ticket, b"1", 0.0, 0.0)
                continue
            is_more = feed.wait()
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if not await is_more:
                return


ITEMS, ALONE = "with-items: {range: 40}", ""


@pytest.mark.parametrize(
    ("with_items", "limits"),
    [
        (ITEMS, Limits(queue_bytes=1_000)),
        (ITEMS, Limits(running=1)),
        (ALONE, Limits(running=1)),
    ],
    ids=["items recorded", "items' slots", "a task's slot"],
)
def test_no_change_is_missed(tmp_path: Path, with_items: str, limits: Limits) -> None:
    """Neither the room that records leave, nor a slot that another task frees."""
    task = f"action: core.echo, needs: [], input: {{value: 1}}, {with_items}"
    file = tmp_path / "flow.yaml"
    file.write_text("tasks:" + "".join(f"\n  - {{name: t{n}, {task}}}" for n in range(3)))
    settings = Settings(store="", limits=limits, environment={})
    loop = OneThreadLoop()
    executor = _Hesitant()
    engine = build_engine(
        MemoryStore(),
        settings,
        clock=loop,
        executors={LOCAL: executor, PROCESS: executor},
        grace_s=0.0,
    )

    async def run() -> Status:
        async with asyncio.timeout(60):
            return (await engine.arun(load_plan(file, settings))).status

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(run()) is Status.SUCCEEDED
