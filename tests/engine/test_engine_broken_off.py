"""What a run leaves behind that is broken off: nothing."""

from __future__ import annotations

import gc

import pytest

import fanwise
from fanwise.ports import TaskProgress


@fanwise.action("test.echo")
async def echo(value: object = None) -> object:
    return value


def test_a_task_that_is_broken_off_before_it_has_begun_leaves_nothing_behind(loom) -> None:
    """Nothing warns of work that was never awaited, when the run ends between two starts."""

    def task_started(progress: TaskProgress) -> None:
        if progress.name == "b":
            raise MemoryError

    loom.watcher.task_started = task_started
    with pytest.raises(MemoryError):
        loom.run(
            "tasks: [{name: a, action: test.echo, needs: []}, "
            "{name: b, action: test.echo, needs: []}]",
            echo,
        )
    gc.collect()  # a warning would come from here
