"""Two runs beside each other: differences of their definitions, parameters, tasks and errors."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from fanwise.ports import Records
from fanwise.reports.kinds import digest_items
from fanwise.reports.overview import Overview
from fanwise.reports.progress import ItemProgress
from fanwise.values import Json, decode

_MOST_LINES: Final = 2_000
_MOST_KINDS: Final = 200


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


class Comparison(NamedTuple):
    """The differences of two runs.

    `lines` are those of the definitions that differ, with lines around them, each with a word for
    its kind. `parameters` have a name and both values. `tasks` are in the order of how much longer
    or shorter they took, and of `kinds` of errors those come first that are new.
    """

    lines: Sequence[tuple[str, str]]
    parameters: Sequence[tuple[str, Json, Json]]
    tasks: Sequence[TaskPair]
    kinds: Sequence[KindPair]


def compare(records: Records, a: Overview, b: Overview) -> Comparison:
    """Compare two runs."""
    return Comparison(
        lines=text_diff(a.record.definition, b.record.definition),
        parameters=_parameters(decode(a.record.parameters), decode(b.record.parameters)),
        tasks=sorted(_tasks(a, b), key=lambda pair: -abs(pair.change_s or 0.0)),
        kinds=_kinds(records, a, b)[:_MOST_KINDS],
    )


def text_diff(a: str, b: str) -> Sequence[tuple[str, str]]:
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


def _kinds(records: Records, a: Overview, b: Overview) -> Sequence[KindPair]:
    """The kinds of errors of both runs, first those that are new."""
    before, after = _kinds_of(records, a), _kinds_of(records, b)
    found = [
        KindPair(*key, before.get(key, 0), after.get(key, 0))
        for key in dict.fromkeys([*after, *before])
    ]
    return sorted(found, key=lambda pair: ("new", "gone", "in both").index(pair.word))


def _kinds_of(records: Records, seen: Overview) -> Mapping[tuple[str, str, str], int]:
    """The failures of each kind, by its task, type and shape."""
    return {
        (name, kind.type, kind.shape): kind.count
        for name, items in seen.progress.items()
        if items.failed
        for kind in digest_items(records, seen.record.run_no, seen.last[name].visit_no).kinds
    }
