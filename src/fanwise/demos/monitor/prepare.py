"""Answers for a thousand servers on this machine, and lists them in servers.json beside this file.

    python prepare.py

Some of them are slow, and some fail. Ctrl-C ends them all; what the workflow then finds is worth a
look, too.
"""

import argparse
import sys
import threading
from pathlib import Path

import fanwise
from fanwise.demos.monitor.fleet import make_fleet, write_inventory
from fanwise.demos.monitor.process import serving
from fanwise.demos.process import parse_amount, parse_port

SEED = 7


def main() -> None:
    """Read the command line, and serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Answer for servers, and list them.")
    parser.add_argument("--servers", type=parse_amount, default=1_000, help="how many there are")
    parser.add_argument("--port", type=parse_port, default=0, help="0 takes any that is free")
    options = parser.parse_args()
    inventory = Path(__file__).with_name("servers.json")
    try:
        with serving(servers=options.servers, seed=SEED, port=options.port) as url:
            write_inventory(inventory, url, make_fleet(options.servers, SEED))
            sys.stdout.write(f"{options.servers:,} servers answer at {url}; Ctrl-C ends them.\n")
            sys.stdout.flush()
            threading.Event().wait()
    except fanwise.FanwiseError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
