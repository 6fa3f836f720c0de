"""Merges of paths: the value that a variable has from their meeting on."""

# Two paths that meet may have set the same variable, and a task behind the meeting sees one value.
# Taking the value of the path that arrived last would let the speed of a network decide the outcome
# of a run, and a replay in another order decide otherwise. So a merge looks at where values were
# set, and never at when:
#
# 1. A value that was set earlier on the path of another value gives way to it. The later one's task
#    has seen the earlier one and replaced it, as an assignment does in any program.
# 2. Among values that were set side by side, with no path from one to the other, the value of the
#    task that the file lists last wins. Readers can check that rule against the file alone.
#
# `Origin.before` makes the first rule cheap: each publishing of a run has a number, and an origin
# holds the numbers of all that lay before it on its path as a bit set. A value is replaced if any
# other's set has its number. The union of these sets over all values is built once, so a merge of n
# values costs O(n), not O(n^2); the sets are Python integers, of one bit for each publishing.
#
# Most meetings need none of this: paths that carry the very same variables, untouched since they
# parted, are told apart by identity, before anything is looked at.

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fanwise.conductor.visibility import Origin, Visibility
from fanwise.values import FrozenDict

Candidates = Mapping[str, tuple[tuple[Origin, Any], ...]]
"""Values of each variable that were set side by side, so that none replaces another."""


def merge(sights: Sequence[Visibility]) -> Visibility:
    """Return what a task sees where these paths meet; there is at least one."""
    first = sights[0]
    if len(sights) == 1:
        return first
    tasks = published = 0
    distinct = [first]
    for sight in sights:
        tasks |= sight.tasks
        published |= sight.published
        # Most paths carry the very same variables, untouched since they parted.
        if sight.origins is not distinct[-1].origins:
            distinct.append(sight)
    if len(distinct) == 1:
        return Visibility(first.variables, first.origins, tasks, published)
    arriving: dict[str, list[tuple[Origin, Any]]] = {}
    for sight in distinct:
        for name, origin in sight.origins.items():
            arriving.setdefault(name, []).append((origin, sight.variables[name]))
    variables, origins = dict(first.variables), {}
    for name, values in arriving.items():
        origins[name], variables[name] = choose(values)
    return Visibility(FrozenDict(variables), origins, tasks, published)


def gather(candidates: Candidates, values: Mapping[str, Any], origin: Origin) -> Candidates:
    """Return the candidates with values that have just been set.

    On a cycle the last visit counts: a value that an earlier one set in the same place is replaced.
    """
    gathered = dict(candidates)
    for name, value in values.items():
        kept = (each for each in gathered.get(name, ()) if not _replaces(origin, each[0]))
        gathered[name] = (*kept, (origin, value))
    return gathered


def _replaces(later: Origin, earlier: Origin) -> bool:
    in_same_place = later.task == earlier.task and later.transition == earlier.transition
    return in_same_place or bool(later.before >> earlier.number & 1)


def choose(values: Iterable[tuple[Origin, Any]]) -> tuple[Origin, Any]:
    """Return the winning value: among those not replaced, the last listed task's."""
    every = tuple(values)
    replaced = 0
    for origin, _ in every:
        replaced |= origin.before
    lasting = (each for each in every if not replaced >> each[0].number & 1)
    return max(lasting, key=lambda each: each[0][:3])
