"""Running a workflow for a benchmark: as any user does, with `fanwise.run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import fanwise
from fanwise.errors import UsageError
from fanwise.values import Json
from fanwise.wiring import Workflow

PACK = Path(__file__).parent / "pack"


def run(
    workflow: Workflow,
    store: Path | str,
    parameters: Mapping[str, Json] | None = None,
    *,
    packs: Sequence[Path] = (PACK,),
) -> fanwise.Run:
    """Run a workflow whose items must all succeed, and record it in the store at a path or URL.

    Raises `UsageError` if anything failed: it would be measured as if it were fast.
    """
    done = fanwise.run(workflow, parameters, store=str(store), packs=packs)
    counts = [task.items for task in done.tasks.values() if task.items is not None]
    failed = sum(items.total - items.succeeded for items in counts)
    if done.status is not fanwise.Status.SUCCEEDED or failed:
        raise UsageError(
            f"the benchmark's run ended as {done.status} with {failed:,} of its items failed, "
            "so it measures nothing."
        )
    return done


def task_seconds(run: fanwise.Run, task: str) -> float:
    """A finished task's own time: from the moment it is started until all of it is recorded."""
    summary = run.tasks[task]
    assert summary.started_at is not None
    assert summary.ended_at is not None
    return summary.ended_at - summary.started_at
