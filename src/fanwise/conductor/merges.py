"""Where paths meet: which of several values a variable has from there on.

A value that was set earlier on the path of another one gives way to it, since that path has seen
and replaced it. Of the rest, which were set side by side, the one wins whose task the file lists
last. The order in which the paths arrive has no influence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fanwise.conductor.scope import Origin, Scope
from fanwise.values import FrozenDict

Candidates = Mapping[str, tuple[tuple[Origin, Any], ...]]
"""For each variable, the values set side by side that none of the others replaces."""


def merge(scopes: Sequence[Scope]) -> Scope:
    """What a task sees at which these paths meet. There is at least one."""
    first = scopes[0]
    if len(scopes) == 1:
        return first
    tasks = published = 0
    distinct = [first]
    for scope in scopes:
        tasks |= scope.tasks
        published |= scope.published
        # Most paths carry the very same variables, untouched since they parted.
        if scope.origins is not distinct[-1].origins:
            distinct.append(scope)
    if len(distinct) == 1:
        return Scope(first.variables, first.origins, tasks, published)
    arriving: dict[str, list[tuple[Origin, Any]]] = {}
    for scope in distinct:
        for name, origin in scope.origins.items():
            arriving.setdefault(name, []).append((origin, scope.variables[name]))
    variables, origins = dict(first.variables), {}
    for name, values in arriving.items():
        origins[name], variables[name] = choose(values)
    return Scope(FrozenDict(variables), origins, tasks, published)


def gather(candidates: Candidates, values: Mapping[str, Any], origin: Origin) -> Candidates:
    """The candidates with values that have just been set.

    On a cycle the last visit counts: what an earlier one set in the same place is replaced, too.
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
    """Of the values that no other one replaces, that whose task is listed last."""
    every = tuple(values)
    replaced = 0
    for origin, _ in every:
        replaced |= origin.before
    lasting = (each for each in every if not replaced >> each[0].number & 1)
    return max(lasting, key=lambda each: each[0][:3])
