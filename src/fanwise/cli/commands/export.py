"""`fanwise export`: gives the whole of a run as lines of JSON, for archives and other programs."""

from __future__ import annotations

from fanwise.cli import options
from fanwise.cli.text.output import print_results
from fanwise.reports.plain import escaped


def export(run_id: options.RunId, store: options.Backend = None) -> None:
    """Print the whole of a run as lines of JSON.

    The first line is the run, then come its tasks, events, items and logs. All of it is of one
    moment, also if the run continues meanwhile.
    """
    from fanwise.cli.backends import open_backend
    from fanwise.reports.questions import run_state

    with open_backend(store) as backend:
        found = backend.ask(run_state, run_id)
        print_results(escaped(line.decode()) for line in backend.export(found.run_id))
