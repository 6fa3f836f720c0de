"""Warnings of a plan: variables that may not have the value that was meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fanwise.catalog import WAITING_ACTIONS
from fanwise.errors import Diagnostic, Place
from fanwise.graph import Graph
from fanwise.plan.model import Plan, PlannedTask
from fanwise.plan.values import Value


def warnings_of(plan: Plan) -> Iterator[Diagnostic]:
    """Findings that are allowed, and perhaps not meant."""
    yield from _races(plan)
    yield from _waits(plan)
    for task in plan.tasks:
        for values in _published(task):
            for name, value in values.items():
                yield from _reads_old(name, value, values)


def publishers(plan: Plan) -> dict[str, int]:
    """For each variable, a bit set of the tasks that publish it."""
    found: dict[str, int] = {}
    for task in plan.tasks:
        for values in _published(task):
            for name in values:
                found[name] = found.get(name, 0) | 1 << task.number
    return found


def _published(task: PlannedTask) -> Iterator[Mapping[str, Value]]:
    yield task.publish
    yield from (each.publish for each in task.transitions)


def _races(plan: Plan) -> Iterator[Diagnostic]:
    """Find variables that are set on paths side by side, of which only one value lasts."""
    graph = plan.graph
    for name, numbers in publishers(plan).items():
        met = 0
        # In an order that follows the ways, none of those met can come after the next one.
        for number in sorted(_members(numbers, graph), key=lambda n: -graph.group_of[n]):
            beside = met & ~graph.before(number)
            met |= 1 << number
            if beside:
                first, second = sorted((number, beside.bit_length() - 1))
                yield Diagnostic(
                    plan.tasks[second].place,
                    "racing-variable",
                    f'the tasks "{graph.names[first]}" and "{graph.names[second]}" both '
                    f'publish "{name}" on paths side by side; where they meet, the value of '
                    f'"{graph.names[second]}" is kept.',
                    "Publish under two names if both are needed.",
                )


def _waits(plan: Plan) -> Iterator[Diagnostic]:
    """Find waits that may never end, and those for which the run's process has to stay."""
    for task in (each for each in plan.tasks if each.spec.name in WAITING_ACTIONS):
        timeout = task.settings.timeout
        if timeout.template is None and timeout.given is None:
            yield Diagnostic(
                task.place,
                "no-deadline",
                f'task "{task.name}" waits for ever if nobody answers.',
                "Give it a deadline, such as timeout: 3d.",
            )
    yield from waits_with_secret(plan)


def waits_with_secret(plan: Plan, trigger: Place | None = None) -> Iterator[Diagnostic]:
    """Find a wait of which no other process can take the run on, told at the `trigger` if any."""
    waiting = [task for task in plan.tasks if task.spec.name in WAITING_ACTIONS]
    secret = [name for name, each in plan.parameters.items() if each.secret]
    if waiting and secret:
        yield Diagnostic(
            trigger or waiting[0].place,
            "waits-with-secret",
            f'task "{waiting[0].name}" waits, and the secret parameter "{secret[0]}" isn\'t '
            "recorded, so the process that has it can't leave the run.",
            "Name the secret as secrets.NAME, which is read where the run is driven.",
        )


def _members(publishers: int, graph: Graph) -> Iterator[int]:
    """The tasks of a bit set, without those of `finally`."""
    publishers &= (1 << len(graph.names)) - 1
    while publishers:
        lowest = publishers & -publishers
        yield lowest.bit_length() - 1
        publishers ^= lowest


def _reads_old(name: str, value: Value, published: Mapping[str, Value]) -> Iterator[Diagnostic]:
    """Find variables that an entry of a `publish` reads, and other entries of it set."""
    for path in value.references:
        read = path[1] if path[0] == "vars" and len(path) > 1 else name
        if read != name and read in published:
            yield Diagnostic(
                value.place,
                "old-variable",
                f'"{name}" reads the variable "{read}" as it was before this `publish`, which sets '
                "it as well.",
                f'Write what is given to "{read}" here too, if the new value is meant.',
            )
