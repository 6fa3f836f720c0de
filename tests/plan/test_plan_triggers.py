"""Triggers of a plan: what their templates may name, their schedules, and rules between files."""

from __future__ import annotations

from textwrap import dedent

import pytest

from fanwise.definition import load
from fanwise.definition.project_triggers import ProjectTriggers
from fanwise.definition.trigger_schema import OVERLAPS
from fanwise.errors import DefinitionError, TemplateError
from fanwise.model import Limits
from fanwise.packs.folders import load_actions
from fanwise.plan import Plan, compile_plan
from fanwise.plan.project_triggers import apart_triggers, own_triggers, project_problems
from fanwise.plan.triggers import PlannedTrigger
from fanwise.triggers.decide import CatchUp
from fanwise.triggers.facts import event_facts
from fanwise.triggers.overlap import Overlap

PARAMETERS = "parameters: {day: {type: string}, n: {type: integer}, key: {secret: true}}"
NOON = 1_795_953_600


def plan_of(on: str, head: str = PARAMETERS, name: str = "flow") -> Plan:
    text = f"{head}\non:\n  {on}\ntasks: [{{name: a, action: core.noop}}]\n"
    return compile_plan(load(text, file=f"{name}.yaml"), None)


def trigger_of(on: str) -> PlannedTrigger:
    (found,) = plan_of(on).triggers
    return found


def test_a_schedule_is_made_data() -> None:
    """Local times become instants, and settings those of the decision."""
    trigger = trigger_of(
        "{a: {schedule: {cron: 0 2 * * *, timezone: Europe/Berlin, from: 2026-12-01,"
        ' until: "2026-12-24T12:00+00:00", except: [2026-12-06, {cron: "* * * * SAT"}],'
        " jitter: 5m, catch-up: all, within: 2h, overlap: queue}}}"
    )
    spec = trigger.scheduled
    assert spec is not None
    assert (spec.workflow, spec.name, spec.seed) == ("flow", "a", "flow/a")
    assert (spec.overlap, spec.catch_up, spec.within_s) == (Overlap.QUEUE, CatchUp.ALL, 7200)
    schedule = spec.schedule
    assert schedule.start == 1_796_079_600  # midnight in Berlin
    assert schedule.until == 1_798_113_600
    assert (schedule.except_dates, schedule.except_days) == (("2026-12-06",), ("* * * * SAT",))
    assert schedule.jitter_s == 300


def test_a_bound_in_a_gap_is_the_gaps_end() -> None:
    """And one that the clock shows twice is the first of the two."""
    spring = "{cron: 0 * * * *, timezone: Europe/Berlin, until: 2026-03-29T02:30}"
    autumn = "{every: 1h, timezone: Europe/Berlin, from: 2026-10-25T02:30}"
    first, second = (
        trigger_of(f"{{a: {{schedule: {text}}}}}").scheduled for text in (spring, autumn)
    )
    assert first is not None
    assert second is not None
    assert first.schedule.until == 1_774_746_000  # 01:00 in UTC
    assert second.schedule.start == 1_792_888_200  # 00:30 in UTC


def test_a_time_that_is_listed_twice_counts_once() -> None:
    """Also if it is written in two ways."""
    spec = trigger_of("{a: {schedule: {at: [2026-02-03, 2026-02-03T00:00+00:00]}}}").scheduled
    assert spec is not None
    assert len(spec.schedule.at) == 1


def test_the_language_has_the_words_of_the_decision() -> None:
    """Each overlap and no other."""
    assert tuple(Overlap) == OVERLAPS


def test_a_schedule_skips_and_other_kinds_allow() -> None:
    """Which is the default of overlap; a trigger's own counts as well."""
    assert trigger_of("{a: {schedule: 5m}}").overlap is Overlap.SKIP
    assert trigger_of("{a: {schedule: 5m, overlap: cancel}}").overlap is Overlap.CANCEL
    assert trigger_of("{a: {event: b}}").overlap is Overlap.ALLOW


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("{at: 2026-02-30}", "takes a time such as 2026-12-01T08:00 or a date"),
        ("{at: [2026-02-03, soon]}", 'not "soon"'),
        ("{every: 500ms}", "takes whole seconds, from 1s on"),
        ("{every: 5m, from: tomorrow}", '"from" of trigger "a" takes a time'),
        ("{every: 5m, except: [2026-13-01]}", "takes dates such as 2026-12-25"),
        ('{every: 5m, except: [{cron: "0 0 1 1 *"}]}', "takes expressions of whole days"),
        ('{every: 5m, except: [{cron: "* *"}]}', "it has 2 fields and takes five"),
        ("{every: 5m, from: 2026-02-02, until: 2026-02-01}", 'trigger "a" never fires'),
        ('{cron: "0 0 30 2 *"}', "it never fires"),
        ("{every: 5m, timezone: Berlin}", 'Did you mean "Europe/Berlin"?'),
    ],
)
def test_a_wrong_schedule_is_a_problem_of_the_file(schedule: str, said: str) -> None:
    """Once, in one line, with its place."""
    with pytest.raises(DefinitionError) as caught:
        plan_of(f"{{a: {{schedule: {schedule}}}}}")
    (problem,) = caught.value.problems
    assert said in str(problem)
    assert (problem.code, problem.place.line) == ("bad-schedule", 3)


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("{every: 1d}", "this drifts against the clock"),
        (
            "{at: 2027-03-28T02:30, timezone: Europe/Berlin}",
            "put forward over this time, and it fires at 2027-03-28T03:00:00.",
        ),
        (
            "{at: 2026-10-25T02:30, timezone: Europe/Berlin}",
            "For the second write 2026-10-25T02:30:00+01:00.",
        ),
        ('{cron: "0 0 13 * 5"}', "the day of month or the weekday fits, not both"),
        ('{cron: "0,50 * * * *", jitter: 10m}', "the shortest time between two fires, 600 s"),
        ("{every: 5m, catch-up: all}", 'with overlap "skip"'),
        ("{every: 5m, catch-up: all, overlap: queue-all, jitter: 4m}", None),
    ],
)
def test_a_doubtful_schedule_is_a_warning(schedule: str, said: str | None) -> None:
    """With what to write."""
    found = [str(each) for each in plan_of(f"{{a: {{schedule: {schedule}}}}}").warnings]
    assert len(found) == (said is not None)
    assert all("doubtful-schedule" in each and str(said) in each for each in found)


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        (
            '{schedule: 5m, parameters: {day: "{{ parameters.n }}"}}',
            "there is no `parameters` here",
        ),
        ('{schedule: 5m, parameters: {day: "{{ secrets.A }}"}}', "there is no `secrets` here"),
        ('{schedule: 5m, parameters: {day: "{{ result() }}"}}', "no run has begun here"),
        ('{schedule: 5m, parameters: {day: "{{ trigger.event.x }}"}}', "trigger.event is null"),
        ('{schedule: 5m, parameters: {day: "{{ trigger.by }}"}}', "trigger.by is null"),
        ('{event: b, parameters: {day: "{{ trigger.scheduled_at }}"}}', "null with an event"),
        ('{event: b, parameters: {day: "{{ trigger.events }}"}}', "Name trigger.event."),
        (
            '{event: {name: b, debounce: 5s}, parameters: {day: "{{ trigger.event.x }}"}}',
            "Name trigger.events.",
        ),
        (
            '{event: {name: b, batch: {size: 5, key: "{{ trigger.events }}"}}}',
            "Name trigger.event.",
        ),
        ('{event: b, dedupe: {key: "{{ vars.x }}", for: 1d}}', "there is no `vars` here"),
        ('{event: b, when: "{{ trigger.event.a }} x"}', "a text is always true"),
        ('{event: b, parameters: {day: "{{ trigger.dat }}"}}', 'no "dat"'),
        ("{event: b, parameters: {dya: 5}}", 'Did you mean "day"?'),
        ("{event: b, parameters: {n: five}}", 'the parameter "n" takes a whole number'),
        ('{event: b, parameters: {key: "{{ trigger.event.key }}"}}', "would be recorded"),
        ("{run: {workflow: flow}}", "starts the workflow after its own runs"),
        ('{webhook: {path: b, secret: "x{{ secrets.A }}"}}', "made of more than a secret"),
        ('{webhook: {path: b, secret: ["{{ secrets.A }}", x]}}', "is written in the file"),
    ],
)
def test_what_a_trigger_cannot_know_is_a_problem_of_the_file(trigger: str, said: str) -> None:
    """Names, parameters and secrets, told once each."""
    with pytest.raises(DefinitionError) as caught:
        plan_of(f"{{a: {trigger}}}")
    (problem,) = caught.value.problems
    assert said in str(problem)
    assert problem.place.line == 3


def test_a_required_parameter_that_is_secret_cannot_be_given() -> None:
    """It has to be named in the workflow."""
    with pytest.raises(DefinitionError, match=r"name it in the workflow itself, as secrets\.NAME"):
        plan_of("{a: {schedule: 5m}}", "parameters: {key: {secret: true, required: true}}")


def test_a_webhook_has_the_names_of_its_secrets() -> None:
    """And a run by hand needs none of them."""
    plan = plan_of('{a: {webhook: {path: b, secret: ["{{ secrets.NEW }}", "{{ secrets.OLD }}"]}}}')
    assert plan.triggers[0].secrets == ("NEW", "OLD")
    assert plan.secrets == ()
    assert trigger_of("{a: {webhook: {path: b, secret: none}}}").secrets == ()


def test_a_trigger_gives_the_parameters_of_a_fire() -> None:
    """From its facts; a value of an event is never a template."""
    trigger = trigger_of(
        '{a: {event: b, when: "{{ trigger.event.n > 1 }}", parameters:'
        ' {day: "{{ trigger.event.day }}", n: "{{ trigger.event.n + 1 }}"}}}'
    )
    hostile = "{{ 1 + 1 }}"
    facts = event_facts("event", "a", "flow", NOON, event={"n": 2, "day": hostile})
    assert trigger.admits(facts)
    assert trigger.parameters_of(facts) == {"day": hostile, "n": 3}
    assert not trigger.admits(event_facts("event", "a", "flow", NOON, event={"n": 1}))
    assert trigger_of("{a: {event: b}}").admits(facts)
    with pytest.raises(TemplateError):
        trigger.parameters_of(event_facts("event", "a", "flow", NOON, event={}))
    text = trigger_of('{a: {event: b, when: "{{ trigger.event.x }}"}}')
    with pytest.raises(TemplateError, match="neither true nor false"):
        text.admits(event_facts("event", "a", "flow", NOON, event={"x": "false"}))


def problems_of(*plans: Plan, apart: str = "") -> list[str]:
    """The problems between the files of a project."""
    written = ProjectTriggers.load(apart, file="triggers.yaml", limits=Limits())
    more, problems, _ = apart_triggers(written, plans, Limits())
    found = [*problems, *project_problems(plans, [*own_triggers(plans), *more])]
    return [str(each) for each in found]


def test_workflows_that_start_each_other_for_ever_are_told_once() -> None:
    """With the chain; one that only follows another is none."""
    a = plan_of("{x: {run: {workflow: c}}}", name="a")
    b = plan_of("{x: {run: {workflow: [a, z]}}}", name="b")
    c = plan_of("{x: {run: {workflow: b}}}", name="c")
    d = plan_of("{x: {run: {workflow: [a, b, c]}}}", name="d")
    (problem,) = problems_of(a, b, c, d)
    assert "these workflows start each other for ever" in problem
    assert problems_of(a, b, d) == []
    everything = plan_of('{x: {run: {workflow: "*"}}}', name="e")
    assert problems_of(a, b, everything) == []


def test_names_and_paths_are_those_of_one_trigger_of_a_project() -> None:
    """Also between a workflow's own and those of triggers.yaml."""
    hook = "{x: {webhook: {path: p, secret: none}}}"
    a, b = plan_of(hook, name="a"), plan_of(hook, name="b")
    (problem,) = problems_of(a, b)
    assert problem.startswith("b.yaml:3:4  duplicate-name")
    assert 'has the path "p" as well' in problem
    (problem,) = problems_of(a, apart="- {name: x, workflow: a, schedule: 5m}")
    assert problem.startswith("triggers.yaml:1:10  duplicate-name")
    assert "a.yaml:3:4 already" in problem
    (problem,) = problems_of(a, plan_of("[]", name="a"))
    assert 'has a workflow named "a" as well' in problem


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{name: y, workflow: flwo, schedule: 5m}", 'Did you mean "flow"?'),
        ("{name: y, workflow: flow, schedule: 5m, parameters: {dy: x}}", 'Did you mean "day"?'),
        ('{name: y, workflow: flow, event: b, when: "{{ trigger. }}"}', "bad-template"),
        ("{name: y, workflow: flow, schedule: {every: 5m, timezone: UCT+1}}", "bad-schedule"),
    ],
)
def test_a_trigger_apart_is_checked_against_its_workflow(entry: str, said: str) -> None:
    """With places in its own file, and left out if it is wrong."""
    (problem,) = problems_of(plan_of("[]"), apart=f"- {entry}")
    assert problem.startswith("triggers.yaml:1:")
    assert said in problem
    written = ProjectTriggers.load(
        f"[{entry}, {{name: z, workflow: flow, schedule: 5m}}]",
        file="triggers.yaml",
        limits=Limits(),
    )
    found, _, _ = apart_triggers(written, [plan_of("[]")], Limits())
    assert [each.trigger.name for each in found] == ["z"]


def test_a_trigger_apart_of_a_workflow_that_waits_with_a_secret_is_refused() -> None:
    """Its runs couldn't be left while they wait; without triggers that is a warning."""
    text = """\
    name: flow
    parameters: {token: {secret: true}}
    tasks: [{name: a, action: core.wait, timeout: 1h, input: {event: paid}}]
    """
    plan = compile_plan(load(dedent(text), file="flow.yaml"), load_actions())
    assert [each.code for each in plan.warnings] == ["waits-with-secret"]
    (problem,) = problems_of(plan, apart="- {name: y, workflow: flow, schedule: 5m}")
    assert problem.startswith("triggers.yaml:1:23  waits-with-secret")


def test_a_trigger_apart_warns_in_its_own_file() -> None:
    """As one in the workflow does."""
    written = ProjectTriggers.load(
        "- {name: y, workflow: flow, schedule: 2d}", file="triggers.yaml", limits=Limits()
    )
    found, _, warnings = apart_triggers(written, [plan_of("[]")], Limits())
    assert [each.trigger.name for each in found] == ["y"]
    assert [each.place.file for each in warnings] == ["triggers.yaml"]
