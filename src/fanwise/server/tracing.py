"""The span of a request, as the parent of the run that the request starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from fanwise.model import RunRecord
from fanwise.trace_ids import is_traceparent

TRACE_HEADER: Final = "traceparent"


def traced(run: RunRecord, headers: Mapping[str, str]) -> RunRecord:
    """Return a run in the trace of a request; a wrong header is overlooked."""
    parent = headers.get(TRACE_HEADER, "")
    if not is_traceparent(parent):
        return run
    return replace(run, origin=replace(run.origin, traceparent=parent))
