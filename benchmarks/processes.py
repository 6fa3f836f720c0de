"""What another process takes of the machine, by what Linux tells of it in `/proc`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal


def busy_s(pid: int) -> float:
    """The seconds for which a process has had a core."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_bytes(pid: int, what: Literal["VmRSS", "VmHWM"] = "VmRSS") -> int:
    """The memory that a process holds, or the most that it has held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields[what].split()[0]) * 1024
