"""Spans in the form of OpenTelemetry's SDK."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event as SdkEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from fanwise.telemetry.traces.spans import Span

_NS: Final = 1_000_000_000


def readable(span: Span) -> ReadableSpan:
    """Return a span as an exporter takes it."""
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace, span.id),
        parent=None if span.parent is None else _context(span.trace, span.parent),
        resource=_resource(),
        attributes=span.attributes,
        events=[
            SdkEvent(each.name, attributes=each.attributes, timestamp=_ns(each.at))
            for each in span.events
        ],
        links=[Link(_context(*each)) for each in span.links],
        kind=SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR if span.is_error else StatusCode.OK),
        start_time=_ns(span.started_at),
        end_time=_ns(max(span.started_at, span.ended_at)),
        instrumentation_scope=_scope(),
    )


def _context(trace_id: int, span_id: int) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=flags)


def _ns(at: float) -> int:
    return int(at * _NS)


@cache
def _resource() -> Resource:
    """The resource that OTEL_SERVICE_NAME and others describe; its name is fanwise by default."""
    found = Resource.create()
    is_named = not str(found.attributes["service.name"]).startswith("unknown_service")
    return found if is_named else found.merge(Resource({"service.name": "fanwise"}))


@cache
def _scope() -> InstrumentationScope:
    return InstrumentationScope("fanwise", version("fanwise"))
