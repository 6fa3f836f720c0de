"""Bounds of what the core pack's actions read into memory."""

from __future__ import annotations

from fanwise.catalog import ActionContext
from fanwise.model import Limits


def result_bytes(given: int | None, context: ActionContext | None) -> int:
    """The bound that a task gave, else the run's `limits.result_bytes`."""
    if given is not None:
        return given
    return (Limits() if context is None else context.limits).result_bytes
