"""The rules of order and of data once more: plain, slow, and unlike the conductor.

A workflow is worked out from its start to its end, one task or one loop after the other, each when
everything before it is done. No events arrive, nothing is undecided and nothing waits. What is seen
at a place is the whole path that leads to it, as sets. The conductor's outcome must be the same.

The model has nothing to say of what depends on timing: `fail`, `join: N` with more ways than N, and
a loop in which several visits are due at once (`is_crowded`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from order_workflows import MOST_VISITS, Link, Outcome, Scenario, links, loops, reach

from fanwise.model import Status


class Setter(NamedTuple):
    """Which visit of which task set a value, and by which transition (-1: the task's publish)."""

    task: int
    visit: int
    way: int


@dataclass(frozen=True)
class Setting:
    """A variable's value: who set it, and who had set anything before on the way there."""

    setter: Setter
    value: str
    before: frozenset[Setter]


@dataclass(frozen=True)
class Path:
    """Everything that has happened on the way to a place."""

    tasks: frozenset[int] = frozenset()
    setters: frozenset[Setter] = frozenset()
    values: Mapping[str, Setting] = field(default_factory=dict)


class Closed(NamedTuple):
    """A way that isn't taken; `blocks` if an unhandled failure is why."""

    blocks: bool


Fate = Path | Closed


def choose(settings: Iterable[Setting]) -> Setting:
    """Which of several values lasts: one that no other replaces, and of these the last listed."""
    every = list(settings)
    replaced = {setter for each in every for setter in each.before}
    return max(
        (each for each in every if each.setter not in replaced), key=lambda each: each.setter
    )


def meet(paths: list[Path]) -> Path:
    """The path of a task at which these paths end."""
    arriving: dict[str, list[Setting]] = {}
    for path in paths:
        for name, setting in path.values.items():
            arriving.setdefault(name, []).append(setting)
    return Path(
        frozenset().union(*(path.tasks for path in paths)),
        frozenset().union(*(path.setters for path in paths)),
        {name: choose(settings) for name, settings in arriving.items()},
    )


class Prediction:
    """What becomes of a scenario, worked out when this is made.

    `statuses` and `seen` are as those of a run; `failures` are the tasks whose failure nothing
    handled.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.statuses: dict[str, list[tuple[int, Status]]] = {}
        self.seen: dict[tuple[str, int], tuple[Any, Any]] = {}
        self.failures: list[str] = []
        self.is_crowded = False
        self._steps = scenario.all_steps
        self._outcomes = scenario.outcomes
        self._links = links(scenario.steps)
        self._loops = loops(scenario.steps)
        self._results: dict[int, tuple[Status, str | None]] = {}
        self._fates: dict[Link, Fate] = {}
        self._settings: dict[str, dict[tuple[int, int], Setting]] = {}
        for unit in self._units(len(scenario.steps)):
            self._work_out(unit)
        for number in range(len(scenario.steps), len(self._steps)):
            self._visit(number, 1, self._end)
        self.seen_at_end = self._view(self._end)

    def _units(self, size: int) -> list[set[int]]:
        """The loops and the tasks off any loop, each after all those that lead to it."""
        reached = reach(size, [link[:2] for link in self._links])
        units = {min(unit): unit for n in range(size) for unit in [self._loops[n] or {n}]}
        with_all_before = {
            first: unit.union(n for n in range(size) if first in reached[n])
            for first, unit in units.items()
        }
        return sorted(units.values(), key=lambda unit: len(with_all_before[min(unit)]))

    @property
    def _end(self) -> Path:
        """What is seen when everything has ended: all tasks, and what nothing has replaced."""
        return Path(
            frozenset(range(len(self._steps))),
            frozenset(),
            {name: choose(settings.values()) for name, settings in self._settings.items()},
        )

    def _view(self, path: Path) -> tuple[Any, Any]:
        unseen = Status.SKIPPED, None
        results = {
            step.name: self._results.get(n, unseen) if n in path.tasks else unseen
            for n, step in enumerate(self._steps)
        }
        values = {name: setting.value for name, setting in path.values.items()}
        return results, {"v": "start", "w": "start", **values}

    # One unit after the other

    def _work_out(self, unit: set[int]) -> None:
        entries = [link for link in self._links if link[1] in unit and link[0] not in unit]
        taken = [(link[1], fate) for link in entries if isinstance(fate := self._fates[link], Path)]
        blocked = Closed(Closed(True) in [self._fates[link] for link in entries])
        first = min(unit)
        if self._starts(first, unit):
            taken.append((first, Path()))
        if self._loops[first]:
            fates = self._walk(unit, taken, blocked)
        elif taken and (len(taken) == len(entries) or not self._waits_for_all(first)):
            fates = self._visit(first, 1, meet([path for _, path in taken]))
        else:
            self._pass_over(first, blocked)
            fates = {}
        for link in self._links:
            if link[0] in unit and link[1] not in unit:
                self._fates[link] = fates.get(link, blocked)

    def _starts(self, first: int, unit: set[int]) -> bool:
        """Whether the unit starts with the run: by `needs: []`, or as the first task listed."""
        sources_of_first = {source for source, target, _ in self._links if target == 0}
        return self._steps[first].needs == () or (
            first == 0 and self._steps[0].needs is None and sources_of_first <= unit
        )

    def _waits_for_all(self, number: int) -> bool:
        return bool(self._steps[number].needs) or self._steps[number].join is not None

    def _walk(
        self, unit: set[int], due: list[tuple[int, Path]], blocked: Closed
    ) -> dict[Link, Fate]:
        """Go round a loop until it is at rest; the last that was seen on each way out counts."""
        fates: dict[Link, Fate] = {}
        visits: Counter[int] = Counter()
        while due:
            self.is_crowded |= len(due) > 1
            number, path = due.pop(0)
            visits[number] += 1
            for link, fate in self._visit(number, visits[number], path).items():
                if fate == Closed(True):
                    blocked = Closed(True)
                elif isinstance(fate, Path) and link[1] in unit:
                    due.append((link[1], fate))
                elif isinstance(fate, Path):
                    fates[link] = fate
        for number in unit - visits.keys():
            self._pass_over(number, blocked)
        return {link: fates.get(link, blocked) for link in self._links if link[0] in unit}

    def _pass_over(self, number: int, blocked: Closed) -> None:
        self._settle(number, 0, Status.BLOCKED if blocked.blocks else Status.SKIPPED, None)

    def _settle(self, number: int, visit: int, status: Status, output: str | None) -> None:
        name = self._steps[number].name
        self.statuses.setdefault(name, []).append((visit, status))
        self._results[number] = status, output

    # One visit

    def _visit(self, number: int, visit: int, path: Path) -> dict[Link, Fate]:
        """What becomes of the ways that leave a task after this visit."""
        step, value = self._steps[number], f"{self._steps[number].name}#{visit}"
        outcome = self._outcomes.get((step.name, visit), Outcome("failed", None))
        is_judged = any(way.is_judged or way.sets for way in step.ways)
        is_late = visit > MOST_VISITS
        if outcome.ends not in ("skipped", "unjudged") and not is_late:
            self.seen[step.name, visit] = self._view(path)
        status = {"succeeded": Status.SUCCEEDED, "skipped": Status.SKIPPED}.get(
            outcome.ends, Status.FAILED
        )
        if status is Status.SUCCEEDED and step.sets:
            path = self._publish(path, step.sets, Setter(number, visit, -1), value)
        path = replace(path, tasks=path.tasks | {number})
        passes = (status is not Status.FAILED or step.goes_on) and not is_late
        if is_judged and outcome.taken is None:
            status, passes, holds = Status.FAILED, False, (False,) * len(step.ways)
        else:
            holds = tuple(
                (outcome.taken or ())[at] if way.is_judged else passes
                for at, way in enumerate(step.ways)
            )
        is_unhandled = status is Status.FAILED and not passes and not any(holds)
        if is_unhandled:
            self.failures.append(step.name)
        self._settle(number, visit, status, value if status is Status.SUCCEEDED else None)
        ways = [
            self._publish(path, way.sets, Setter(number, visit, at), f"{value}/{at}")
            if holds[at]
            else Closed(is_unhandled)
            for at, way in enumerate(step.ways)
        ]
        return {
            link: ways[link[2]] if link[2] is not None else path if passes else Closed(is_unhandled)
            for link in self._links
            if link[0] == number
        }

    def _publish(self, path: Path, name: str, setter: Setter, value: str) -> Path:
        if not name:
            return path
        setting = Setting(setter, value, path.setters)
        # On a loop the last visit counts.
        self._settings.setdefault(name, {})[setter.task, setter.way] = setting
        return Path(path.tasks, path.setters | {setter}, {**path.values, name: setting})
