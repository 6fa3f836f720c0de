"""Generated workflows, run by the engine: they come to what the plain model of the rules predicts.

The scenarios, and the model, are those that the conductor is tested with. Here the outcomes come
about for real: an action gives or raises them, and templates judge them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import fanwise
from fanwise.model import Status
from fanwise.testing.stores import MemoryStore

sys.path.insert(0, str(Path(__file__).parent.parent / "conductor"))

from order_model import Prediction
from order_workflows import MOST_VISITS, Scenario, Step, Way, scenarios


def as_played(scenario: Scenario) -> Scenario:
    """The scenario, with those outcomes only that an action and templates can bring about.

    A `when` is the same at each visit, and what can't be evaluated is tested elsewhere.
    """
    outcomes = {}
    for (name, visit), outcome in scenario.outcomes.items():
        first = scenario.outcomes[name, 1]
        ends = {"unjudged": "failed", "unpublished": "succeeded"}.get(outcome.ends, outcome.ends)
        if "skipped" in (ends, first.ends):
            ends, taken = ("skipped", first.taken) if first.ends == "skipped" else ("failed", ())
        taken = (first if ends == "skipped" else outcome).taken
        holds = (False,) * 9 if taken is None else taken
        outcomes[name, visit] = replace(outcome, ends=ends, taken=holds)
    return replace(scenario, outcomes=outcomes, breaks="")


def text_of(scenario: Scenario) -> str:
    """The workflow, with templates that judge as the scenario says."""
    lines = ["vars: {v: start, w: start}", 'output: "{{ vars.v }}"', "tasks:"]
    lines += [task_text(step, scenario, "max-visits: 3") for step in scenario.steps]
    if scenario.cleanup:
        lines += ["finally:", *(task_text(step, scenario) for step in scenario.cleanup)]
    return "\n".join(lines)


def task_text(step: Step, scenario: Scenario, *more: str) -> str:
    keys = [f"name: {step.name}", "action: gen.work", f"input: {{name: {step.name}}}", *more]
    if step.is_judged:
        keys.append(f'when: "{{{{ {scenario.outcomes[step.name, 1].ends != "skipped"} }}}}"')
    if step.sets:
        keys.append(f'publish: {{{step.sets}: "{{{{ result() }}}}"}}')
    if step.needs is not None:
        keys.append(f"needs: [{', '.join(step.needs)}]")
    if step.ways:
        ways = (way_text(way, at, step, scenario) for at, way in enumerate(step.ways))
        keys.append(f"next: [{', '.join(ways)}]")
    if step.join is not None:
        keys.append(f"join: {step.join}")
    if step.goes_on:
        keys.append("on-error: continue")
    return f"- {{{', '.join(keys)}}}"


def way_text(way: Way, at: int, step: Step, scenario: Scenario) -> str:
    here = f"result() or (error() or {{'message': '{step.name}#skipped'}}).message"
    keys = [f"do: [{', '.join(way.targets)}]"]
    if way.is_judged:
        keys.append(f'when: "{{{{ ({here}) in {list(holding(at, step, scenario))} }}}}"')
    if way.sets:
        keys.append(f'publish: {{{way.sets}: "{{{{ {here} }}}}/{at}"}}')
    return f"{{{', '.join(keys)}}}"


def holding(at: int, step: Step, scenario: Scenario) -> Iterator[str]:
    """What a visit of the step is called at which the transition numbered `at` holds."""
    for visit in range(1, MOST_VISITS + 1):
        outcome = scenario.outcomes.get((step.name, visit))
        if outcome is not None and outcome.taken and outcome.taken[at]:
            name = "skipped" if outcome.ends == "skipped" else visit
            yield f"{step.name}#{name}"


@settings(
    deadline=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(scenarios(), st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_the_engine_comes_to_what_the_rules_say(loom, generated, delays) -> None:
    """The statuses of all visits, the run's end and its output, however long each action takes."""
    scenario = as_played(generated)
    prediction = Prediction(scenario)
    assume(not prediction.is_crowded)
    calls = 0

    @fanwise.action("gen.work")
    async def work(name: str, context: fanwise.ActionContext) -> str:
        nonlocal calls
        calls += 1
        for _ in range(delays[calls % len(delays)]):
            await asyncio.sleep(0)
        visit = int(context.idempotency_key.rpartition("/")[2])
        if scenario.outcomes[name, visit].ends == "failed":
            raise fanwise.ActionError(f"{name}#{visit}")
        return f"{name}#{visit}"

    loom.store.close()
    loom.store = MemoryStore()
    run = loom.run(text_of(scenario), work)
    statuses: dict[str, list[tuple[int, Status]]] = {}
    for row in loom.rows():
        statuses.setdefault(row.path, []).append((row.visit, row.status))
    assert statuses == {
        name: [(max(visit, 1), status) for visit, status in visits]
        for name, visits in prediction.statuses.items()
    }
    assert run.status == (Status.FAILED if prediction.failures else Status.SUCCEEDED)
    if not any(outcome.ends == "skipped" for outcome in scenario.outcomes.values()):
        assert run.output == prediction.seen_at_end[1]["v"]
