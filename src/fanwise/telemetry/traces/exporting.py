"""Sends the traces of runs to a collector, by OpenTelemetry's exporters.

A trace is sent once its run is over, from a thread of its own. So no item pays for it, and all
that ran before a crash is in it. A collector that doesn't answer costs a warning, and no run; and
once all runs are over it is waited for once, however many traces are left.
"""

from __future__ import annotations

import logging
import threading
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
_EXPORTERS: Final = "opentelemetry.exporter"
_REFUSED: Final = (
    "The trace of run %s isn't sent: the collector doesn't take it. "
    "Check the address in OTEL_EXPORTER_OTLP_ENDPOINT."
)

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
    exporters = logging.getLogger(_EXPORTERS)
    if exporters.level == logging.NOTSET:
        exporters.setLevel(logging.ERROR)  # else each try is told
    with sending_to(OTLPSpanExporter(), records) as observer:
        yield observer


@contextmanager
def sending_to(exporter: SpanExporter, records: Records) -> Iterator[Sender]:
    """An observer that sends traces to an exporter, to be used as a block."""
    with ThreadPoolExecutor(1, thread_name_prefix="fanwise-traces") as thread:
        sender = Sender(exporter, records, thread)
        try:
            yield sender
        finally:
            sender.ending.set()
    exporter.shutdown()


class Sender(Observer):
    """Sends the trace of each run that has ended, one after another on a thread."""

    def __init__(
        self, exporter: SpanExporter, records: Records, thread: ThreadPoolExecutor
    ) -> None:
        self._exporter = exporter
        self._records = records
        self._thread = thread
        self.ending = threading.Event()
        """Set once all runs are over: what can't be sent any more is given up."""

    def run_ended(self, run: Run) -> None:
        """Send the run's trace soon."""
        if run.status.is_final:
            self._thread.submit(self._send, run.id)

    def _send(self, run_id: str) -> None:
        from opentelemetry.sdk.trace.export import SpanExportResult

        from fanwise.telemetry.traces.sdk import readable

        try:
            if (record := self._records.run(run_id)) is None:
                return
            spans = [readable(span) for span in run_spans(self._records, record)]
            for begin in range(0, len(spans), _BATCH):
                result = self._exporter.export(spans[begin : begin + _BATCH])
                if result is not SpanExportResult.SUCCESS:
                    _log.warning(_REFUSED, run_id)
                    if self.ending.is_set():
                        self._thread.shutdown(wait=False, cancel_futures=True)
                    return
        except Exception:
            _log.exception("The trace of run %s could not be sent.", run_id)
