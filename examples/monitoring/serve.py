"""Answers for a thousand servers on this machine, and lists them in `servers.json`.

    python serve.py

Ctrl-C ends it. The workflow then finds nobody at home, which is worth a look, too.
"""

import sys
import threading
from pathlib import Path

from weft.demos.monitor.fleet import make_fleet
from weft.demos.monitor.inventory import write_inventory
from weft.demos.monitor.process import serving

SERVERS = 1_000
SEED = 7


def main() -> None:
    """Serve until Ctrl-C."""
    inventory = Path(__file__).with_name("servers.json")
    with serving(servers=SERVERS, seed=SEED, all_healthy=True) as url:
        write_inventory(inventory, url, make_fleet(SERVERS, SEED, all_healthy=True))
        sys.stdout.write(f"{SERVERS:,} servers answer at {url}; Ctrl-C ends them.\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            inventory.unlink()


if __name__ == "__main__":
    main()
