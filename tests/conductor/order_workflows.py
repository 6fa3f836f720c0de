"""Generated workflows, together with all that will come of them.

A `Scenario` is a workflow with the outcome of each visit of each task fixed beforehand, so the one
thing that is left open is the order in which the events arrive.

A task's result is the text `NAME#VISIT`, and what it publishes is that text with the transition's
number, so every value shows where it comes from. On a loop, no task makes more than `MOST_VISITS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from hypothesis import strategies as st

MOST_VISITS = 3
FAIL = "fail"


@dataclass(frozen=True)
class Way:
    """One transition. `is_judged` says that it has a `when`; `sets` is a variable, or empty.

    `says` is the message for the run's failure, or empty.
    """

    targets: tuple[str, ...]
    is_judged: bool = False
    sets: str = ""
    says: str = ""

    def __str__(self) -> str:
        keys = [f"do: [{', '.join(self.targets)}]", *_common_keys(self)]
        if self.says:
            keys.append(f"message: {self.says}")
        return f"{{{', '.join(keys)}}}"


@dataclass(frozen=True)
class Step:
    """One task. `goes_on` says that it has `on-error: continue`."""

    name: str
    needs: tuple[str, ...] | None = None
    ways: tuple[Way, ...] = ()
    join: int | str | None = None
    is_judged: bool = False
    sets: str = ""
    goes_on: bool = False

    def __str__(self) -> str:
        keys = [f"name: {self.name}", "action: x.y", *_common_keys(self)]
        if self.needs is not None:
            keys.append(f"needs: [{', '.join(self.needs)}]")
        if self.ways:
            keys.append(f"next: [{', '.join(map(str, self.ways))}]")
        if self.join is not None:
            keys.append(f"join: {self.join}")
        if self.goes_on:
            keys.append("on-error: continue")
        return f"- {{{', '.join(keys)}}}"


def _common_keys(part: Way | Step) -> Iterator[str]:
    if part.is_judged:
        yield 'when: "{{ 1 == 1 }}"'
    if part.sets:
        yield f"publish: {{{part.sets}: x}}"


@dataclass(frozen=True)
class Outcome:
    """What one visit of a task comes to.

    `ends` is `succeeded`, `failed` (the action fails), `skipped` (its `when` is false), `unjudged`
    (its `when` can't be evaluated) or `unpublished` (its `publish` can't). `taken` says of each
    transition whether its `when` holds, or is None if one of them can't be evaluated.
    """

    ends: str
    taken: tuple[bool, ...] | None


@dataclass(frozen=True)
class Scenario:
    """A workflow and all that will come of it; `outcomes` is by a task's name and its visit.

    `breaks` names what can't be evaluated of the run itself: `variables`, `output`, or nothing.
    """

    steps: tuple[Step, ...]
    cleanup: tuple[Step, ...]
    outcomes: Mapping[tuple[str, int], Outcome]
    breaks: str = ""

    @property
    def all_steps(self) -> tuple[Step, ...]:
        return (*self.steps, *self.cleanup)

    @property
    def text(self) -> str:
        tasks = [f"{str(step)[:-1]}, max-visits: {MOST_VISITS}}}" for step in self.steps]
        cleanup = ["finally:", *map(str, self.cleanup)] if self.cleanup else []
        top = ["vars: {v: start, w: start}", 'output: "{{ vars.v }}"', "tasks:"]
        return "\n".join([*top, *tasks, *cleanup])


Link = tuple[int, int, int | None]
"""A way from one step to another: source, target, and the transition's number if it is one."""


def links(steps: Sequence[Step]) -> list[Link]:
    """All ways, in the order in which a file lists them; without any, from each to the next."""
    if all(step.needs is None and not step.ways for step in steps):
        return [(number, number + 1, None) for number in range(len(steps) - 1)]
    numbers = {step.name: number for number, step in enumerate(steps)}
    found: list[Link] = []
    for number, step in enumerate(steps):
        for at, way in enumerate(step.ways):
            found += [(number, numbers[name], at) for name in way.targets if name != FAIL]
        found += [(numbers[name], number, None) for name in step.needs or ()]
    return found


def reach(size: int, pairs: Sequence[tuple[int, int]]) -> list[set[int]]:
    """For each node those to which a way leads from it: add, until nothing changes any more."""
    found: list[set[int]] = [set() for _ in range(size)]
    for source, target in pairs:
        found[source].add(target)
    while any(
        not found[middle] <= found[node] and not found[node].update(found[middle])
        for node in range(size)
        for middle in tuple(found[node])
    ):
        pass
    return found


def loops(steps: Sequence[Step]) -> list[set[int]]:
    """For each step the steps of its loop, or none if it is on none."""
    ways = reach(len(steps), [link[:2] for link in links(steps)])
    return [{other for other in ways[n] if n in ways[other]} for n in range(len(steps))]


# Strategies

_sets = st.sampled_from(["", "", "v", "w"])
_rarely = st.sampled_from([False, False, False, True])


@st.composite
def scenarios(
    draw: st.DrawFn, *, fails: bool = False, early: bool = False, crowds: bool = False
) -> Scenario:
    """Workflows of up to seven tasks.

    With `fails` some transitions lead to `fail` and some variables can't be evaluated, with `early`
    some tasks have `join: N`, and with `crowds` several ways within a loop may be taken at once.
    """
    steps = _without_needs_on_loops(draw(_graphs(fails=fails)))
    on_loop = loops(steps)
    steps = tuple(
        _with_keys(draw, number, step, steps, on_loop[number], early=early, crowds=crowds)
        for number, step in enumerate(steps)
    )
    cleanup = tuple(
        Step(f"z{n}", is_judged=draw(_rarely), sets=draw(_sets), goes_on=draw(_rarely))
        for n in range(draw(st.sampled_from([0, 0, 1, 2])))
    )
    outcomes = {}
    for number, step in enumerate((*steps, *cleanup)):
        repeats = number < len(steps) and bool(on_loop[number])
        for visit in range(1, MOST_VISITS + 1 if repeats else 2):
            outcome = draw(_outcomes(step))
            if repeats and not crowds:
                outcome = _one_on_the_loop(outcome, step, {steps[n].name for n in on_loop[number]})
            outcomes[step.name, visit] = outcome
    breaks = draw(st.sampled_from(["", "", "", "", "output", "variables" if fails else ""]))
    return Scenario(steps, cleanup, outcomes, breaks)


@st.composite
def _graphs(draw: st.DrawFn, *, fails: bool) -> tuple[Step, ...]:
    """Tasks that lead to each other. The file lists them in another order than they run in."""
    size = draw(st.sampled_from([1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7]))
    order = draw(st.permutations(range(size)))
    if draw(st.integers(0, 7)) == 7:
        return tuple(Step(f"t{number}") for number in range(size))
    needs: dict[int, tuple[str, ...]] = {}
    targets: dict[tuple[int, int], list[str]] = {}  # by source and transition
    for place, number in enumerate(order):
        before = order[:place]
        kind = draw(st.sampled_from(["needs", "next", "next"])) if before else "start"
        if kind == "start" and number:
            needs[number] = ()
        elif kind == "needs":
            chosen = draw(st.lists(st.sampled_from(before), min_size=0, max_size=3, unique=True))
            needs[number] = tuple(f"t{each}" for each in chosen)
        elif kind == "next":
            ways = st.tuples(st.sampled_from(before), st.integers(0, 1))
            for way in draw(st.lists(ways, min_size=1, max_size=3, unique=True)):
                targets.setdefault(way, []).append(f"t{number}")
    may_return = [at for at in range(size) if order[at] not in needs]
    for _ in range(draw(st.sampled_from([0, 1, 1, 2])) if may_return else 0):
        at = draw(st.sampled_from(may_return))
        way = draw(st.sampled_from(order[at : at + 3])), draw(st.integers(1, 2))
        if (name := f"t{order[at]}") not in targets.setdefault(way, []):
            targets[way].append(name)
    if fails:
        way = draw(st.integers(0, size - 1)), draw(st.integers(0, 2))
        targets.setdefault(way, []).append(FAIL)
    says = draw(st.sampled_from(["", "no good"]))
    return tuple(
        Step(
            f"t{number}",
            needs=needs.get(number),
            ways=tuple(
                Way(tuple(names), says=says if FAIL in names else "")
                for way, names in sorted(targets.items())
                if way[0] == number
            ),
        )
        for number in range(size)
    )


def _without_needs_on_loops(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The same ways, with a transition in place of every need of a task that lies on a loop."""
    on_loop = loops(steps)
    moved: dict[str, list[Way]] = {}
    for number, step in enumerate(steps):
        if on_loop[number]:
            for name in step.needs or ():
                moved.setdefault(name, []).append(Way((step.name,)))
    return tuple(
        replace(
            step,
            needs=None if on_loop[number] else step.needs,
            ways=(*step.ways, *moved.get(step.name, ())),
        )
        for number, step in enumerate(steps)
    )


def _with_keys(
    draw: st.DrawFn,
    number: int,
    step: Step,
    steps: Sequence[Step],
    loop: set[int],
    *,
    early: bool,
    crowds: bool,
) -> Step:
    """The step with its conditions, what it publishes, and its join."""
    names = {steps[each].name for each in loop}
    ways = [
        replace(
            way,
            is_judged=draw(st.booleans()) or (not crowds and not names.isdisjoint(way.targets)),
            sets=draw(_sets),
        )
        for way in step.ways
    ]
    incoming = sum(target == number and way is not None for _, target, way in links(steps))
    joins: list[int | str | None] = [None, None, "all"]
    if early:
        joins += [draw(st.integers(1, incoming or 1))]
    return replace(
        step,
        ways=tuple(ways),
        join=draw(st.sampled_from(joins)) if incoming and not loop else None,
        is_judged=draw(_rarely),
        sets=draw(_sets),
        goes_on=draw(_rarely),
    )


@st.composite
def _outcomes(draw: st.DrawFn, step: Step) -> Outcome:
    ends = ["succeeded", "succeeded", "succeeded", "failed"]
    if step.is_judged:
        ends += ["skipped", "skipped", "unjudged"]
    if step.sets:
        ends += ["unpublished"]
    taken = tuple(draw(st.sampled_from([True, True, False])) for _ in step.ways)
    is_broken = draw(st.integers(0, 9)) == 9
    return Outcome(draw(st.sampled_from(ends)), None if is_broken else taken)


def _one_on_the_loop(outcome: Outcome, step: Step, loop: set[str]) -> Outcome:
    """The outcome with at most one transition taken that stays on the loop."""
    if outcome.taken is None:
        return outcome
    kept = count()
    taken = tuple(
        holds and (loop.isdisjoint(way.targets) or next(kept) == 0)
        for holds, way in zip(outcome.taken, step.ways, strict=True)
    )
    return replace(outcome, taken=taken)
