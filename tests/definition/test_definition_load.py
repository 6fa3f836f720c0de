"""What a good workflow file becomes."""

import copy
import pickle
from pathlib import Path

import pytest

from fanwise.definition import RetryDefinition, Tolerance, WorkflowDefinition, load
from fanwise.errors import Place
from fanwise.values import FrozenDict, FrozenList

MONITOR = Path(__file__).with_name("monitor.yaml").read_text()


def one_task(keys: str) -> WorkflowDefinition:
    return load(f"tasks:\n  - {{name: a, {keys}}}\n", file="a.yaml")


def test_every_key_of_the_full_example_arrives():
    """The example of the documentation loads, and each key has the value that it means."""
    workflow = load(MONITOR, file="flows/health.yaml")

    assert workflow.name == "monitor"
    assert workflow.timeout == 600
    assert workflow.vars == {"slow": 0}
    assert list(workflow.parameters) == ["inventory", "expect", "token"]
    assert workflow.parameters["inventory"].required
    assert workflow.parameters["expect"].default == 200
    assert workflow.parameters["token"].secret
    assert workflow.output["failed"] == "{{ task.check_health.items.failed }}"
    first, second = workflow.tasks
    assert (first.name, first.action, first.has_items) == (
        "get_servers",
        "cloud.list_servers",
        False,
    )
    assert first.input == {"inventory": "{{ parameters.inventory }}"}
    assert second.has_items
    assert second.label == "{{ item.name }}"
    assert second.rate == 100
    assert second.tolerate == Tolerance(percent=5)
    assert second.timeout == 5
    assert list(second.publish) == ["slow"]
    assert isinstance(second.retry, RetryDefinition)
    assert second.retry.max_delay == 30
    assert second.retry.when == "{{ error().type != 'BadRequest' }}"


def test_defaults_are_those_documented():
    """A task that says nothing runs at once, 50 items at a time, and tolerates no failure."""
    (task,) = load("tasks: [{name: a}]", file="a.yaml").tasks

    assert task.action is None
    assert (task.concurrency, task.tolerate.allowed(1_000)) == (50, 0)
    assert (task.on_item_error, task.keep_output, task.on_error) == ("continue", "all", "fail")
    assert (task.timeout, task.delay, task.when, task.retry) == (None, 0, True, None)
    assert (task.input, task.publish) == ({}, {})


def test_a_workflow_may_stand_under_one_key():
    """`workflow:` around everything changes nothing, also where tasks have only names."""
    workflow = load(
        "workflow:\n  tasks: [{name: fetch_users}, {name: filter_eligible}]", file="x/notify.yaml"
    )

    assert workflow.name == "notify"
    assert [task.name for task in workflow.tasks] == ["fetch_users", "filter_eligible"]
    assert workflow.place("tasks", 1) == Place("x/notify.yaml", 2, 32)


@pytest.mark.parametrize("key", ["on-item-error", "on_item_error", "on_item-error"])
def test_keys_take_underscores_for_hyphens(key):
    """A key reads the same with `_` and `-`; its place is found by either spelling."""
    workflow = one_task(f"with-items: [1], {key}: stop")

    assert workflow.tasks[0].on_item_error == "stop"
    place = workflow.key_place("tasks", 0, "on-item-error")
    assert place == workflow.key_place("tasks", 0, "on_item_error") == Place("a.yaml", 2, 32)


def test_names_that_authors_choose_keep_their_spelling():
    """Names of inputs are data, so `_` and `-` stay as they are."""
    assert one_task("input: {a_b: 1, a-b: 2}").tasks[0].input == {"a_b": 1, "a-b": 2}


@pytest.mark.parametrize(
    "text",
    ["on", "no", "yes", "Off", "2024-01-01", "12:30", "1_000", "0b1", "=", "1.2.3", "+", "0o8"],
)
def test_what_yaml_1_2_calls_text_stays_text(text):
    """Words, dates and times that older YAML turns into something else are text."""
    assert load(f"vars: {{x: {text}}}\ntasks: [{{name: a}}]", file="a").vars == {"x": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("TRUE", True),
        ("false", False),
        ("010", 10),
        ("-7", -7),
        ("0o17", 15),
        ("0xfF", 255),
        ("1.5", 1.5),
        ("-.5e1", -5.0),
        ("3.", 3.0),
        ("'5'", "5"),
        ("! 5", "5"),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("!!map {}", {}),
    ],
)
def test_scalars_are_those_of_the_core_schema(text, value):
    """Numbers, true, false and null are what YAML 1.2's core schema says."""
    (found,) = load(f"vars:\n  x: {text}\ntasks: [{{name: a}}]", file="a").vars.values()

    assert (type(found), found) == (type(value) if value != {} else FrozenDict, value)


def test_values_are_frozen():
    """What a definition holds can be shared: its lists and maps can't be changed."""
    workflow = load(
        "vars: {a: [{b: 1}]}\noutput: [1]\nparameters: {p: {default: [1]}}\n"
        "tasks: [{name: t, with-items: [1], input: {x: {y: [1]}}, publish: {v: [1]}}]",
        file="a",
    )
    task = workflow.tasks[0]

    assert type(workflow.vars) is type(workflow.vars["a"][0]) is type(task.input) is FrozenDict
    assert type(workflow.output) is type(workflow.vars["a"]) is FrozenList
    assert type(task.with_items) is type(task.publish["v"]) is FrozenList
    assert type(workflow.parameters["p"].default) is FrozenList
    assert copy.deepcopy(workflow.vars) is workflow.vars


def test_an_alias_is_the_value_of_its_anchor():
    """Aliases repeat a value without copying it."""
    workflow = load("vars: {a: &x [1, 2], b: *x}\ntasks: [{name: t}]", file="a")

    assert workflow.vars["b"] is workflow.vars["a"]


def test_places_lead_to_values_and_keys():
    """Each value and key has its place; a path that leads nowhere ends at what is there."""
    workflow = load(MONITOR, file="f.yaml")

    assert workflow.place("tasks", 1, "input", "url") == Place("f.yaml", 26, 12)
    assert workflow.key_place("tasks", 1, "input", "url") == Place("f.yaml", 26, 7)
    assert workflow.place("tasks", 1, "with_items") == Place("f.yaml", 17, 17)
    assert workflow.place("tasks", 1) == Place("f.yaml", 15, 5)
    assert workflow.place("tasks", 1, "when") == workflow.place("tasks", 1)
    assert workflow.place("tasks", 7, "input") == workflow.place("tasks")
    assert workflow.place() == Place("f.yaml", 1, 1)


def test_columns_count_characters():
    """Letters beyond ASCII and a byte order mark don't shift a place."""
    text = "\ufeffvars: {a: 'é𝄞', b: 1}\ntasks: [{name: a}]"

    workflow = load(text.encode(), file="a")

    assert workflow.key_place("vars", "b") == Place("a", 1, 17)


@pytest.mark.parametrize("keys", ["input: ", "publish: ", "input: , publish: ", "action: "])
def test_an_empty_map_may_be_left_blank(keys):
    """`input:` with nothing after it is an empty input."""
    assert one_task(keys).tasks[0].input == {}


def test_blank_maps_of_the_workflow_are_empty():
    """`vars:` and `parameters:` with nothing after them declare nothing."""
    workflow = load("vars:\nparameters: {p: }\noutput:\ntasks: [{name: a}]", file="a")

    assert workflow.vars == {}
    assert workflow.parameters["p"].default is None
    assert workflow.output is None


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("concurrency", "concurrency"),
        ("tolerate", "tolerate"),
        ("on-item-error", "on_item_error"),
        ("keep-output", "keep_output"),
        ("timeout", "timeout"),
        ("delay", "delay"),
        ("when", "when"),
        ("on-error", "on_error"),
        ("label", "label"),
        ("with-items", "with_items"),
    ],
)
def test_any_value_of_a_task_may_be_a_template(key, field):
    """A template is kept as it is written, to be compiled later."""
    items = "" if key == "with-items" else "with-items: [1], "

    task = one_task(f'{items}{key}: "{{{{ vars.x }}}}"').tasks[0]

    assert getattr(task, field) == "{{ vars.x }}"


@pytest.mark.parametrize(
    "items",
    [
        "{jsonl: a.jsonl}",
        "{range: 3}",
        "{lines: '{{ x }}'}",
        "{csv: a}",
        "{csv: a, delimiter: ;, encoding: windows-1252, header: [b, '{{ x }}']}",
        "{csv: a, delimiter: '{{ x }}', header: false}",
        "{files: '*'}",
        "[]",
        "{a: [1], b: '{{x}}'}",
    ],
)
def test_items_come_from_lists_streams_and_lists_side_by_side(items):
    """All three forms of `with-items` load."""
    assert one_task(f"with-items: {items}").tasks[0].has_items


@pytest.mark.parametrize(
    ("file", "name"),
    [("a/b.c.yaml", "b.c"), ("C:\\x\\flow.yml", "flow"), ("-", "-"), ("", "workflow")],
)
def test_the_name_is_by_default_that_of_the_file(file, name):
    """A workflow without a name is called by its file's name, without folders and ending."""
    assert load("tasks: [{name: a}]", file=file).name == name


def test_a_definition_pickles_with_its_places():
    """A definition can go to another process and still say where things are."""
    workflow = load(MONITOR, file="f.yaml")

    again = pickle.loads(pickle.dumps(workflow))

    assert again == workflow
    assert (again.file, again.text) == ("f.yaml", MONITOR)
    assert again.place("tasks", 1, "timeout") == workflow.place("tasks", 1, "timeout")
