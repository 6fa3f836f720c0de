"""The suite has the same tests wherever and whenever it is collected.

pytest-xdist stops if two of its processes collect different tests, and a test that failed is run
alone by its id. An id that holds a time, a hash, an address or an order of a set breaks both.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

DAY_S = 86_400


def test_ids_are_the_same_in_every_process_and_second(request: pytest.FixtureRequest) -> None:
    """A process with another hash seed and another clock collects these ids in the same order."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }
    environment |= {
        "PYTHONHASHSEED": "2",
        "PYTHONPATH": str(Path(__file__).parent),
        "CLOCK_SHIFT_S": str(400 * DAY_S + 3_601),
    }
    command = ["-B", "-m", "pytest", "--collect-only", "-p", "no:xdist", "-p", "shifted_clock"]
    told = subprocess.run(
        [sys.executable, *command, *request.config.args],
        cwd=request.config.invocation_params.dir,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stdout[-2_000:]
    others = [line for line in told.stdout.splitlines() if "::" in line]
    here = [item.nodeid for item in request.session.items]
    chosen = set(here)  # those that `-k` and its like have left
    assert [each for each in others if each in chosen] == here
