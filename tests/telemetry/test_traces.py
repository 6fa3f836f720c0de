"""Traces of runs: their spans and links, a bounded sample of items, and what is received."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import fanwise
from fanwise.model import ItemCounts, ItemOutcome, Status, VisitRecord
from fanwise.stores import open_store
from fanwise.telemetry.traces.exporting import Sender, sending_to
from fanwise.telemetry.traces.sampling import MOST_FAILED, MOST_ITEMS, sampled_items
from fanwise.testing.stores import MemoryStore
from fanwise.trace_ids import span_id, trace_id, visit_key


def sent(store_url: str, run: fanwise.Run) -> dict[str, ReadableSpan]:
    """The spans that are sent of a run, by name."""
    exporter = InMemorySpanExporter()
    with open_store(store_url, read_only=True) as store, sending_to(exporter, store) as observer:
        observer.run_ended(run)
    return {span.name: span for span in exporter.get_finished_spans()}


def test_a_trace_has_the_run_its_visits_and_their_items(tmp_path: Path) -> None:
    """Under ids that follow from the run's, with types of errors, and without any value."""
    tries = []

    @fanwise.action("traces.flaky")
    async def flaky(n: int) -> str:
        tries.append(n)
        if n == 1 and tries.count(1) == 1:
            raise fanwise.ActionError("secret", type="Flaky")
        if n == 2:
            raise ValueError("secret")
        return "secret"

    url = str(tmp_path / "s.db")
    flow: dict[str, Any] = {
        "name": "traced",
        "tasks": [
            {
                "name": "each",
                "action": "traces.flaky",
                "with-items": {"range": 3},
                "input": {"n": "{{ item }}"},
                "retry": {"count": 1, "delay": 0, "when": "{{ error().type == 'Flaky' }}"},
            },
            {"name": "never", "action": "core.noop"},
        ],
    }
    run = fanwise.run(flow, store=url, actions=[flaky], run_id="t1")
    spans = sent(url, run)
    assert set(spans) == {"traced", "each", "each[0]", "each[1]", "each[2]"}
    assert {span.context.trace_id for span in spans.values()} == {trace_id("t1")}
    root, each = spans["traced"], spans["each"]
    assert root.parent is None
    assert each.parent.span_id == root.context.span_id
    assert each.context.span_id == span_id(visit_key("t1", "each", 1))
    assert {spans[f"each[{n}]"].parent.span_id for n in range(3)} == {each.context.span_id}
    assert {name for name, span in spans.items() if not span.status.is_ok} == {
        "traced",
        "each",
        "each[2]",
    }
    assert each.attributes["fanwise.items.failed"] == 1
    assert each.attributes["fanwise.items.left_out"] == 0
    assert spans["each[2]"].attributes["error.type"] == "ValueError"
    (event,) = spans["each[1]"].events
    assert event.attributes == {"fanwise.attempt": 1, "error.type": "Flaky"}
    assert root.start_time <= each.start_time <= each.end_time <= root.end_time
    assert "secret" not in "".join(span.to_json() for span in spans.values())


def test_a_retry_sends_what_it_has_run_and_leads_back(tmp_path: Path) -> None:
    """In a trace of its own, since the rest was sent before; its run links to the one before."""
    flow = """\
tasks:
  - {name: kept, action: core.noop}
  - {name: bad, action: core.shell, input: {command: [test, -e, there]}}
"""
    (tmp_path / "flow.yaml").write_text(flow)
    url = str(tmp_path / "s.db")
    first = sent(url, fanwise.run(tmp_path / "flow.yaml", store=url, run_id="t2"))
    assert set(first) == {"flow", "kept", "bad"}
    (tmp_path / "there").touch()
    second = sent(url, fanwise.retry("t2", store=url))
    assert set(second) == {"flow", "bad"}
    assert {span.context.trace_id for span in second.values()} == {trace_id("t2", 1)}
    (link,) = second["flow"].links
    assert link.context.trace_id == first["flow"].context.trace_id == trace_id("t2")
    assert link.context.span_id == first["flow"].context.span_id


class Refusing(SpanExporter):
    """A collector that isn't there, which is tried once all runs are over."""

    def __init__(self) -> None:
        self.tries = 0
        self.ending = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.ending.wait()
        self.tries += 1
        return SpanExportResult.FAILURE


def test_a_collector_that_is_not_there_is_waited_for_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once all runs are over, only the first part of the first trace is tried."""
    url, exporter = str(tmp_path / "s.db"), Refusing()
    wide = {"action": "core.noop", "with-items": {"range": 400}}
    flow = {"name": "wide", "tasks": [{"name": "a", **wide}, {"name": "b", **wide}]}
    runs = [fanwise.run(flow, store=url) for _ in range(3)]
    with open_store(url, read_only=True) as store, sending_to(exporter, store) as observer:
        exporter.ending = observer.ending
        for run in runs:
            observer.run_ended(run)
    assert exporter.tries == 1
    (told,) = (each.getMessage() for each in caplog.records)
    assert runs[0].id in told
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in told


def test_each_trace_is_tried_while_runs_go_on(tmp_path: Path) -> None:
    """The collector may be there again for the next one."""
    url, exporter = str(tmp_path / "s.db"), Refusing()
    exporter.ending.set()
    runs = [
        fanwise.run({"name": "w", "tasks": [{"name": "a", "action": "core.noop"}]}, store=url)
        for _ in range(2)
    ]
    with open_store(url, read_only=True) as store, ThreadPoolExecutor(1) as thread:
        sender = Sender(exporter, store, thread)
        for run in runs:
            sender.run_ended(run)
    assert exporter.tries == 2


@pytest.mark.parametrize("total", [MOST_ITEMS, 5_000])
def test_of_many_items_a_bounded_sample_is_sent(total: int) -> None:
    """The first failed ones, the slowest and the first are in it."""
    store = MemoryStore()
    failed = set(range(7, total, 11))
    store.commit(
        [
            ItemOutcome(
                1,
                1,
                index,
                Status.FAILED if index in failed else Status.SUCCEEDED,
                1,
                0.0,
                9.0 if index == 4_321 else 1.0,
            )
            for index in range(total)
        ]
    )
    counts = ItemCounts(total, total - len(failed), len(failed))
    visit = VisitRecord(1, 1, "each", 1, Status.FAILED, has_items=True, items=counts)
    found = [item.index for item in sampled_items(store, visit)]
    assert found == sorted(set(found))
    assert set(range(20)) <= set(found)
    assert set(sorted(failed)[:MOST_FAILED]) <= set(found)
    assert len(found) == total if total == MOST_ITEMS else 300 < len(found) <= MOST_ITEMS
    assert total <= 4_321 or 4_321 in found


@pytest.fixture(scope="module")
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A receiver of OTLP over HTTP: its address, and all that it was sent."""
    received: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    server.server_close()


def test_a_collector_receives_the_trace_of_a_run(collector, tmp_path: Path) -> None:
    """Once it is over; programs that it starts hear of the trace by TRACEPARENT."""
    url, received = collector
    flow = 'tasks: [{name: tell, action: core.shell, input: {script: "echo $TRACEPARENT"}}]\n'
    (tmp_path / "flow.yaml").write_text(
        f'{flow}output: "{{{{ task.tell.output.stdout | trim }}}}"\n'
    )
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": url, "FANWISE_STORE": "s.db"}
    command = [sys.executable, "-m", "fanwise", "run", "flow.yaml", "--run-id", "t3"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    (request,) = received
    (resource,) = request.resource_spans
    named = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert named["service.name"] == "fanwise"
    spans = {span.name: span for span in resource.scope_spans[0].spans}
    assert set(spans) == {"flow", "tell"}
    _, trace, parent, _ = json.loads(done.stdout).split("-")
    assert (trace, parent) == (spans["tell"].trace_id.hex(), spans["tell"].span_id.hex())
