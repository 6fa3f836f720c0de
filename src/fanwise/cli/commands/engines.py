"""`fanwise engines`: lists the engines of a store, and what each of them drives."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fanwise.cli import options
from fanwise.cli.text.output import as_json, has_colours, print_results
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanwise.model import EngineRecord

_MOST_NAMED = 3


def engines(store: options.Backend = None, json: options.JsonFlag = False) -> None:
    """List the processes that drive runs, and what each drives.

    Processes that wait for runs are listed as well. A process that has ended without a word stays
    in the list until another engine sees that.
    """
    from fanwise.cli.backends import before_first_run, open_backend
    from fanwise.reports import questions
    from fanwise.reports.objects import engine_object

    found: Sequence[EngineRecord] = ()
    with before_first_run(store), open_backend(store) as backend:
        found = backend.ask(questions.engines)
    print_results([as_json(engine_object(each)) for each in found] if json else _lines(found))


def _lines(found: Sequence[EngineRecord]) -> list[str]:
    from fanwise.cli.text.render import show_time, table
    from fanwise.units import show_span

    if not found:
        return ["No engines."]
    rows = [
        (
            str(each.engine_no),
            clean(each.owner.host),
            str(each.owner.pid),
            show_time(each.since),
            f"{show_span(each.silent_s)} ago",
            f"{len(each.runs):,}",
            _named(each.runs),
        )
        for each in found
    ]
    headings = ["ENGINE>", "HOST", "PROCESS>", "SINCE", "LAST SIGN>", "DRIVES>", "RUNS"]
    return table(headings, rows, colours=has_colours(sys.stdout))


def _named(runs: Sequence[str]) -> str:
    rest = len(runs) - _MOST_NAMED
    return " ".join(runs[:_MOST_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")
