"""`fanwise db`: looks after the store itself: checks it, upgrades it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.errors import WRONG
from fanwise.cli.text.output import as_json, print_results
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from fanwise.model import StoreReport
    from fanwise.values import JsonObject


def check(store: options.StoreUrl = None, json: options.JsonFlag = False) -> None:
    """Look for damage in the store, and tell what is in it. Changes nothing.

    It reads the whole file. Exit status: 0 all is well, 2 something is damaged, or the store has to
    be upgraded first.
    """
    from fanwise.wiring import check_store, read_settings

    report = check_store(read_settings(store=store))
    print_results([as_json(_report_object(report))] if json else _report_lines(report))
    if report.problems or report.revision != report.newest:
        raise typer.Exit(WRONG)


def upgrade(
    no_copy: Annotated[
        bool, typer.Option("--no-copy", help="Don't keep a copy of the store as it was.")
    ] = False,
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """Bring the store of an older fanwise to this version's revision.

    It happens as a whole or not at all. The store as it was is kept beside it, for going back to
    the older fanwise. Nobody else may use the store meanwhile.
    """
    from fanwise.wiring import read_settings, upgrade_store

    done = upgrade_store(read_settings(store=store), keep_copy=not no_copy)
    copy = None if done.copy is None else str(done.copy)
    if json:
        found = {"from": done.before or None, "to": done.after, "copy": copy}
        print_results([as_json(found)])
    elif done.before == done.after:
        print_results([f"The store has revision {done.after}, the newest one. Nothing to do."])
    else:
        print_results([f"Upgraded the store from revision {done.before or '-'} to {done.after}."])
        print_results([] if copy is None else [f"The store as it was: {clean(copy)}"])


def _report_lines(report: StoreReport) -> list[str]:
    from fanwise.cli.text.render import count
    from fanwise.units import show_bytes

    is_newest = report.revision == report.newest
    hint = "the newest" if is_newest else f"older than {report.newest}: see fanwise db upgrade"
    free = show_bytes(report.size.free_bytes)
    facts = [
        ("Store", clean(report.place)),
        ("Revision", f"{report.revision or '-'}, {hint}"),
        ("Size", f"{show_bytes(report.size.total_bytes)}, of which {free} wait for new runs"),
    ]
    if report.runs:
        counts = ", ".join(f"{number:,} {status}" for status, number in report.runs.items())
        facts.append(("Runs", f"{sum(report.runs.values()):,}: {counts}"))
    if report.leftovers:
        runs = count(report.leftovers, "deleted run")
        facts.append(("Leftovers", f"of {runs}; the next fanwise prune sweeps them up"))
    facts.append(
        ("Damage", "none" if not report.problems else count(len(report.problems), "problem"))
    )
    return [*(f"{name:<9}  {text}" for name, text in facts), *map(clean, report.problems)]


def _report_object(report: StoreReport) -> JsonObject:
    return {
        "store": report.place,
        "revision": report.revision or None,
        "newest_revision": report.newest,
        "size_bytes": report.size.total_bytes,
        "free_bytes": report.size.free_bytes,
        "runs": {status.value: number for status, number in report.runs.items()},
        "leftovers": report.leftovers,
        "problems": report.problems,
    }
