"""The monitoring demo as a project that serves itself: a copy whose schedule is faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fanwise.demos.copying import copy_demo
from fanwise.demos.monitor.fleet import make_fleet, write_inventory
from fanwise.demos.monitor.process import serving

_SEED: Final = 7
_FASTER: Final = {"schedule: 5m": "schedule: 5s", "every_five_minutes": "every_five_seconds"}


@contextmanager
def served(folder: Path, servers: int, say: Callable[[str], None]) -> Iterator[None]:
    """Make a project in a folder, whose servers answer while the block lasts."""
    say(f"Starting {servers:,} servers ...")
    copy_demo("monitor", folder)
    workflow = folder / "workflow.yaml"
    text = workflow.read_text()
    for written, faster in _FASTER.items():
        text = text.replace(written, faster)
    workflow.write_text(text)
    with serving(servers=servers, seed=_SEED) as url:
        write_inventory(folder / "servers.json", url, make_fleet(servers, _SEED))
        yield
