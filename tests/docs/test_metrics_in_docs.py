"""Each metric is documented, with its kind and its labels."""

from __future__ import annotations

import re
from pathlib import Path

from fanwise.telemetry.metrics import METRICS

PAGE = Path(__file__).parents[2] / "docs" / "observability.md"


def test_the_page_has_the_table_of_metrics() -> None:
    """Under the names that Prometheus reads."""
    rows = re.findall(r"^\| `(fanwise_\w+)` \| (\w+) \| (.*?) ?\| ", PAGE.read_text(), re.MULTILINE)
    told = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    expected = {}
    for name, metric in METRICS.items():
        kind = "histogram" if metric.buckets else "gauge" if metric.is_level else "counter"
        expected[f"{name}_total" if kind == "counter" else name] = kind, metric.labels
    assert told == expected
