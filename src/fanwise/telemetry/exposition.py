"""Metrics as text for Prometheus, and for others that read its formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

from fanwise.errors import UsageError
from fanwise.telemetry.counts import Amounts, Counts
from fanwise.telemetry.metrics import METRICS

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from fanwise.telemetry.counting import RunCounts

Levels = Mapping[tuple[str, tuple[str, ...]], float]
"""The gauges at a moment, by their names and the values of their labels."""


def exposed(counts: Counts, levels: Callable[[], Levels], accept: str) -> tuple[bytes, str]:
    """Return all metrics in the format that a reader accepts, and the name of it."""
    from prometheus_client.exposition import choose_encoder

    encode, kind = choose_encoder(accept)
    text: bytes = encode(registry_of(counts, levels))
    return text, str(kind)


def serve_metrics(runs: RunCounts, port: int) -> int:
    """Let metrics of this process be read at a port of this machine, and return the port.

    A thread of their own answers. Raises `UsageError` for a port that is taken.
    """
    from prometheus_client import start_http_server

    def levels() -> Levels:
        return {(name, ()): level for name, level in runs.levels().items()}

    try:
        server, _ = start_http_server(port, "127.0.0.1", registry_of(runs.counts, levels))
    except OSError as error:
        raise UsageError(
            f"port {port} can't be used for metrics: {error.strerror}.",
            hint="Give another one with --metrics-port.",
        ) from None
    return int(server.server_port)


def registry_of(counts: Counts, levels: Callable[[], Levels]) -> CollectorRegistry:
    """Return a registry of these metrics, and of what the system knows of this process."""
    from prometheus_client import CollectorRegistry, ProcessCollector

    registry = CollectorRegistry()
    registry.register(_Collected(counts, levels))
    ProcessCollector(registry=registry)
    return registry


class _Collected:
    """The metrics of one moment, as a registry asks for them."""

    def __init__(self, counts: Counts, levels: Callable[[], Levels]) -> None:
        self._counts = counts
        self._levels = levels

    def describe(self) -> list[Metric]:
        """Return nothing, so that nothing is collected before it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all families that have a value.

        A counter without labels has one from the start, so that its first rise is seen as one.
        """
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        found: dict[str, list[tuple[tuple[str, ...], Amounts]]] = {}
        for (name, labels), amounts in sorted(self._counts.read().items()):
            found.setdefault(name, []).append((labels, amounts))
        for (name, labels), level in sorted(self._levels().items()):
            found.setdefault(name, []).append((labels, (level,)))
        for name, metric in METRICS.items():
            if not metric.labels and not metric.is_level:
                found.setdefault(name, [((), (0.0,) * (len(metric.buckets) + 2))])
            if name not in found:
                continue
            if metric.buckets:
                family = HistogramMetricFamily(name, metric.help, labels=metric.labels)
                for labels, amounts in found[name]:
                    family.add_metric(labels, _buckets(metric.buckets, amounts), amounts[-1])
            else:
                kind = GaugeMetricFamily if metric.is_level else CounterMetricFamily
                family = kind(name, metric.help, labels=metric.labels)
                for labels, amounts in found[name]:
                    family.add_metric(labels, amounts[0])
            yield family


def _buckets(bounds: tuple[float, ...], amounts: Amounts) -> list[tuple[str, float]]:
    """The counts up to each bound."""
    names = [*map(str, bounds), "+Inf"]
    return list(zip(names, accumulate(amounts[:-1]), strict=True))
