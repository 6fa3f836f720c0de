"""The actions that the benchmarks' workflows call."""

from typing import Any

import fanwise
from fanwise.bench import contexts

_KILOBYTE = "x" * (1_024 - len('{"text":""}'))


@fanwise.action("bench.noop")
async def noop(item: Any) -> None:
    """Do nothing with the item."""


@fanwise.action("bench.noop_def")
def noop_def(item: object) -> None:
    """Do nothing with the item, in a thread."""


@fanwise.action("bench.report")
async def report(item: object) -> dict[str, str]:
    """Give a result of 1 KB as JSON."""
    return {"text": _KILOBYTE}


@fanwise.action("bench.produce")
async def produce(task: int, total_bytes: int) -> list[dict[str, Any]]:
    """Give what one of a hundred tasks adds to a context of so many bytes."""
    return contexts.sample_result(task, total_bytes)
