"""`fanwise run --dry-run` and `--items`: what would run, and only the first items of it."""

import json
from pathlib import Path

import pytest

from fanwise.errors import UsageError
from fanwise.wiring import load_plan, open_engine

ACTIONS = """\
from pathlib import Path
import fanwise

@fanwise.action("my.touch")
def touch(name: str, times: int = 1, note: object = None) -> str:
    Path("called").write_text(name)
    return name

@fanwise.action("my.count")
def count(values: list) -> int:
    return len(values)
"""

FLOW = """\
name: flow
parameters:
  hosts: {type: array, default: [a, b, c]}
  token: {type: string, secret: true}
  quiet: {type: boolean, default: true}
vars:
  prefix: "host-{{ parameters.hosts | length }}"
  begun: "{{ run.started_at }}"
  total: 0
tasks:
  - name: each
    action: my.touch
    with-items: "{{ parameters.hosts }}"
    input:
      name: "{{ vars.prefix }}-{{ item }}-{{ index }}"
      note: {key: "Bearer {{ parameters.token }}", other: "{{ secrets.other }}"}
    publish: {total: "{{ result() | length }}"}
  - name: tell
    action: my.touch
    when: "{{ not parameters.quiet }}"
    input:
      name: "{{ task.each.output[0] }}"
      note: {a: "{{ parameters.quiet }}", b: "{{ vars.total }}"}
finally:
  - {name: bye, action: my.touch, input: {name: done}}
"""


@pytest.fixture(autouse=True)
def flow(write):
    write(**{"flow.yaml": FLOW, "actions.py": ACTIONS})


def preview(fanwise, *arguments: str) -> dict:
    told = fanwise("run", "flow.yaml", "--dry-run", "--json", *arguments)
    assert told.status == 0, told.err
    return json.loads(told.out)


def task(preview: dict, name: str) -> dict:
    return next(task for task in preview["tasks"] if task["name"] == name)


def test_a_dry_run_calls_nothing_and_records_nothing(fanwise, folder: Path):
    """No action is called, and not even a store is made."""
    preview(fanwise)
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == [
        "actions.py",
        "flow.yaml",
    ]


def test_a_dry_run_shows_each_task_with_what_it_would_be_called_with(fanwise):
    """Inputs are rendered for the first item; tasks come in the order listed."""
    shown = preview(fanwise)
    assert [task["name"] for task in shown["tasks"]] == ["each", "tell", "bye"]
    assert [task["after"] for task in shown["tasks"]] == [[], ["each"], []]
    assert [task["finally"] for task in shown["tasks"]] == [False, False, True]
    each = task(shown, "each")
    assert each["action"] == "my.touch"
    assert each["items"] == {"written": "{{ parameters.hosts }}", "total": 3, "first": "a"}
    assert each["input"]["name"] == "host-3-a-0"
    assert (each["when"], each["pending"], each["problems"]) == (True, [], [])


def test_what_hangs_on_tasks_before_it_stands_as_it_is_written(fanwise):
    """A map is rendered in part; a variable that a task before publishes isn't known either."""
    tell = task(preview(fanwise), "tell")
    assert tell["input"] == {
        "name": "{{ task.each.output[0] }}",
        "note": {"a": True, "b": "{{ vars.total }}"},
    }
    assert tell["pending"] == ["name", "note"]


def test_a_condition_is_judged_if_it_can_be(fanwise, write):
    assert task(preview(fanwise), "tell")["when"] is False
    assert task(preview(fanwise, "-p", "quiet=false"), "tell")["when"] is True
    later = "{{ task.each.items.failed == 0 }}"
    write(**{"flow.yaml": FLOW.replace("{{ not parameters.quiet }}", later)})
    assert task(preview(fanwise), "tell")["when"] == later


def test_variables_are_evaluated_in_order(fanwise):
    """One that names the run isn't known before there is one."""
    assert preview(fanwise)["vars"] == {
        "prefix": "host-3",
        "begun": "{{ run.started_at }}",
        "total": 0,
    }


def test_no_secret_is_shown_or_needed(fanwise, monkeypatch):
    """Secrets and secret parameters are masked everywhere, whatever is made of them."""
    monkeypatch.setenv("FANWISE_SECRET_other", "sesame")
    told = fanwise("run", "flow.yaml", "--dry-run", "--json", "-p", "token=hunter2")
    assert "hunter2" not in told.out + told.err
    assert "sesame" not in told.out + told.err
    each = task(json.loads(told.out), "each")
    assert each["input"]["note"] == {"key": "Bearer ***", "other": "***"}


def test_nothing_is_decided_by_a_mask(fanwise, write):
    """A condition or a list that hangs on a secret stays as it is written."""
    write(
        **{
            "flow.yaml": """\
parameters: {token: {type: string, secret: true}}
tasks:
  - {name: one, action: core.noop, when: "{{ parameters.token == 'x' }}"}
  - {name: two, action: my.touch, with-items: ["{{ secrets.a }}"], input: {name: "{{ item }}"}}
  - {name: three, action: my.touch, input: {name: x, times: "{{ secrets.n }}"}}
"""
        }
    )
    shown = preview(fanwise, "-p", "token=x")
    assert task(shown, "one")["when"] == "{{ parameters.token == 'x' }}"
    assert task(shown, "two")["items"] == {"written": ["{{ secrets.a }}"], "total": None}
    assert task(shown, "three")["problems"] == []


@pytest.mark.parametrize(
    ("items", "total", "first"),
    [
        ("{range: 10000000}", 10_000_000, 0),
        ("{a: [1, 2], b: '{{ parameters.hosts | batch(2) }}'}", 2, {"a": 1, "b": ["a", "b"]}),
        ("\"{{ parameters.hosts | reject('eq', 'a') }}\"", 2, "b"),
        ("{lines: notes.txt}", None, "one"),
    ],
)
def test_items_are_counted_if_they_are_in_memory(fanwise, write, items, total, first):
    """Of a file the first item is read, and how many there are isn't known."""
    flow = f"""\
parameters: {{hosts: {{type: array, default: [a, b, c]}}}}
tasks: [{{name: each, action: core.echo, with-items: {items}, input: {{it: "{{{{ item }}}}"}}}}]
"""
    write(**{"flow.yaml": flow, "notes.txt": "one\ntwo\n"})
    each = task(preview(fanwise), "each")
    assert (each["items"]["total"], each["items"]["first"]) == (total, first)
    assert each["input"] == {"it": first}


def test_a_file_that_is_not_there_yet_is_no_problem(fanwise, write):
    """A task before may write it."""
    write(
        **{
            "flow.yaml": """\
tasks: [{name: each, action: core.echo, with-items: {lines: later.txt}, input: {x: "{{ item }}"}}]
"""
        }
    )
    each = task(preview(fanwise), "each")
    assert each["items"] == {"written": {"lines": "later.txt"}, "total": None}
    assert (each["input"], each["pending"], each["problems"]) == ({"x": "{{ item }}"}, ["x"], [])


def test_what_would_fail_is_told(fanwise, write):
    """Templates, items and inputs that can't be right are problems, with their places."""
    write(
        **{
            "flow.yaml": """\
parameters: {hosts: {type: array, default: [a]}}
tasks:
  - {name: one, action: my.touch, input: {name: "{{ parameters.hosts[3] }}"}}
  - {name: two, action: my.touch, input: {name: x, times: "{{ parameters.hosts }}"}}
  - {name: three, action: my.touch, with-items: "{{ parameters }}", input: {name: x}}
"""
        }
    )
    shown = preview(fanwise)
    one, two, three = (task["problems"] for task in shown["tasks"])
    assert one[0].startswith("flow.yaml:3:49  in {{ parameters.hosts[3] }}: ")
    assert two[0].startswith('flow.yaml:4:59  input "times" of my.touch ')
    assert "with-items is a map, not a list" in three[0]


def test_batches_are_the_items_of_a_dry_run(fanwise, write):
    write(
        **{
            "flow.yaml": """\
tasks: [{name: each, action: my.count, with-items: {range: 7}, batch-size: 3,
         input: {values: "{{ item }}"}}]
"""
        }
    )
    each = task(preview(fanwise), "each")
    assert each["items"] == {"written": {"range": 7}, "total": 3, "first": [0, 1, 2]}
    assert task(preview(fanwise, "--items", "2"), "each")["items"]["total"] == 2


def test_people_read_a_dry_run_as_lines(fanwise):
    """Values are in JSON, and templates that wait for a task stand without quotes."""
    told = fanwise("run", "flow.yaml", "--dry-run", "-p", "token=hunter2")
    assert told.out == (
        """\
Dry run of flow: nothing is called and nothing is recorded.

parameters:
  hosts: ["a","b","c"]
  token: "***"
  quiet: true

vars:
  prefix: "host-3"
  begun: "{{ run.started_at }}"
  total: 0

each: my.touch, at the start
  with-items: {{ parameters.hosts }}
  items: 3
  first item: "a"
  input:
    name: "host-3-a-0"
    note: {"key":"Bearer ***","other":"***"}

tell: my.touch, after each
  when: false
  input:
    name: {{ task.each.output[0] }}
    note: {"a":true,"b":"{{ vars.total }}"}

bye: my.touch, at the end
  input:
    name: "done"
"""
    )


def test_parameters_that_do_not_fit_are_refused_as_in_a_run(fanwise):
    told = fanwise("run", "flow.yaml", "--dry-run", "-p", "hosts=1", "-p", "nope=2")
    assert told.status == 2
    assert told.out == ""
    assert 'parameter "hosts" takes a list' in told.err


def test_items_runs_only_the_first_of_each_fan_out(fanwise, write):
    """Batches count as items, and the run says once that it is cut short."""
    write(
        **{
            "flow.yaml": """\
tasks:
  - {name: one, action: core.echo, with-items: {range: 1000000}, input: {x: "{{ item }}"}}
  - {name: two, action: my.count, with-items: "{{ task.one.output }}", batch-size: 2,
     input: {values: "{{ item }}"}}
  - {name: three, action: core.echo, with-items: [1], input: {x: "{{ item }}"}}
output: {one: "{{ task.one.output }}", two: "{{ task.two.output }}"}
"""
        }
    )
    told = fanwise("run", "flow.yaml", "--items", "3", "--json")
    run = json.loads(told.out)
    assert run["output"] == {"one": [{"x": 0}, {"x": 1}, {"x": 2}], "two": [2, 1]}
    assert [task["items"]["total"] for task in run["tasks"].values()] == [3, 2, 1]
    assert told.err.count("each fan-out is limited to its first 3 items") == 1


def test_items_takes_a_number_from_one(fanwise):
    """Also in Python."""
    told = fanwise("run", "flow.yaml", "--items", "0")
    assert told.status == 2
    assert "--items" in told.err
    with open_engine() as engine, pytest.raises(UsageError, match="from 1"):
        engine.run(load_plan({"tasks": [{"name": "a", "action": "core.noop"}]}), items=-1)


def test_a_task_that_runs_elsewhere_tells_what_is_sent_of_the_context(fanwise, write):
    """What its items' inputs name, and nothing else; here nothing is sent."""
    there = FLOW.replace(
        "action: my.touch\n    with-items", "action: my.touch\n    EXECUTOR\n    with-items"
    )
    write(**{"flow.yaml": there.replace("EXECUTOR", "executor: process")})
    each = task(preview(fanwise), "each")
    assert (each["executor"], each["snapshot_bytes"]) == (
        "process",
        len(b'{"vars":{"prefix":"host-3"}}'),
    )
    told = fanwise("run", "flow.yaml", "--dry-run").out
    assert "executor: process, with 28 B of the context that is known by now" in told
    here = task(preview(fanwise, "--executor", "local"), "tell")
    assert (here["executor"], here["snapshot_bytes"]) == ("local", None)
    assert task(preview(fanwise, "--executor", "process"), "tell")["executor"] == "process"


def test_show_tells_what_was_sent_of_the_context(fanwise, write):
    """Of a task whose items ran elsewhere; so does --json, for each visit."""
    write(
        **{
            "flow.yaml": """\
parameters: {rate: {default: 1.25}}
tasks:
  - {name: each, action: my.touch, executor: process, with-items: [a, b],
     input: {name: "{{ item }}-{{ parameters.rate }}"}}
  - {name: here, action: core.noop}
"""
        }
    )
    run_id = json.loads(fanwise("run", "flow.yaml", "--json").out)["run_id"]
    sent = len(b'{"parameters":{"rate":1.25}}')
    assert f"Context sent to each worker: each {sent} B\n" in fanwise("show", run_id).out
    visits = fanwise("show", run_id, "--timeline", "--json").out.splitlines()
    assert {visit["path"]: visit["snapshot_bytes"] for visit in map(json.loads, visits)} == {
        "each": sent,
        "here": None,
    }


def test_a_context_that_is_too_large_to_be_sent_is_a_problem(fanwise, monkeypatch):
    """Before anything runs, with the part that is large."""
    monkeypatch.setenv("FANWISE_LIMIT_SNAPSHOT_BYTES", "10")
    (problem,) = task(preview(fanwise, "--executor", "process"), "each")["problems"]
    assert "vars.prefix, has 8" in problem
    assert "limits.snapshot_bytes" in problem
