"""Runs the developers' benchmarks: `python -m benchmarks [NAME]`; `--help` names the options.

Exit status: 1 if a promise doesn't hold that must hold on any machine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from fanwise.bench.budget import render
from fanwise.bench.measure import DEFAULT_ROUNDS
from fanwise.bench.suite import measure_module
from fanwise.errors import FanwiseError

BENCHMARKS = {
    "children": "A child workflow of three steps per item, each step recorded",
    "graph": "Workflows of ten thousand tasks: checking, running, deciding",
    "resume": "Resuming a run of a million items, half of them recorded",
    "control": "Pausing and cancelling a run from another process",
    "torture": "Killing processes over and over, and counting losses",
    "storm": "Killing engines and their PostgreSQL server, losing its answers, and counting losses",
    "habits": "The worth of the advice on fan-outs, each piece against its opposite",
    "postgres": "A fan-out recorded on PostgreSQL, against a bare loop with COPY",
    "queue": "Taking submitted runs: two engines on PostgreSQL",
    "lists": "The lists of a large store, on PostgreSQL and on SQLite",
    "executors": "Items in child processes, against the pools of the standard library",
    "server": "The server over a large store: its answers, its rest, its page",
    "watched": "A fan-out that a server tells of, against one that nobody watches",
    "http": "HTTP checks of a thousand servers, against a bare aiohttp loop",
    "clients": "HTTP clients on the same checks, each in a bare loop",
    "triggers": "A thousand triggers due at once, how late they fire, and the cost of waiting",
    "events": "A burst of 50,000 events that is one run",
    "questions": "Ten thousand questions of one fan-out, parked and answered",
}
"""Titles of the benchmarks, in their order. Each is a module of its name."""

_KILLING = "torture"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark, or all; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=_titles())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("name", nargs="?", choices=BENCHMARKS, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=DEFAULT_ROUNDS, help="medians of so many")
    parser.add_argument("--kills", type=int, help=f"processes to kill in `{_KILLING}`")
    in_place = f"have `{_KILLING}` record on a server of its own"
    parser.add_argument("--postgres", action="store_true", help=in_place)
    given = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    budgets = []
    for name in BENCHMARKS if given.name is None else [given.name]:
        asked = {"kills": given.kills, "postgres": given.postgres} if name == _KILLING else {}
        options = {option: value for option, value in asked.items() if value}
        try:
            measured = measure_module(f"benchmarks.{name}", rounds=given.rounds, **options)
        except FanwiseError as error:
            parser.error(f"{name}: {error}")
        console.print(measured.shown)
        budgets += measured.budgets
    if budgets:
        console.print(render(budgets))
    return int(not all(budget.met for budget in budgets if budget.strict))


def _titles() -> str:
    return "\n".join(f"{name:10}{title}" for name, title in BENCHMARKS.items())


if __name__ == "__main__":
    sys.exit(main())
