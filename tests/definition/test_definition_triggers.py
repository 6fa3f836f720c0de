"""Triggers under `on`: what is short for what, and what is wrong between their keys."""

from __future__ import annotations

from itertools import product
from typing import Any

import jsonschema
import pytest

from fanwise.definition import load, trigger_schema, workflow_json_schema
from fanwise.definition.literals import TRIGGER_KINDS
from fanwise.definition.problems import Problems
from fanwise.definition.project import load_project
from fanwise.definition.project_triggers import ProjectTriggers
from fanwise.definition.trigger_schema import TriggerDefinition
from fanwise.definition.yaml.composer import compose
from fanwise.errors import DefinitionError
from fanwise.model import Limits

TASKS = "\ntasks: [{name: a, action: core.noop}]\n"
VALIDATOR = jsonschema.Draft202012Validator(workflow_json_schema())

ALL_KINDS = """
on:
  - name: nightly
    schedule: {cron: "0 2 * * 1-5", timezone: Europe/Berlin, except: [2026-12-25], jitter: 5m,
               overlap: skip, catch-up: last, within: 12h, from: 2026-12-01, until: 2027-12-31}
    parameters: {day: "{{ trigger.date }}"}
  - name: pushed
    webhook: {path: report, secret: "{{ secrets.HOOK }}", signature: github}
    when: "{{ trigger.event.body.ref == 'refs/heads/main' }}"
    dedupe: {key: "{{ trigger.event.headers['x-github-delivery'] }}", for: 1d}
  - name: own
    webhook: {path: own, secret: none, signature: {hmac: {header: X-Sign}}, headers: x-id}
  - name: dropped
    file: {path: /data/in, glob: "*.csv", settle: 10s, batch: {size: 1000, within: 1m}}
  - {name: asked, event: report.wanted, tags: [asked], priority: -5, enabled: false}
  - {name: chained, run: {workflow: [load, copy], status: succeeded}}
  - {name: silent, missing: {workflow: load, status: succeeded, within: 26h}}
"""


def triggers(text: str) -> tuple[TriggerDefinition, ...]:
    """The triggers of a workflow, whose text JSON Schema takes as well."""
    document = compose(text + TASKS, Problems("flow.yaml"))
    assert document is not None
    assert VALIDATOR.is_valid(document.value)
    return load(text + TASKS, file="flow.yaml").triggers


def test_every_kind_of_trigger_is_read() -> None:
    """Values are parsed, texts are short for lists, and `on` is a text as in YAML 1.2."""
    nightly, pushed, own, dropped, asked, chained, silent = triggers(ALL_KINDS)
    assert nightly.schedule is not None
    assert nightly.schedule.cron == ("0 2 * * 1-5",)
    assert nightly.schedule.except_ == (("date", "2026-12-25"),)
    assert (nightly.schedule.jitter, nightly.schedule.within) == (300, 43_200)
    assert pushed.webhook is not None
    assert pushed.webhook.signature is not None
    assert pushed.webhook.signature.scheme == "github"
    assert pushed.dedupe is not None
    assert pushed.dedupe.for_ == 86_400
    assert own.webhook is not None
    assert own.webhook.headers == ("x-id",)
    assert dropped.file is not None
    assert dropped.file.batch is not None
    assert dropped.file.batch.size == 1000
    assert asked.event is not None
    assert (asked.event.name, asked.enabled, asked.priority) == ("report.wanted", False, -5)
    assert chained.run is not None
    assert chained.run.workflow == ("load", "copy")
    assert silent.missing is not None
    assert silent.missing.within == 93_600
    assert [each.kinds for each in (nightly, own, asked)] == [["schedule"], ["webhook"], ["event"]]


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ('{a: {schedule: "0 2 * * *"}}', '[{name: a, schedule: {cron: ["0 2 * * *"]}}]'),
        ("[{name: a, schedule: 1h30m}]", "[{name: a, schedule: {every: 5400}}]"),
        ("{a: {event: b}}", "[{name: a, event: {name: b}}]"),
        ("{}", "[]"),
        (
            "{a: {webhook: {path: b, secret: none, signature: token}}}",
            "[{name: a, webhook: {path: b, secret: [none], signature: {scheme: token}}}]",
        ),
    ],
)
def test_a_short_form_means_the_long_one(short: str, long: str) -> None:
    """A map by names, a text as a schedule, an event or a signature."""
    assert triggers(f"on: {short}") == triggers(f"on: {long}")


WRONG = [
    ("{a: {schedule: 5m, event: b}}", 'can\'t stand beside "schedule"'),
    ("{a: {}}", 'trigger "a" has none of schedule, webhook, file, event, run or missing'),
    ("[{schedule: 5m}]", 'trigger 1 has no "name"'),
    ("[{name: a, schedule: 5m}, {name: a, event: b}]", 'a trigger named "a" is there already'),
    ("{a: {schedule: {}}}", "has none of cron, every or at"),
    ('{a: {schedule: {every: 5m, cron: "0 2 * * *"}}}', 'can\'t stand beside "cron"'),
    ('{a: {schedule: {cron: "0 2 * * *", offset: 5m}}}', 'shifts the times of "every"'),
    ("{a: {schedule: {every: 5m, overlap: skip}, overlap: skip}}", "the trigger's own"),
    ("{a: {schedule: {every: 5m, catch_up: last, catch-up: last}}}", "are the same key"),
    ("{a: {schedule: {every: 5m, tz: UTC}}}", 'Did you mean "timezone"?'),
    ("{a: {schedule: {every: 5m, catch-up: some}}}", "takes last, skip or all"),
    (
        "{a: {schedule: {every: 5m, except: [{days: 5}]}}}",
        "takes dates, expressions, files of dates and holidays",
    ),
    ('{a: {schedule: {every: "{{ 5 }}"}}}', "takes a duration such as"),
    ("{a: {cron: 5m}}", 'Did you mean "schedule"?'),
    ("{a: {webhook: {path: b}}}", "so everybody could start runs"),
    ("{a: {webhook: {path: a/b, secret: none}}}", "takes 1 to 100 letters, digits"),
    (
        "{a: {webhook: {path: p, secret: none}}, b: {webhook: {path: p, secret: none}}}",
        'trigger "a" has the path "p" as well',
    ),
    (
        "{a: {webhook: {path: p, secret: none, signature: {scheme: token, hmac: {header: X}}}}}",
        'can\'t stand beside "scheme"',
    ),
    (
        '{a: {webhook: {path: p, secret: none, signature: {hmac: {header: X, signed: "'
        '{timestamp}.{body}"}}}}}',
        'no "timestamp-header" says where it is',
    ),
    ("{a: {webhook: {path: p, secret: none, signature: gitlab}}}", "takes token, github or"),
    ("{a: {file: {path: p, batch: {}}}}", "never closes"),
    ("{a: {file: {path: p, poll: 0}}}", "takes a duration of more than nothing"),
    ("{a: {event: {name: b, batch: {size: 5}, debounce: 5s}}}", 'can\'t stand beside "batch"'),
    ("{a: {missing: {within: 5h}}}", "has none of workflow or event"),
    ("{a: {missing: {workflow: b}}}", 'has no "within"'),
    ("{a: {run: {workflow: []}}}", "takes the name of a workflow, or a list of one or more"),
    ("{a: {event: b, dedupe: {for: 1d}}}", 'has no "key"'),
    ("{a: {event: b, priority: 101}}", "takes a whole number from -100 to 100"),
    ("{a-b: {event: b}}", 'Write "a_b".'),
    *[
        (f"{{a: {{{kind}: null}}}}", f'"{kind}" of trigger "a" takes a map, not null')
        for kind in TRIGGER_KINDS
    ],
    ("{a: 5}", "A trigger is a map such as"),
    ("5", '"on" takes a list'),
    ('{a: {event: "{{ b }}"}}', "takes a text and no template"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_is_wrong_with_a_trigger_is_told(text: str, said: str) -> None:
    """In one line with its place."""
    with pytest.raises(DefinitionError) as caught:
        load(f"on: {text}{TASKS}", file="flow.yaml")
    lines = str(caught.value).splitlines()
    assert any(said in line for line in lines), lines
    assert all(line.startswith("flow.yaml:1:") for line in lines)


MODELS = {
    "trigger": TriggerDefinition,
    "schedule": trigger_schema.ScheduleDefinition,
    "webhook": trigger_schema.WebhookDefinition,
    "file": trigger_schema.FileDefinition,
    "event": trigger_schema.EventDefinition,
    "run": trigger_schema.RunTriggerDefinition,
    "missing": trigger_schema.MissingDefinition,
}
NEEDED: dict[str, dict[str, object]] = {
    "trigger": {"name": "a"},
    "schedule": {},
    "webhook": {"path": "a", "secret": "none"},
    "file": {"path": "a"},
    "event": {"name": "a"},
    "run": {"workflow": "a"},
    "missing": {"within": 5},
}
VALUES: list[object] = [
    None, True, False, 0, 5, 5.5, -1, 101, "", "a", "5s", "{{ x }}", "none", "skip", "all", "token",
    "take", "sha1", "hex", "ended", [], ["a"], [1], {}, {"size": 5}, {"cron": "a"}, [{"cron": "a"}],
    {"key": "a", "for": 5}, {"hmac": {"header": "a"}}, {"every": 5}, {"path": "a"},
    {"path": "a", "secret": "none"}, {"name": "a"}, {"workflow": "a"},
    {"workflow": "a", "within": 5},
]  # fmt: skip


@pytest.mark.parametrize("kind", MODELS)
def test_json_schema_refuses_no_trigger_that_loads(kind: str) -> None:
    """Whatever stands under a key of a trigger; each key takes some of it."""
    taken = dict.fromkeys(MODELS[kind].keys(), 0)
    for key, value in product(MODELS[kind].keys(), VALUES):
        inner: dict[str, Any] = {**NEEDED[kind], key: value}
        if kind == "schedule" and not inner.keys() & {"cron", "every", "at"}:
            inner["every"] = 5
        if kind == "missing" and not inner.keys() & {"workflow", "event"}:
            inner["workflow"] = "a"
        if kind == "trigger" and not inner.keys() & set(TRIGGER_KINDS):
            inner["event"] = "a"
        trigger = inner if kind == "trigger" else {"name": "a", kind: inner}
        document = {"on": [trigger], "tasks": [{"name": "a", "action": "core.noop"}]}
        try:
            load(jsonable(document), file="flow.yaml")
        except DefinitionError:
            continue
        taken[key] += 1
        assert VALIDATOR.is_valid(document), f"{key}: {value}"
    assert all(taken.values()), taken


def jsonable(document: object) -> bytes:
    """The text of a document: JSON is YAML."""
    import msgspec

    return msgspec.json.encode(document)


def apart(text: str) -> ProjectTriggers:
    return ProjectTriggers.load(text, file="triggers.yaml", limits=Limits())


def test_triggers_apart_from_their_workflow_name_it() -> None:
    """They are a list, or a map by their names, and have places in their own file."""
    listed = apart("- {name: a, workflow: load, schedule: 5m}")
    assert apart("a: {workflow: load, schedule: 5m}").on == listed.on
    assert listed.on[0].workflow == "load"
    assert str(listed.place("on", 0, "workflow")) == "triggers.yaml:1:23"
    assert apart("").on == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5", "triggers.yaml:1:1  bad-type  the file is 5, not a list of triggers."),
        ("- {name: a, schedule: 5m}", 'trigger "a" has no "workflow".'),
        ("- {name: a, workflow: b}", 'trigger "a" has none of schedule, webhook'),
        ("- {name: a, workflow: b, schedule: {cron: x, every: 5}}", "can't stand beside"),
        ('- {name: a, workflow: "{{ b }}", schedule: 5m}', "takes a text and no template"),
        ("- [", "bad-yaml"),
    ],
)
def test_a_wrong_file_of_triggers_is_told_with_its_place(text: str, said: str) -> None:
    """As a workflow is."""
    with pytest.raises(DefinitionError) as caught:
        apart(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("notify", "workflow", "statuses"),
    [
        ("alert", "alert", ("failed", "interrupted")),
        ("{workflow: alert, status: failed}", "alert", ("failed",)),
        ("{workflow: alert, status: [failed, cancelled]}", "alert", ("failed", "cancelled")),
    ],
)
def test_a_notice_is_a_trigger_on_all_runs(
    notify: str, workflow: str, statuses: tuple[str, ...]
) -> None:
    """By default on those that fail or are interrupted."""
    project = load_project(f"notify: {notify}\n", file="fanwise.yaml", limits=Limits())
    assert project.notify is not None
    (trigger,) = ProjectTriggers.notices(project.notify, file="fanwise.yaml").on
    assert (trigger.name, trigger.workflow) == ("notify", workflow)
    assert trigger.run is not None
    assert (trigger.run.workflow, trigger.run.status) == (("*",), statuses)


@pytest.mark.parametrize(
    ("notify", "said"),
    [
        ("5", 'fanwise.yaml:1:9  bad-type  "workflow" of trigger "notify" takes text, not 5'),
        ("{status: failed}", 'missing-key  trigger "notify" has no "workflow"'),
        ("{workflow: a, stats: 1}", '1:23  unknown-key  "notify" has no key "stats". Did you'),
        ("{workflow: a, status: bad}", '1:31  bad-value  "status" of "run" of trigger "notify"'),
    ],
)
def test_a_wrong_notice_is_told_with_its_place(notify: str, said: str) -> None:
    """In one line."""
    project = load_project(f"notify: {notify}\n", file="fanwise.yaml", limits=Limits())
    assert project.notify is not None
    with pytest.raises(DefinitionError) as caught:
        ProjectTriggers.notices(project.notify, file="fanwise.yaml")
    assert said in str(caught.value)
