"""Benchmarks for developers, run from a clone: `python -m benchmarks NAME`.

Those that a user checks claims with are shipped as `fanwise bench`; both measure and report with
the same modules of `fanwise.bench`.
"""

from __future__ import annotations

from pathlib import Path

from fanwise.bench.runs import PACK

PACKS = (PACK, Path(__file__).parent / "workload")
"""The packs whose actions the benchmarks' workflows call."""
