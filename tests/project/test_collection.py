"""The suite has the same tests wherever and whenever it is collected.

pytest-xdist stops if two of its processes collect different tests, and a test that failed is run
alone by its id. An id that holds a time, a hash, an address or an order of a set breaks both.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from source import ROOT

DAY_S = 86_400


def _start(*, hash_seed: int, clock_shift_s: int) -> subprocess.Popen[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }
    environment |= {
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONPATH": str(Path(__file__).parent),
        "CLOCK_SHIFT_S": str(clock_shift_s),
    }
    command = ["-B", "-m", "pytest", "--collect-only", "-p", "no:xdist", "-p", "shifted_clock"]
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _ids(process: subprocess.Popen[str]) -> list[str]:
    output, _ = process.communicate()
    assert process.returncode == 0, output[-2_000:]
    return [line for line in output.splitlines() if "::" in line]


def test_ids_are_the_same_in_every_process_and_second() -> None:
    """Two processes with other hash seeds and other clocks collect the same ids in one order."""
    processes = [
        _start(hash_seed=1, clock_shift_s=0),
        _start(hash_seed=2, clock_shift_s=400 * DAY_S + 3_601),
    ]
    first, second = map(_ids, processes)
    assert len(first) > 1_000
    assert first == second
