"""`fanwise triggers` and `fanwise triggers next`: what starts runs, and when."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fanwise.model import FireStatus, NewFire, TriggerTurn
from fanwise.stores import open_store

FLOW = "on: {a: {schedule: {at: 2199-01-01}}}\ntasks: [{name: x, action: core.noop}]\n"
HOOK = (
    "on: {b: {webhook: {path: p, secret: none}, enabled: false}}\n"
    "tasks: [{name: x, action: my.x}]\n"
)
FILE_FLOW = "on:\n  {dropped: {file: {path: in}}}\ntasks: [{name: x, action: core.noop}]\n"


def test_the_triggers_of_the_folders_workflows_are_listed(fanwise, write):
    """Without a project; other files in YAML may lie beside them, and no code is run."""
    write(**{"flow.yaml": FLOW, "hook.yml": HOOK, "compose.yaml": "services: {}\n"})
    write(**{"actions.py": "raise SystemExit(9)\n", "list.yaml": "- 1\n"})
    told = fanwise("triggers")
    assert (told.status, told.err) == (0, "")
    assert [line.split() for line in told.out.splitlines()] == [
        ["WORKFLOW", "TRIGGER", "KIND", "NEXT", "LAST", "PLACE"],
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


def test_a_pattern_takes_neither_of_the_projects_own_files(fanwise, write):
    """Though they match it."""
    write(**{"fanwise.yaml": 'workflows: ["*.yaml"]\n', "flow.yaml": FLOW, "triggers.yaml": "{}\n"})
    assert fanwise("triggers", "--check") == (0, "", "")


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
    assert (checked.status, checked.out) == (2, "")
    assert checked.err.splitlines() == lines[:-1]
    found = json.loads(fanwise("triggers", "--json").out)
    assert len(found["problems"]) == len(lines) - 1


def test_what_kept_of_a_wrong_file_is_told(fanwise, write, folder: Path):
    """A server keeps its last good triggers, of which the list knows the recorded ones."""
    kept = "A server that is up keeps what these files said before"
    write(**{"flow.yaml": FLOW, "bad.yaml": "on: {a: {schedule: 5}}\ntasks: []\n"})
    place = ("--store", str(folder / "runs.db"))
    assert fanwise("triggers", *place).err.splitlines()[-1] == f"{kept}."
    with open_store(str(folder / "runs.db")) as store:
        store.take_turns([TriggerTurn(workflow=each, name="a", turn=0) for each in ("flow", "bad")])
    told = fanwise("triggers", *place).err.splitlines()[-1]
    assert told == f"{kept}; recorded, and not in the list: bad/a."
    write(**{"bad.yaml": FLOW})
    assert fanwise("triggers", *place).err == ""


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


EACH = """
name: tick
on:
  each: {schedule: {every: 1m}, parameters: {day: "{{ trigger.date }}"}}
  wanted:
    event: tick.wanted
    when: "{{ trigger.event.n > 1 }}"
    parameters: {day: "{{ trigger.event.day }}"}
parameters: {day: {required: true}}
tasks: [{name: a, action: core.noop}]
"""


def test_a_trigger_is_fired_by_hand(fanwise, write):
    """With the parameters and the facts that it gives, and who it was; its next time stays."""
    write(**{"tick.yaml": EACH})
    told = fanwise("trigger", "each", "--at", "2026-03-05T09:07")
    assert (told.status, told.out, told.err) == (0, "tick-20260305-090700\n", "")
    again = json.loads(fanwise("trigger", "tick/each", "--at", "2026-03-05T09:07", "--json").out)
    assert again == {"workflow": "tick", "trigger": "each", "runs": ["tick-20260305-090700-2"]}
    shown = json.loads(fanwise("show", "tick-20260305-090700", "--json").out)
    assert (shown["parameters"], shown["status"]) == ({"day": "2026-03-05"}, "pending")
    assert (shown["trigger"]["kind"], shown["trigger"]["workflow"]) == ("manual", "tick")
    assert shown["trigger"]["by"]
    told = fanwise("show", "tick-20260305-090700").out
    assert "Trigger: tick/each, manual, 2026-03-05T09:07:00+00:00" in told
    (fire,) = map(
        json.loads, fanwise("triggers", "fires", "each", "--json", "--limit", "1").out.splitlines()
    )
    assert (fire["status"], fire["at"]) == ("ran", "2026-03-05T09:07:00Z")


def test_a_trigger_of_events_is_fired_with_one(fanwise, write):
    """By its own rules: `when` holds here too, and what it gives is told before."""
    write(**{"tick.yaml": EACH, "few.json": '{"n": 1}', "many.json": '{"n": 2, "day": "x"}'})
    refused = fanwise("trigger", "wanted", "--event", "few.json")
    assert (refused.status, refused.out) == (1, "")
    assert "`when`" in refused.err
    dry = json.loads(
        fanwise("trigger", "wanted", "--event", "many.json", "--dry-run", "--json").out
    )
    assert dry["parameters"] == {"day": "x"}
    assert (dry["trigger"]["kind"], dry["trigger"]["name"]) == ("manual", "wanted")
    assert fanwise("triggers", "fires", "wanted").status == 2  # there is no store yet
    assert fanwise("trigger", "wanted", "--event", "many.json").status == 0


def test_a_fire_by_hand_obeys_overlap_on_request(fanwise, write):
    """It is skipped, or waits, as one of the trigger itself; without the request it runs."""
    write(
        **{
            "tick.yaml": EACH,
            "line.yaml": EACH.replace("every: 1m", "every: 1m, overlap: queue").replace(
                "name: tick", "name: line"
            ),
        }
    )
    first = fanwise("trigger", "tick/each", "--overlap").out.strip()
    skipped = fanwise("trigger", "tick/each", "--overlap")
    assert (skipped.status, skipped.out) == (1, "")
    assert f"no run is made now: run {first} is pending." in skipped.err
    told = fanwise("trigger", "tick/each", "--overlap", "--json")
    assert (told.status, json.loads(told.out)["runs"]) == (1, [])
    assert fanwise("trigger", "tick/each").status == 0
    assert fanwise("trigger", "line/each", "--overlap").status == 0
    held = fanwise("trigger", "line/each", "--overlap")
    assert (held.status, held.out) == (0, "")
    assert "it waits for runs of this trigger to end" in held.err
    fires = [
        json.loads(line)
        for line in fanwise("triggers", "fires", "line/each", "--json").out.splitlines()
    ]
    assert [each["status"] for each in fires] == ["held", "ran"]


def test_past_times_are_backfilled_once(fanwise, write):
    """The oldest first, without those that have a run, behind other runs."""
    write(**{"tick.yaml": EACH})
    span = ["each", "--from", "2026-03-05T09:00", "--to", "2026-03-05T09:03"]
    assert fanwise("backfill", *span, "--dry-run").out.split() == [
        "2026-03-05T09:00:00Z",
        "2026-03-05T09:01:00Z",
        "2026-03-05T09:02:00Z",
    ]
    made = fanwise("backfill", *span[:4], "2026-03-05T09:01").out.split()
    made += fanwise("backfill", *span).out.split()
    assert made == [f"tick-20260305-090{minute}00" for minute in range(3)]
    told = fanwise("backfill", *span)
    assert (told.out, told.err) == ("", "No run was made: no time of the span is without one.\n")
    listed = [json.loads(line) for line in fanwise("runs", "--json").out.splitlines()]
    assert {each["priority"] for each in listed} == {-10}
    assert len(listed) == 3


def test_what_is_refused_by_hand_is_told_and_made_later(fanwise, write, monkeypatch):
    """With the reason, and the status 1; a past time is tried again by the next call."""
    write(**{"tick.yaml": EACH})
    monkeypatch.setenv("FANWISE_LIMIT_QUEUED", "2")
    span = ["each", "--from", "2026-03-05T09:00", "--to", "2026-03-05T09:04"]
    told = fanwise("backfill", *span)
    assert told.status == 1
    assert told.out.split() == ["tick-20260305-090000", "tick-20260305-090100"]
    reason = "2 runs of tick wait already, as many as the limit `queued` allows."
    assert f"2 times have no run: {reason}" in told.err
    fired = fanwise("trigger", "each")
    assert (fired.status, fired.out) == (1, "")
    assert f"no run is made now: {reason}" in fired.err
    again = fanwise("backfill", *span)
    assert (again.status, again.out) == (1, "")
    assert f"2 times have no run: {reason}" in again.err
    refused = fanwise("triggers", "fires", "each", "--status", "refused", "--json").out
    assert len(refused.splitlines()) == 2  # the first time of the backfill, and the one by hand
    monkeypatch.delenv("FANWISE_LIMIT_QUEUED")
    told = fanwise("backfill", *span)
    assert told.status == 0
    assert told.out.split() == ["tick-20260305-090200", "tick-20260305-090300"]


def test_past_times_are_backfilled_again_on_request(fanwise, write):
    """Each of them once more, and so many at a time, unless the workflow says how many."""
    write(
        **{"tick.yaml": EACH, "own.yaml": EACH.replace("name: tick", "name: own\nconcurrency: 4")}
    )
    times = ["--from", "2026-03-05T09:00", "--to", "2026-03-05T09:02"]
    first = fanwise("backfill", "tick/each", *times).out.split()
    assert fanwise("backfill", "tick/each", *times, "--again", "--dry-run").out.count("Z") == 2
    again = fanwise("backfill", "tick/each", *times, "--again", "--at-once", "3").out.split()
    assert again == [f"{run}-2" for run in first]
    own = fanwise("backfill", "own/each", *times[:3], "2026-03-05T09:01").out.split()
    limits = {
        run: json.loads(fanwise("export", run).out.splitlines()[0])["origin"]["limit"]
        for run in (*first, *again, *own)
    }
    assert {limits[run]["scope"] for run in (*first, *again)} == {"tick/each"}
    assert [limits[run].get("most", 1) for run in (*first, *again, *own)] == [1, 1, 3, 3, 4]
    assert limits[own[0]]["scope"] == "own"


def test_a_trigger_counts_from_now_on_request(fanwise, write):
    """Paused or not."""
    write(**{"tick.yaml": EACH})
    assert "is resumed" in fanwise("triggers", "resume", "each", "--from", "now").out
    assert "paused" not in fanwise("triggers").out
    for wrong in (("--from", "then"), ("--from", "now", "--catch-up")):
        told = fanwise("triggers", "resume", "each", *wrong)
        assert (told.status, "--from takes now" in told.err) == (2, True)


def test_a_paused_trigger_is_listed_as_such(fanwise, write):
    """With its note, until it is resumed."""
    write(**{"tick.yaml": EACH})
    assert fanwise("triggers", "pause", "each", "--note", "moving").status == 0
    each, wanted = json.loads(fanwise("triggers", "--json").out)["triggers"]
    assert (each["note"], each["next"], wanted["paused_at"]) == ("moving", None, None)
    assert each["paused_at"] is not None
    assert "paused" in fanwise("triggers").out
    assert "is resumed" in fanwise("triggers", "resume", "tick/each").out
    assert "wasn't paused" in fanwise("triggers", "resume", "each").out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["trigger", "eahc"], 'Did you mean "each"?'),
        (["trigger", "each", "--at", "noon"], "--at takes a time"),
        (["trigger", "wanted", "--event", "nowhere.json"], "nowhere.json  can't be read"),
        (["trigger", "wanted", "--event", "tick.yaml"], "tick.yaml  isn't JSON"),
        (["backfill", "wanted", "--from", "2026-01-01", "--to", "2026-01-02"], "of the kind event"),
        (["backfill", "each", "--from", "2020-01-01", "--to", "2026-01-01"], "more than 10,000"),
        (
            ["backfill", "each", "--from", "2026-01-02", "--to", "2026-01-01"],
            "no time from 2026-01-02T00:00:00Z up to 2026-01-01T00:00:00Z",
        ),
        (["backfill", "each", "--from", "2026-01-01", "--to", "2199-01-01"], "in the future"),
        (["triggers", "fires", "each", "--status", "ended"], "There are ran, held"),
        (["triggers", "pause", "nobody"], "List them with: fanwise triggers"),
        (["triggers", "pause", "each", "--note", "x" * 1_001], "at most 1,000 characters"),
    ],
)
def test_what_is_wrong_with_a_fire_by_hand_is_told(fanwise, write, arguments, text):
    """In one line, with status 2, and nothing is made."""
    write(**{"tick.yaml": EACH})
    told = fanwise(*arguments)
    assert (told.status, told.out) == (2, "")
    assert text in told.err
    assert told.err.count("\n") == 1


def test_a_folder_that_cannot_be_read_is_told(fanwise, write):
    """Beside the list, and by --check with an exit status."""
    write(**{"load.yaml": FILE_FLOW})
    with open_store(os.environ["FANWISE_STORE"]) as store:
        store.take_turns([TriggerTurn(workflow="load", name="dropped", trouble="in is gone.")])
    listed = fanwise("triggers", "--json")
    assert json.loads(listed.out)["triggers"][0]["trouble"] == "in is gone."
    listed = fanwise("triggers")
    assert "trouble" in listed.out
    assert listed.err == "load.yaml:2:4  in is gone.\n"
    checked = fanwise("triggers", "--check")
    assert (checked.status, checked.out, checked.err) == (1, "", listed.err)


def test_a_trigger_that_is_skipped_over_and_over_is_told(fanwise, write):
    """As trouble, beside the list and by --check; a trigger that has fired since is not."""
    write(**{"load.yaml": FILE_FLOW})
    fires = [
        NewFire(
            key=f"k{number}",
            at=60.0 * number,
            first=60.0 * number,
            status=FireStatus.SKIPPED,
            reason="run a is paused",
        )
        for number in range(3)
    ]
    with open_store(os.environ["FANWISE_STORE"]) as store:
        store.take_turns([TriggerTurn(workflow="load", name="dropped", fires=tuple(fires))])
    said = "It was skipped 3 times in a row since 1970-01-01T00:00:00Z: run a is paused."
    assert fanwise("triggers").err == f"load.yaml:2:4  {said}\n"
    assert json.loads(fanwise("triggers", "--json").out)["triggers"][0]["trouble"] == said
    assert fanwise("triggers", "--check").status == 1
