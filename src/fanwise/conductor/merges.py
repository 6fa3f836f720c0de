"""Decides at the meeting of paths which of several values a variable keeps.

The order in which the paths arrive has no influence.
"""

# Two paths that part and meet again may both have set a variable. "The last writer wins" would make
# a run's outcome depend on timing, which no recorded event explains to its reader. So the choice
# follows from the graph alone:
#
# * A value that lies before another one on its path gives way to it, since that path has seen and
#   replaced it. Each setting of variables has a number, and an origin holds a bit set of the
#   numbers before it; one shift tells whether a value is replaced (a vector clock with one bit for
#   each event).
# * Among values set side by side, the last listed task's wins: a rule that an author can see in the
#   file, and that an edit elsewhere in the file doesn't change.
#
# Only `join: N` lets arrivals matter, by choosing whose paths meet; its choice follows from the
# recorded events, so a replay repeats it.
#
# Most paths carry the very same variables, untouched since they parted, so `merge` compares origins
# by identity first and copies nothing then.

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fanwise.conductor.visibility import Origin, Visibility
from fanwise.values import FrozenDict, Json

Candidates = Mapping[str, tuple[tuple[Origin, Json], ...]]
"""For each variable, the values set side by side, none of which replaces another."""


def merge(arrivals: Sequence[Visibility]) -> Visibility:
    """The visibility of a task at which these paths meet. There is at least one path."""
    first = arrivals[0]
    if len(arrivals) == 1:
        return first
    tasks = published = 0
    distinct = [first]
    for seen in arrivals:
        tasks |= seen.tasks
        published |= seen.published
        if seen.origins is not distinct[-1].origins:
            distinct.append(seen)
    if len(distinct) == 1:
        return Visibility(first.variables, first.origins, tasks, published)
    arriving: dict[str, list[tuple[Origin, Json]]] = {}
    for seen in distinct:
        for name, origin in seen.origins.items():
            arriving.setdefault(name, []).append((origin, seen.variables[name]))
    variables, origins = dict(first.variables), {}
    for name, values in arriving.items():
        origins[name], variables[name] = choose(values)
    return Visibility(FrozenDict(variables), origins, tasks, published)


def gather(candidates: Candidates, values: Mapping[str, Json], origin: Origin) -> Candidates:
    """The candidates with values that have just been set.

    On a loop the last visit counts: it also replaces the values of an earlier visit's same place.
    """
    gathered = dict(candidates)
    for name, value in values.items():
        kept = (each for each in gathered.get(name, ()) if not _replaces(origin, each[0]))
        gathered[name] = (*kept, (origin, value))
    return gathered


def _replaces(later: Origin, earlier: Origin) -> bool:
    in_same_place = later.task == earlier.task and later.transition == earlier.transition
    return in_same_place or bool(later.before >> earlier.number & 1)


def choose(values: Iterable[tuple[Origin, Json]]) -> tuple[Origin, Json]:
    """The winning value: among values that none replaces, the last listed task's."""
    every = tuple(values)
    replaced = 0
    for origin, _ in every:
        replaced |= origin.before
    lasting = (each for each in every if not replaced >> each[0].number & 1)
    return max(lasting, key=lambda each: each[0][:3])
