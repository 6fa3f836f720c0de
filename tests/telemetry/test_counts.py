"""Counts: they add up over processes, stay bounded, and read as Prometheus reads them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from fanwise.telemetry.counts import MOST_WORKFLOWS, Counts
from fanwise.telemetry.exposition import exposed
from fanwise.telemetry.metrics import METRICS

changes = st.lists(
    st.one_of(
        st.tuples(st.just("fanwise_items_ended"), st.sampled_from(["succeeded", "failed"])),
        st.tuples(st.just("fanwise_run_seconds"), st.sampled_from(["a", "b"])),
    )
)


def change(counts: Counts, name: str, label: str, at: int) -> None:
    if METRICS[name].buckets:
        counts.observe(name, label, value=at % 7)
    else:
        counts.add(name, label, by=at)


@given(changes, st.integers(1, 5))
def test_counts_that_are_handed_over_add_up(made, processes: int):
    """A server's sum is that of a single process, however often each of its processes reports."""
    whole, server = Counts(), Counts()
    parts = [Counts() for _ in range(processes)]
    for at, (name, label) in enumerate(made):
        change(whole, name, label, at)
        change(parts[at % processes], name, label, at)
        if at % 3 == 0:
            server.merge(parts[at % processes].take())
    for part in parts:
        server.merge(part.take())
    assert server.read() == whole.read()


def test_at_most_so_many_workflows_have_labels_of_their_own():
    """A name that is made for each run would fill every memory that gathers metrics."""
    counts = Counts()
    for number in range(2 * MOST_WORKFLOWS):
        counts.add("fanwise_runs_taken", f"w{number}")
    found = counts.read()
    assert len(found) == MOST_WORKFLOWS + 1
    assert found["fanwise_runs_taken", ("other",)] == (MOST_WORKFLOWS,)


def test_metrics_are_text_that_prometheus_reads():
    """Counters, gauges and histograms with sums, in the buckets that are not above their bounds."""
    counts = Counts()
    counts.add("fanwise_runs_ended", 'a "name"\n', "failed", by=2)
    for value in (0.125, 0.25, 1e6):
        counts.observe("fanwise_run_seconds", "a", value=value)
    text, kind = exposed(counts, lambda: {("fanwise_workers", ()): 3}, "text/plain;version=0.0.4")
    assert kind.startswith("text/plain")
    families = {each.name: each for each in text_string_to_metric_families(text.decode())}
    (ended,) = families["fanwise_runs_ended"].samples
    assert (ended.name, ended.value) == ("fanwise_runs_ended_total", 2)
    assert ended.labels == {"workflow": 'a "name"\n', "status": "failed"}
    assert families["fanwise_workers"].samples[0].value == 3
    spans = families["fanwise_run_seconds"].samples
    buckets = {each.labels["le"]: each.value for each in spans if each.name.endswith("_bucket")}
    assert (buckets["0.1"], buckets["0.5"], buckets["86400.0"], buckets["+Inf"]) == (0, 2, 2, 3)
    assert {each.name: each.value for each in spans}["fanwise_run_seconds_sum"] == 1e6 + 0.375
    assert "process_resident_memory_bytes" in families
    assert exposed(counts, dict, "application/openmetrics-text; version=1.0.0")[0].endswith(
        b"# EOF\n"
    )


def test_counters_without_labels_are_there_from_the_start() -> None:
    """An alert on their rise would miss the first one; those with labels name nothing yet."""
    text, _ = exposed(Counts(), dict, "text/plain")
    lines = text.decode().splitlines()
    assert "fanwise_store_errors_total 0.0" in lines
    assert "fanwise_start_delay_seconds_count 0.0" in lines
    assert 'fanwise_fire_delay_seconds_bucket{le="+Inf"} 0.0' in lines
    assert not any(line.startswith(("fanwise_runs_ended", "fanwise_engines ")) for line in lines)
