"""Sends the traces of runs to a collector, by OpenTelemetry's exporters.

A trace is sent once its run is over, from a thread of its own. So no item pays for it, and all
that ran before a crash is in it. A collector that doesn't answer costs a warning, and no run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from fanwise.model import Run
from fanwise.ports import Observer, Records
from fanwise.telemetry.traces.spans import run_spans

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_BATCH: Final = 512

_log = logging.getLogger(__name__)


@contextmanager
def sending_traces(records: Records) -> Iterator[Observer | None]:
    """An observer of all runs of a store, to be used as a block, at whose end all is sent.

    The environment names the collector. None if OpenTelemetry isn't installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        _log.warning(
            "A collector is named by OTEL_EXPORTER_OTLP_ENDPOINT, and no traces are sent to it. "
            "Install them: pip install 'fanwise[otel]'"
        )
        yield None
        return
    with sending_to(OTLPSpanExporter(), records) as observer:
        yield observer


@contextmanager
def sending_to(exporter: SpanExporter, records: Records) -> Iterator[Observer]:
    """An observer that sends traces to an exporter, to be used as a block."""
    with ThreadPoolExecutor(1, thread_name_prefix="fanwise-traces") as thread:
        yield _Sender(exporter, records, thread)
    exporter.shutdown()


class _Sender(Observer):
    def __init__(
        self, exporter: SpanExporter, records: Records, thread: ThreadPoolExecutor
    ) -> None:
        self._exporter = exporter
        self._records = records
        self._thread = thread

    def run_ended(self, run: Run) -> None:
        if run.status.is_final:
            self._thread.submit(self._send, run.id)

    def _send(self, run_id: str) -> None:
        from fanwise.telemetry.traces.sdk import readable

        try:
            if (record := self._records.run(run_id)) is None:
                return
            spans = [readable(span) for span in run_spans(self._records, record)]
            for begin in range(0, len(spans), _BATCH):
                self._exporter.export(spans[begin : begin + _BATCH])
        except Exception:
            _log.exception("The trace of run %s could not be sent.", run_id)
