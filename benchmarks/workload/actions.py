"""The actions that only the developers' benchmarks call."""

from typing import Any

from pydantic import BaseModel

import fanwise
from benchmarks import resume_notes
from benchmarks.spinning import burn


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


@fanwise.action("workload.take_note")
async def take_note(index: int) -> None:
    """Do nothing with the item but what `resume_notes` says."""
    await resume_notes.take_note(index)


@fanwise.action("workload.noop_thread")
def noop_thread(item: Any) -> None:
    """Do nothing with the item, in a thread."""


@fanwise.action("workload.take_plain")
async def take_plain(settings: list[dict[str, Any]]) -> None:
    """Take a value that all items share, as it is."""


@fanwise.action("workload.take_models")
async def take_models(settings: list[Setting]) -> None:
    """Take the same value, built of models for each item."""


@fanwise.action("workload.spin", cpu=True)
def spin(item: Any, us: int, named: Any = None) -> None:
    """Compute for so many microseconds."""
    burn(us)
