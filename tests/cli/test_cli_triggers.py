"""`fanwise triggers` and `fanwise triggers next`: what starts runs, and when."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FLOW = "on: {a: {schedule: {at: 2199-01-01}}}\ntasks: [{name: x, action: core.noop}]\n"
HOOK = (
    "on: {b: {webhook: {path: p, secret: none}, enabled: false}}\n"
    "tasks: [{name: x, action: my.x}]\n"
)


def test_the_triggers_of_the_folders_workflows_are_listed(fanwise, write):
    """Without a project; other files in YAML may lie beside them, and no code is run."""
    write(**{"flow.yaml": FLOW, "hook.yml": HOOK, "compose.yaml": "services: {}\n"})
    write(**{"actions.py": "raise SystemExit(9)\n", "list.yaml": "- 1\n"})
    told = fanwise("triggers")
    assert (told.status, told.err) == (0, "")
    assert [line.split() for line in told.out.splitlines()] == [
        ["WORKFLOW", "TRIGGER", "KIND", "NEXT", "PLACE"],
        ["flow", "a", "schedule", "2199-01-01T00:00:00Z", "flow.yaml:1:6"],
        ["hook", "b", "webhook,", "off", "hook.yml:1:6"],
    ]
    assert fanwise("triggers", "--check") == (0, "", "")


def test_a_file_that_is_broken_is_told_if_it_means_to_be_a_workflow(fanwise, write):
    """Another kind of file in YAML is nobody's business here."""
    write(**{"flow.yaml": FLOW, "chart.yaml": "a: {{ b }}\nc: [\n"})
    assert fanwise("triggers").status == 0
    write(**{"broken.yaml": "on: [\ntasks:\n"})
    told = fanwise("triggers")
    assert told.status == 2
    assert told.err.startswith("broken.yaml:")
    assert "flow.yaml:1:6" in told.out


def test_a_folder_without_triggers_says_so(fanwise):
    """It is no error."""
    assert fanwise("triggers") == (0, "No triggers.\n", "")


def test_a_project_names_its_workflows_and_has_triggers_of_its_own(
    fanwise, write, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """From any folder of it; files that it doesn't name are left out."""
    (folder / "flows").mkdir()
    write(**{"fanwise.yaml": "workflows: [flows/*.yaml]\n", "flows/flow.yaml": FLOW})
    write(**{"hook.yaml": HOOK, "triggers.yaml": "c: {workflow: flow, event: e}\n"})
    monkeypatch.chdir(folder / "flows")
    told = json.loads(fanwise("triggers", "--json").out)
    assert told["folder"] == str(folder)
    assert [(each["workflow"], each["trigger"], each["kind"]) for each in told["triggers"]] == [
        ("flow", "a", "schedule"),
        ("flow", "c", "event"),
    ]
    assert told["triggers"][0]["next"] == "2199-01-01T00:00:00Z"
    assert told["triggers"][1]["next"] is None


def test_a_wrong_file_leaves_the_others_as_they_are(fanwise, write):
    """Each problem is a line on standard error, and the status 2."""
    write(**{"flow.yaml": FLOW, "bad.yaml": "on: {a: {schedule: 5}}\ntasks: []\n"})
    write(**{"triggers.yaml": "- {name: a, workflow: nobody, schedule: 5m}\n"})
    told = fanwise("triggers")
    assert told.status == 2
    assert "2199-01-01T00:00:00Z" in told.out
    lines = told.err.splitlines()
    assert any(line.startswith("bad.yaml:1:") for line in lines)
    assert any(line.startswith("triggers.yaml:1:23  bad-trigger") for line in lines)
    checked = fanwise("triggers", "--check")
    assert (checked.status, checked.out, checked.err) == (2, "", told.err)
    found = json.loads(fanwise("triggers", "--json").out)
    assert len(found["problems"]) == len(lines)


def test_a_check_tells_warnings_with_a_status_of_their_own(fanwise, write):
    """A list alone passes over them."""
    write(**{"flow.yaml": FLOW.replace("{at: 2199-01-01}", "1d")})
    told = fanwise("triggers", "--check")
    assert (told.status, told.out) == (1, "")
    assert told.err.startswith("flow.yaml:1:20  warning doubtful-schedule")
    assert fanwise("triggers").status == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("workflows: [flows/*.yaml]", "and no file is named so"),
        ("workflows: 5", '"workflows" has 5, and takes paths of files.'),
        ("workflows: [/etc/*.yaml]", "leads out of the project"),
        ("workflows: [../x.yaml]", "leads out of the project"),
        ("workflow: x", 'Did you mean "workflows"?'),
    ],
)
def test_a_wrong_project_is_told_in_one_line(fanwise, write, text: str, said: str):
    """With its place and what to write."""
    write(**{"fanwise.yaml": text})
    told = fanwise("triggers")
    assert (told.status, told.out) == (2, "")
    assert said in told.err
    assert len(told.err.splitlines()) == 1


NIGHTLY = """
on:
  a: {schedule: {cron: "30 2 * * *", timezone: Europe/Berlin}}
  b: {schedule: {every: 12h}, enabled: false}
tasks: [{name: x, action: core.noop}]
"""


def test_a_preview_shows_local_time_and_utc_and_what_daylight_saving_does(fanwise, write):
    """It needs no store, and a trigger that is off doesn't fire."""
    write(**{"flow.yaml": NIGHTLY})
    told = fanwise("triggers", "next", "flow.yaml", "--from", "2026-03-29", "--count", "2")
    assert (told.status, told.err) == (0, "")
    assert told.out.splitlines()[1:] == [
        "2026-03-29 03:00:00  Europe/Berlin  2026-03-29T01:00:00Z  a        instead of 02:30",
        "2026-03-30 02:30:00  Europe/Berlin  2026-03-30T00:30:00Z  a",
    ]
    assert not Path("runs.db").exists()


def test_a_preview_as_json_has_the_times_that_were_put_off(fanwise, write):
    """Each fire is an object."""
    write(**{"flow.yaml": NIGHTLY})
    told = fanwise("triggers", "next", "flow.yaml", "--from", "2026-03-29", "--count=1", "--json")
    assert json.loads(told.out) == [
        {
            "workflow": "flow",
            "trigger": "a",
            "at": "2026-03-29T01:00:00Z",
            "local": "2026-03-29T03:00:00+02:00",
            "timezone": "Europe/Berlin",
            "instead_of": ["2026-03-29T02:30:00"],
            "second_time": False,
        }
    ]


def test_a_preview_begins_now_and_has_five_fires(fanwise, write):
    """If nothing else is asked."""
    write(**{"flow.yaml": NIGHTLY})
    assert len(json.loads(fanwise("triggers", "next", "flow.yaml", "--json").out)) == 5


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        (HOOK, "flow.yaml  has no schedule.\n"),
        (FLOW.replace("2199", "2001"), "flow.yaml  fires no more.\n"),
    ],
)
def test_a_workflow_that_fires_at_no_time_says_so(fanwise, write, flow: str, said: str):
    """It is no error."""
    write(**{"flow.yaml": flow})
    assert fanwise("triggers", "next", "flow.yaml") == (0, said, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("flow.yaml", "--from", "soon"), "--from takes a time such as"),
        (("flow.yaml", "--from", "9999-01-01"), "--from takes a time such as"),
        (("flow.yaml", "--count", "0"), "'--count'"),
        (("none.yaml",), "none.yaml  can't be read"),
        ((), "Missing argument 'FILE'"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(fanwise, write, arguments: tuple[str, ...], said: str):
    """With the status 2."""
    write(**{"flow.yaml": FLOW})
    told = fanwise("triggers", "next", *arguments)
    assert (told.status, told.out) == (2, "")
    assert said in told.err
    assert len(told.err.splitlines()) == 1


def test_a_dry_run_knows_that_it_is_by_hand(fanwise, write):
    """So it shows what the run would see."""
    flow = "tasks: [{name: x, action: core.echo, input: {v: 'by {{ trigger.kind }}'}}]\n"
    write(**{"flow.yaml": flow})
    assert 'v: "by manual"' in fanwise("run", "flow.yaml", "--dry-run").out


def test_a_run_by_hand_has_a_manual_trigger(fanwise, write):
    """All else of it is null, in its children as well."""
    write(
        **{
            "child.yaml": 'tasks: [{name: x, action: core.noop}]\noutput: "{{ trigger.kind }}"\n',
            "flow.yaml": (
                "tasks:\n"
                "  - {name: y, action: ./child.yaml}\n"
                '  - {name: z, action: core.echo, with-items: [1], input: {v: "{{ trigger }}"}}\n'
                'output: ["{{ task.y.output }}", "{{ task.z.output }}"]\n'
            ),
        }
    )
    child, [item] = json.loads(fanwise("run", "flow.yaml").out)
    assert child == "manual"
    assert item["v"]["kind"] == "manual"
    assert {value for key, value in item["v"].items() if key != "kind"} == {None}
