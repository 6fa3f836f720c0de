"""Two runs beside each other: what of their definitions, parameters, tasks and errors differs."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from fanwise.model import ErrorKind, RunRecord
from fanwise.reports.kinds import digest_items
from fanwise.reports.lookup import recorded_definition, task_names
from fanwise.reports.overview import Overview, overview
from fanwise.reports.ownership import Filters
from fanwise.reports.progress import ItemProgress
from fanwise.server.page.pages import Page, Shown
from fanwise.server.page.views.finding import newest_runs, visible_run
from fanwise.server.routes import Call, Fields
from fanwise.values import Json, decode

_MOST_LINES: Final = 2_000
_MOST_KINDS: Final = 200
_OTHERS: Final = 20


class CompareQuery(Fields, frozen=True):
    """The ids of the two runs."""

    a: str = ""
    b: str = ""


class Side(NamedTuple):
    """A task in one of the runs."""

    status: str
    duration_s: float | None
    items: ItemProgress | None


class TaskPair(NamedTuple):
    """A task in both runs; None where one doesn't have it."""

    name: str
    a: Side | None
    b: Side | None

    @property
    def change_s(self) -> float | None:
        """Seconds that it took longer in the second run."""
        spans = [side.duration_s if side is not None else None for side in (self.a, self.b)]
        return None if spans[0] is None or spans[1] is None else spans[1] - spans[0]


class KindPair(NamedTuple):
    """A kind of errors of a task, with its counts in both runs."""

    task: str
    type: str
    shape: str
    a: int
    b: int

    @property
    def word(self) -> str:
        """A word for what has become of it."""
        return "new" if not self.a else "gone" if not self.b else "in both"


def view(call: Call) -> Shown:
    """Show two runs; without a second one, the runs to choose from."""
    query = call.query(CompareQuery)
    first = visible_run(call, query.a) if query.a else None
    second = visible_run(call, query.b) if query.b else None
    values: dict[str, object] = {"a": first, "b": second, "others": _others(call, first)}
    if first is not None and second is not None:
        values |= _differences(call, first, second)
    return Shown(title="Compare", values=values)


def _others(call: Call, run: RunRecord | None) -> Sequence[object]:
    """The latest other runs of the workflow, or of any."""
    filters = Filters() if run is None else Filters(workflow=run.workflow)
    found = newest_runs(call, filters=filters, limit=_OTHERS)
    return [each for each in found if run is None or each.run.id != run.id]


def _differences(call: Call, first: RunRecord, second: RunRecord) -> dict[str, object]:
    a, b = _seen(call, first), _seen(call, second)
    pairs = _tasks(a, b)
    return {
        "seen_a": a,
        "seen_b": b,
        "lines": _diff(first.definition, second.definition),
        "parameters": _parameters(decode(first.parameters), decode(second.parameters)),
        "tasks": sorted(pairs, key=lambda pair: -abs(pair.change_s or 0.0)),
        "kinds": list(islice(_kinds(call, a, b), _MOST_KINDS)),
    }


def _seen(call: Call, run: RunRecord) -> Overview:
    definition = recorded_definition(run, call.parts.settings.limits)
    names = () if definition is None else task_names(definition)
    return overview(call.parts.runs, run, names, call.parts.clock.now())


def _diff(a: str, b: str) -> Sequence[tuple[str, str]]:
    """The lines that differ with those around them, each with a word for its look."""
    words = {"+": "add", "-": "del", "@": "at"}
    lines = difflib.unified_diff(a.splitlines(), b.splitlines(), lineterm="", n=3)
    return [(words.get(line[:1], ""), line) for line in islice(lines, 2, _MOST_LINES)]


def _parameters(a: Mapping[str, Json], b: Mapping[str, Json]) -> Sequence[tuple[str, Json, Json]]:
    names = dict.fromkeys([*a, *b])
    return [(name, a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name)]


def _tasks(a: Overview, b: Overview) -> Sequence[TaskPair]:
    names = dict.fromkeys([*a.run.tasks, *b.run.tasks])
    return [TaskPair(name, _side(a, name), _side(b, name)) for name in names]


def _side(seen: Overview, name: str) -> Side | None:
    if name not in seen.run.tasks:
        return None
    return Side(seen.task_status(name), seen.duration_s(name), seen.progress.get(name))


def _kinds(call: Call, a: Overview, b: Overview) -> Sequence[KindPair]:
    """The kinds of errors of both runs, first those that are new."""
    before, after = _kinds_of(call, a), _kinds_of(call, b)
    found = [
        KindPair(*key, before.get(key, 0), after.get(key, 0))
        for key in dict.fromkeys([*after, *before])
    ]
    return sorted(found, key=lambda pair: ("new", "gone", "in both").index(pair.word))


def _kinds_of(call: Call, seen: Overview) -> Mapping[tuple[str, str, str], int]:
    found: dict[tuple[str, str, str], int] = {}
    for name, items in seen.progress.items():
        if items.failed:
            for kind in _of_visit(call, seen, name):
                found[name, kind.type, kind.shape] = kind.count
    return found


def _of_visit(call: Call, seen: Overview, name: str) -> Sequence[ErrorKind]:
    visit = seen.last[name]
    return digest_items(call.parts.store, visit.run_no, visit.visit_no).kinds


PAGE: Final = Page(
    path="/compare", room="runs", template="compare.html", view=view, query=CompareQuery
)
