"""The actions that the benchmarks' workflows call."""

from typing import Any

from pydantic import BaseModel

import fanwise
from fanwise.bench import contexts, resume_notes


class Setting(BaseModel):
    """A record of a sample context."""

    id: int
    name: str
    region: str
    role: str
    health_endpoint: str
    status: int
    seconds: float
    message: str


@fanwise.action("bench.noop")
async def noop(item: Any) -> None:
    """Do nothing with the item."""


@fanwise.action("bench.produce")
async def produce(task: int, total_bytes: int) -> list[dict[str, Any]]:
    """Give what one of a hundred tasks adds to a context of so many bytes."""
    return contexts.sample_result(task, total_bytes)


@fanwise.action("bench.take_note")
async def take_note(index: int) -> None:
    """Do nothing with the item but what `resume_notes` says."""
    await resume_notes.take_note(index)


@fanwise.action("bench.noop_thread")
def noop_thread(item: Any) -> None:
    """Do nothing with the item, in a thread."""


@fanwise.action("bench.take_plain")
async def take_plain(settings: list[dict[str, Any]]) -> None:
    """Take a value that all items share, as it is."""


@fanwise.action("bench.take_models")
async def take_models(settings: list[Setting]) -> None:
    """Take the same value, built of models for each item."""
