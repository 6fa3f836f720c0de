"""The triggers of a whole project: those of `triggers.yaml`, and rules between all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

import msgspec

from fanwise.definition import did_you_mean
from fanwise.definition.project_triggers import ProjectTriggers
from fanwise.errors import Diagnostic, Place, TemplateSyntaxError
from fanwise.model import Limits
from fanwise.plan.model import Plan
from fanwise.plan.triggers import PlannedTrigger, Triggers
from fanwise.plan.values import Value, compile_value
from fanwise.plan.warnings import waits_with_secret
from fanwise.triggers.written import ReadDates, no_dates


class Owned(msgspec.Struct, frozen=True):
    """A trigger with the plan of the workflow that it starts."""

    plan: Plan
    trigger: PlannedTrigger


def own_triggers(plans: Sequence[Plan]) -> list[Owned]:
    """The triggers of the workflow files themselves."""
    return [Owned(plan, trigger) for plan in plans for trigger in plan.triggers]


def apart_triggers(
    written: ProjectTriggers,
    plans: Sequence[Plan],
    limits: Limits,
    read_dates: ReadDates = no_dates,
) -> tuple[list[Owned], list[Diagnostic], list[Diagnostic]]:
    """The right ones of a `triggers.yaml`, with the problems and the warnings of that file."""
    by_name = {plan.name: plan for plan in plans}
    found: list[Owned] = []
    problems: list[Diagnostic] = []
    warnings: list[Diagnostic] = []

    def refuse(place: Place, error: TemplateSyntaxError) -> None:
        problems.append(Diagnostic(place, error.code, error.message, error.hint))

    def compile_at(raw: object, *path: str | int) -> Value:
        return compile_value(raw, partial(written.place, *path), limits, refuse)

    for at, trigger in enumerate(written.on):
        plan = by_name.get(trigger.workflow)
        if plan is None:
            problems.append(
                _unknown(trigger.workflow, written.place("on", at, "workflow"), by_name)
            )
            continue
        triggers = Triggers(written, plan.name, plan.parameters, compile_at, read_dates)
        before = len(problems)
        planned = triggers.compile_one(trigger, at)
        problems += triggers.problems
        problems += waits_with_secret(plan, written.place("on", at, "workflow"))
        if len(problems) == before:
            found.append(Owned(plan, planned))
        warnings += triggers.warnings
    return found, problems, warnings


def _unknown(workflow: str, place: Place, known: Mapping[str, Plan]) -> Diagnostic:
    listed = ", ".join(known)
    return Diagnostic(
        place,
        "bad-trigger",
        f'no workflow of the project is named "{workflow}".',
        did_you_mean(workflow, known)
        or (f"There are {listed}." if listed else "The project has no workflows."),
    )


def project_problems(plans: Sequence[Plan], owned: Sequence[Owned]) -> Iterator[Diagnostic]:
    """Problems between files: names and paths that stand twice, and loops of run triggers."""
    files: dict[str, str] = {}
    for plan in plans:
        if plan.name in files:
            yield Diagnostic(
                Place(plan.file, 1, 1),
                "duplicate-name",
                f'{files[plan.name]} has a workflow named "{plan.name}" as well.',
                "Give each workflow of a project a name of its own.",
            )
        files.setdefault(plan.name, plan.file)
    yield from _twins(owned)
    yield from _loops(owned)


def _twins(owned: Sequence[Owned]) -> Iterator[Diagnostic]:
    names: dict[tuple[str, str], Place] = {}
    paths: dict[str, Place] = {}
    for each in owned:
        trigger, webhook = each.trigger, each.trigger.definition.webhook
        first = names.setdefault((each.plan.name, trigger.name), trigger.place)
        if first != trigger.place:
            yield Diagnostic(
                trigger.place,
                "duplicate-name",
                f'a trigger "{trigger.name}" of this workflow stands at {first} already.',
                "Give it another name.",
            )
        if webhook is None:
            continue
        first = paths.setdefault(webhook.path, trigger.place)
        if first != trigger.place:
            yield Diagnostic(
                trigger.place,
                "duplicate-name",
                f'the webhook of the trigger at {first} has the path "{webhook.path}" as well.',
                "Give each webhook a path of its own.",
            )


def _loops(owned: Sequence[Owned]) -> Iterator[Diagnostic]:
    """Run triggers by which a workflow comes after itself, each loop told at one of them."""
    after: dict[str, list[tuple[str, PlannedTrigger]]] = {}
    for each in owned:
        run = each.trigger.definition.run
        for name in (run.workflow or ()) if run is not None else ():
            after.setdefault(name, []).append((each.plan.name, each.trigger))
    told: set[frozenset[str]] = set()
    for start in after:
        loop = _way_back(start, after)
        if loop is None or len(loop) < 2 or frozenset(loop) in told:
            continue
        told.add(frozenset(loop))
        (trigger,) = [found for name, found in after[loop[-1]] if name == start][:1]
        chain = " -> ".join([*loop, start])
        yield Diagnostic(
            trigger.place,
            "bad-trigger",
            f"these workflows start each other for ever: {chain}.",
            "Remove one of these run triggers.",
        )


def _way_back(
    start: str, after: Mapping[str, Collection[tuple[str, PlannedTrigger]]]
) -> list[str] | None:
    """The shortest chain of workflows from `start` to the one that starts it again."""
    ways, seen = [[start]], {start}
    while ways:
        longer = []
        for way in ways:
            for name, _ in after.get(way[-1], ()):
                if name == start:
                    return way
                if name not in seen:
                    seen.add(name)
                    longer.append([*way, name])
        ways = longer
    return None
