"""The runs, the newest first, as far as a line of filters leaves them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Final

from fanwise.reports.listing import count_newest
from fanwise.reports.ownership import Filters
from fanwise.server.page.pages import Page, Shown
from fanwise.server.page.views.filter_line import STATUSES, FilterLine, read_line
from fanwise.server.page.views.finding import Listed, listed, newest_runs
from fanwise.server.routes import Call, Fields
from fanwise.server.runs import MOST_COUNTED

_PAGE: Final = 50


class RunsQuery(Fields, frozen=True):
    """The filters; runs before one by its number; and the newest that a view has shown."""

    q: str = ""
    before: int | None = None
    upto: int | None = None


def view(call: Call) -> Shown:
    """Show a page of runs. A live view keeps its rows, and counts the runs that are newer."""
    query = call.query(RunsQuery)
    line = read_line(query.q, call.parts.clock.now())
    before = query.before
    if before is None and query.upto is not None:
        before = query.upto + 1
    found = _found(call, line, before)
    counts, are_capped = _counts(call, line)
    newest = query.upto or (found[0].run.run_no if found else None)
    values = {
        "line": line,
        "statuses": STATUSES,
        "counts": counts,
        "are_capped": are_capped,
        "runs": found[:_PAGE],
        "next": found[_PAGE - 1].run.run_no if len(found) > _PAGE else None,
        "is_first": query.before is None,
        "new": _count_newer(call, line, query.upto) if query.before is None else 0,
        "most_new": _PAGE + 1,
        "chosen_by": _conditions(line),
    }
    live = None if query.before is not None else "" if newest is None else f"upto={newest}"
    run_nos = [each.run.run_no for each in found]
    return Shown(title="Runs", values=values, live=live, run_nos=run_nos)


def _found(call: Call, line: FilterLine, before: int | None) -> list[Listed]:
    """A page of runs and one more. A word may be a run's id or the name of a workflow."""
    status, filters, limit = line.status, line.filters, _PAGE + 1
    if line.run is None:
        return list(newest_runs(call, status, filters, before=before, limit=limit))
    run = call.parts.store.run(line.run)
    if run is not None and call.who.sees(run.workflow):
        return listed(call, [(run, call.parts.runs.status(run))])
    named = Filters(workflow=line.run, since=filters.since, tags=filters.tags)
    return list(newest_runs(call, status, named, before=before, limit=limit))


def _counts(call: Call, line: FilterLine) -> tuple[Counter[str], bool]:
    """The numbers of runs of each status that the rest of a line leaves."""
    filters = line.filters if line.run is None else line.filters._replace(workflow=line.run)
    return count_newest(call.parts.runs, filters, call.who.sees, most=MOST_COUNTED)


def _conditions(line: FilterLine) -> str:
    """The conditions of a line as the API takes them; empty for a line that it couldn't tell."""
    if line.run is not None or line.problem:
        return ""
    found = line.filters
    conditions = {
        "status": [line.status] if line.status else [],
        "workflow": [found.workflow] if found.workflow else [],
        "tag": list(found.tags),
        "since": line.since,
    }
    return json.dumps({name: each for name, each in conditions.items() if each})


def _count_newer(call: Call, line: FilterLine, upto: int | None) -> int:
    """The runs that have been made since a view, up to a page of them."""
    return 0 if upto is None else sum(each.run.run_no > upto for each in _found(call, line, None))


PAGE: Final = Page(path="/runs", room="runs", template="runs.html", view=view, query=RunsQuery)
