"""Records of what run triggers react to: runs that have ended, and fires that made no run."""

from __future__ import annotations

from typing import Final

import msgspec

INTERRUPTED: Final = "interrupted"
"""The status of a run that is pending or running by its record, but driven by no process."""


class Ending(msgspec.Struct, frozen=True):
    """The end of a run, or with a `trigger` of a fire of it that failed for a `reason`.

    `number` grows with each in the order in which they can be read, so none comes later with a
    smaller one. `key` is once for each. `status` is a run's final one, or `INTERRUPTED`. `facts`
    are those of the fire, as JSON.
    """

    number: int
    key: str
    workflow: str
    status: str
    ended_at: float
    run_id: str | None = None
    trigger: str | None = None
    reason: str = ""
    facts: bytes | None = None
