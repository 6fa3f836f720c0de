"""The ids of traces and spans, which follow from a run's id and the keys of its visits.

So a run that is resumed elsewhere stays in its trace, and an action can name the span of its task
before that has ended. A run that a request has started is in the trace of that request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

_read: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}", re.ASCII).fullmatch
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def is_traced(environment: Mapping[str, str]) -> bool:
    """Say whether an environment names a collector of traces."""
    is_off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not is_off and any(environment.get(name) for name in _ENDPOINTS)


def trace_id(run_id: str, retries: int = 0, *, parent: str = "") -> int:
    """Return the id of the trace of a run, or of one of its retries, of 128 bits.

    `parent` is the header that has started the run, if one has: its trace is that of the first try.
    """
    if parent and not retries:
        return parent_ids(parent)[0]
    return _hashed("trace", f"{run_id}#{retries}" if retries else run_id, 16)


def span_id(key: str) -> int:
    """Return the id of the span with a key, of 64 bits."""
    return _hashed("span", key, 8)


def visit_key(run_id: str, path: str, visit: int) -> str:
    """Return the key of a visit's span: the idempotency key of its attempts, without an index."""
    return f"{run_id}/{path}/{visit}"


def traceparent(run_id: str, key: str, *, parent: str = "") -> str:
    """Return the header by which W3C's Trace Context names the span with a key as the parent.

    For `parent` see `trace_id`.
    """
    return f"00-{trace_id(run_id, parent=parent):032x}-{span_id(key):016x}-01"


def is_traceparent(text: str) -> bool:
    """Say whether a header names a span, as W3C's Trace Context writes it."""
    found = _read(text)
    return found is not None and all(int(part, 16) for part in found.groups()[:2])


def parent_ids(traceparent: str) -> tuple[int, int]:
    """Return the ids of the trace and the span that a valid header names."""
    found = _read(traceparent)
    assert found is not None
    return int(found[1], 16), int(found[2], 16)


def _hashed(kind: str, text: str, size: int) -> int:
    found = blake2b(text.encode(), digest_size=size, person=f"fanwise-{kind}".encode()).digest()
    return int.from_bytes(found) or 1  # 0 is no id
