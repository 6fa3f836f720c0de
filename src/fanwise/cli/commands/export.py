"""`fanwise export`: gives the whole of a run as lines of JSON, for archives and other programs."""

from __future__ import annotations

from itertools import chain

from fanwise.cli import options
from fanwise.cli.text.output import as_json, print_results
from fanwise.errors import RunNotFoundError


def export(run_id: options.RunId, store: options.StoreUrl = None) -> None:
    """Print the whole of a run as lines of JSON.

    The first line is the run, then come its tasks, events, items and logs. All of it is of one
    moment, also if the run continues meanwhile.
    """
    from fanwise.reports.lookup import find_run
    from fanwise.reports.records import record_object
    from fanwise.wiring import open_records, read_settings

    with open_records(read_settings(store=store)) as opened:
        found = find_run(opened, run_id)
        records = opened.export(found.id)
        first = next(records, None)
        if first is None:
            raise RunNotFoundError(f"the run {found.id} has just been deleted.", run_id=found.id)
        print_results(as_json(record_object(record)) for record in chain([first], records))
