"""`fanwise limits`: lists the limits across runs, who has their slots, and how many wait."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fanwise.cli import options
from fanwise.cli.text.output import as_json, has_colours, print_results, say
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanwise.reports.limits import LimitInUse, NamedLimitInUse

_MOST_NAMED = 3


def limits(store: options.Backend = None, json: options.JsonFlag = False) -> None:
    """List the limits on runs at a time, and who has their slots.

    A limit is listed as long as a run has a slot of it, or waits for one. A run that was
    interrupted keeps its slot. Named limits, which tasks share, are listed with the engines that
    use them.
    """
    from fanwise.cli.backends import before_first_run, open_backend
    from fanwise.cli.text.summary import command
    from fanwise.reports.objects import limit_object, named_limit_object
    from fanwise.reports.questions import used_limits

    found: Sequence[LimitInUse] = ()
    named: Sequence[NamedLimitInUse] = ()
    with before_first_run(store), open_backend(store) as backend:
        found, named = backend.ask(used_limits)
    if json:
        print_results([as_json(limit_object(each)) for each in found])
        print_results([as_json(named_limit_object(each)) for each in named])
        return
    tables = [lines for lines in (_lines(found), _named_lines(named)) if lines]
    print_results(_apart(tables) or ["No limits in use."])
    for run_id in dict.fromkeys(run_id for each in found for run_id in each.interrupted):
        resume, cancel = (command(name, run_id, store=store) for name in ("resume", "cancel"))
        say(f"Run {run_id} was interrupted, and keeps its slot until: {resume}, or {cancel}")


def _apart(tables: Sequence[list[str]]) -> list[str]:
    """The lines of tables, with an empty one between two of them."""
    return [line for lines in tables for line in ("", *lines)][1:]


def _lines(found: Sequence[LimitInUse]) -> list[str]:
    from fanwise.cli.text.render import table

    if not found:
        return []
    rows = [
        (
            clean(each.use.scope),
            clean(each.use.key),
            f"{len(each.use.holders):,}",
            f"{each.use.most:,}",
            f"{each.use.waiting:,}",
            _named(each.use.holders),
        )
        for each in found
    ]
    headings = ["WORKFLOW", "KEY", "USED>", "SLOTS>", "WAIT>", "RUNS"]
    return table(headings, rows, colours=has_colours(sys.stdout))


def _named_lines(found: Sequence[NamedLimitInUse]) -> list[str]:
    from fanwise.cli.text.render import table

    if not found:
        return []
    rows = [
        (
            clean(limit.name),
            f"{limit.running:,}",
            "" if limit.most is None else f"{limit.most:,}",
            str(share.engine_no),
            f"{share.running:,}",
            "" if limit.most is None else f"{share.slots:,}",
        )
        for limit in found
        for share in limit.shares
    ]
    headings = ["LIMIT", "USED>", "SLOTS>", "ENGINE>", "USES>", "HAS>"]
    return table(headings, rows, colours=has_colours(sys.stdout))


def _named(runs: Sequence[str]) -> str:
    rest = len(runs) - _MOST_NAMED
    return " ".join(runs[:_MOST_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")
