"""The keys that order tasks, and how what is written short becomes what is written out."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.definition import TransitionDefinition, WorkflowDefinition, load
from fanwise.errors import Place
from fanwise.values import FrozenDict

ORDER = Path(__file__).with_name("order.yaml").read_text()


def one_task(keys: str) -> WorkflowDefinition:
    return load(f"tasks:\n  - {{name: a, {keys}}}\n", file="a.yaml")


def transitions(keys: str) -> tuple[TransitionDefinition, ...] | None:
    return one_task(keys).tasks[0].next


def test_every_key_of_the_example_arrives():
    """Each key that orders tasks has the value that it means."""
    workflow = load(ORDER, file="f.yaml")
    build, test, scan, repair, release, lint, announce, count = workflow.tasks

    assert build.next == (
        TransitionDefinition(
            when="{{ succeeded() and result().code == 200 }}",
            publish={"image": "{{ result().image }}"},
            do=["test", "scan"],
        ),
        TransitionDefinition(when="{{ failed() }}", do=["repair"]),
    )
    assert test.retry is not None
    assert test.retry.until == "{{ result().state == 'done' }}"
    assert (scan.batch_size, scan.rate) == (100, 100)
    assert repair.max_visits == 3
    assert release.join == "all"
    assert release.next == (TransitionDefinition(when="{{ failed() }}", do=["fail"]),)
    assert (lint.needs, announce.needs, count.needs) == (
        (),
        ("release", "lint"),
        ("announce",),
    )
    assert [task.name for task in workflow.finally_] == ["clean_up", "report"]
    assert workflow.finally_[0].on_error == "continue"


def test_what_is_not_said_can_be_told_from_what_is():
    """No `needs` isn't `needs: []`, and a transition without `when` isn't `when: true`."""
    (task,) = load("tasks: [{name: a}]", file="a").tasks

    assert (task.needs, task.next, task.join, task.max_visits) == (None, None, None, 10_000)
    assert (task.rate, task.batch_size) == (None, None)
    assert one_task("needs: []").tasks[0].needs == ()
    assert transitions("next: []") == ()
    assert [each.when for each in transitions("next: [{do: b}, {when: true, do: b}]")] == [
        None,
        True,
    ]
    assert one_task("retry: {count: 1}").tasks[0].retry.until is None
    assert load("tasks: [{name: a}]", file="a").finally_ == ()


@pytest.mark.parametrize(
    ("short", "written_out"),
    [
        ("needs: b", "needs: [b]"),
        ("next: b", "next: [{do: [b]}]"),
        ("next: [b]", "next: [{do: [b]}]"),
        ("next: [b, c]", "next: [{do: [b, c]}]"),
        ("next: fail", "next: [{do: [fail]}]"),
        ("next: {do: b}", "next: [{do: [b]}]"),
        ("next: {when: true, do: [b]}", "next: [{when: true, do: [b]}]"),
        ("next: [{do: b}, {do: c}]", "next: [{do: [b]}, {do: [c]}]"),
    ],
)
def test_short_forms_mean_what_is_written_out(short, written_out):
    """One name stands for a list of one, names for a transition, a transition for a list of one."""
    assert one_task(short).tasks == one_task(written_out).tasks


@pytest.mark.parametrize(
    ("keys", "path", "column"),
    [
        ("needs: [b, c]", ("needs", 1), 26),
        ("needs: b", ("needs", 0), 22),
        ("next: [{do: b}, {when: true, do: [c, d]}]", ("next", 1, "do", 1), 52),
        ("next: [{do: b}, {when: true, do: [c, d]}]", ("next", 1, "when"), 38),
        ("next: {do: [b, c]}", ("next", 0), 21),
        ("next: {do: [b, c]}", ("next", 0, "do", 1), 30),
        ("next: {do: b}", ("next", 0, "do", 0), 26),
        ("next: [b, c]", ("next", 0, "do", 1), 25),
        ("next: b", ("next", 0, "do", 0), 21),
        ("next: b", ("next", 0, "when"), 21),
    ],
)
def test_each_name_has_its_place(keys, path, column):
    """The place of a name is where it is written, in whichever form."""
    assert one_task(keys).place("tasks", 0, *path) == Place("a.yaml", 2, column)


def test_places_under_finally_are_found():
    """Tasks that run at the end have their places, like any others."""
    workflow = load("tasks: [{name: a}]\nfinally:\n  - name: b\n    when: true\n", file="a")

    assert workflow.place("finally", 0, "name") == Place("a", 3, 11)
    assert workflow.key_place("finally", 0, "when") == Place("a", 4, 5)
    assert workflow.key_place("finally") == Place("a", 2, 1)


def test_short_forms_in_an_alias_mean_the_same_each_time():
    """What an anchor holds is written out for each task, and stays what it is elsewhere."""
    workflow = load(
        "vars: {who: &who b, all: &all [b, c]}\n"
        "tasks: [{name: a, needs: *who, next: *all}, {name: d, needs: *all, next: *who}]",
        file="a",
    )
    first, second = workflow.tasks

    assert workflow.vars == {"who": "b", "all": ["b", "c"]}
    assert (first.needs, second.needs) == (("b",), ("b", "c"))
    assert [each.do for each in (*first.next, *second.next)] == [("b", "c"), ("b",)]
    assert workflow.place("tasks", 0, "next", 0, "do", 1) == Place("a", 1, 35)


@pytest.mark.parametrize(
    ("keys", "join"), [("join: all", "all"), ("join: 1", 1), ("join: 100000", 100_000)]
)
def test_a_task_can_join_all_or_some_of_what_leads_to_it(keys, join):
    """`join` is `all` or a number."""
    assert one_task(keys).tasks[0].join == join


@pytest.mark.parametrize(
    ("key", "field"),
    [("rate", "rate"), ("batch-size", "batch_size")],
)
def test_what_is_counted_may_be_a_template(key, field):
    """A template is kept as it is written, to be compiled later."""
    task = one_task(f'with-items: [1], {key}: "{{{{ vars.x }}}}"').tasks[0]

    assert getattr(task, field) == "{{ vars.x }}"


def test_a_transition_may_be_judged_by_a_literal():
    """`when: false` turns a transition off without removing it."""
    (transition,) = transitions("next: {when: false, do: b}")

    assert transition.when is False


def test_what_a_transition_publishes_is_shared():
    """Variables of a transition are frozen, and blank ones are none."""
    (transition,) = transitions("next: {publish: {x: [1]}, do: b}")
    (blank,) = transitions("next: {publish: , do: b}")

    assert type(transition.publish) is FrozenDict
    assert blank.publish == {}


@pytest.mark.parametrize(
    "keys",
    [
        "with-items: {csv: f}, tolerate: 5, on-item-error: stop",
        "with-items: {csv: f}, tolerate: 5%",
        "with-items: {csv: f}, tolerate: 5%, on-item-error: continue",
        "with-items: {csv: f}, tolerate: '{{ 7 % 3 }}', on-item-error: stop",
        "with-items: {range: 9}, tolerate: 5%, on-item-error: stop",
        "with-items: [1, 2], tolerate: 5%, on-item-error: stop",
    ],
)
def test_a_stop_at_a_percentage_needs_only_a_number_of_items(keys):
    """What can be judged before the last item has been read is taken."""
    assert one_task(keys).tasks[0].has_items


names = st.sampled_from(["a", "b", "c", "fail"])


@settings(deadline=None)
@given(st.lists(st.lists(names, min_size=1, unique=True), min_size=1))
def test_what_leads_where_does_not_depend_on_how_it_is_written(targets):
    """Written short or out, in any mix, the same tasks follow."""
    long = [f"{{do: [{', '.join(each)}]}}" for each in targets]
    short = [f"{{do: {each[0]}}}" if len(each) == 1 else long[n] for n, each in enumerate(targets)]

    assert transitions(f"next: [{', '.join(long)}]") == transitions(f"next: [{', '.join(short)}]")
    assert [each.do for each in transitions(f"next: [{', '.join(short)}]")] == [
        tuple(each) for each in targets
    ]
