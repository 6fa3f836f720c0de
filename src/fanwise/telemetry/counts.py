"""Counters and histograms that add up: over threads, and over the processes of a server.

A process hands its counts over as what has been added since it last did, so the sum of a server
never falls when one of its processes ends. At most 200 workflows have a label of their own.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from fanwise.telemetry.metrics import METRICS

MOST_WORKFLOWS: Final = 200
_OTHER: Final = "other"

Amounts = tuple[float, ...]
"""The count of a counter, or of a histogram those of all buckets, and the sum of its values."""


class Count(msgspec.Struct, frozen=True, array_like=True):
    """An amount under a metric's name and the values of its labels."""

    name: str
    labels: tuple[str, ...]
    amounts: Amounts


class Report(msgspec.Struct, frozen=True):
    """The counts of a process since its last report, and its gauges, by name."""

    counts: list[Count] = []
    levels: dict[str, float] = {}


class Counts:
    """Amounts by metric and labels. Any thread may use them."""

    def __init__(self) -> None:
        self._amounts: dict[tuple[str, tuple[str, ...]], Amounts] = {}
        self._workflows: set[str] = set()
        self._lock = threading.Lock()

    def add(self, name: str, *labels: str, by: float = 1.0) -> None:
        """Add to a counter."""
        self.merge([Count(name, labels, (by,))])

    def observe(self, name: str, *labels: str, value: float) -> None:
        """Add a value to a histogram."""
        buckets = METRICS[name].buckets
        amounts = [0.0] * (len(buckets) + 1)
        amounts[bisect_left(buckets, value)] = 1.0
        self.merge([Count(name, labels, (*amounts, value))])

    def merge(self, counts: Iterable[Count]) -> None:
        """Add amounts that were taken elsewhere."""
        with self._lock:
            for name, labels, amounts in map(msgspec.structs.astuple, counts):
                key = name, self._bounded(name, labels)
                found = self._amounts.get(key)
                self._amounts[key] = (
                    amounts
                    if found is None
                    else tuple(a + b for a, b in zip(found, amounts, strict=True))
                )

    def read(self) -> Mapping[tuple[str, tuple[str, ...]], Amounts]:
        """Return all amounts."""
        with self._lock:
            return dict(self._amounts)

    def take(self) -> list[Count]:
        """Return all amounts, and begin with none again."""
        with self._lock:
            taken, self._amounts = self._amounts, {}
        return [Count(name, labels, amounts) for (name, labels), amounts in taken.items()]

    def _bounded(self, name: str, labels: tuple[str, ...]) -> tuple[str, ...]:
        if METRICS[name].labels[:1] != ("workflow",):
            return labels
        workflow, *others = labels
        if len(self._workflows) < MOST_WORKFLOWS:
            self._workflows.add(workflow)
        return (workflow if workflow in self._workflows else _OTHER, *others)
