"""What can be found wrong before a run: each with its place, code, and what to do."""

from __future__ import annotations

from textwrap import dedent

import pytest
from msgspec.structs import replace

import fanwise
from fanwise.actions.decorator import spec_of
from fanwise.catalog import ActionSpec
from fanwise.definition import load
from fanwise.errors import DefinitionError, Diagnostic, UsageError
from fanwise.model import NamedLimit
from fanwise.packs.folders import load_actions
from fanwise.packs.registry import ActionRegistry
from fanwise.plan import Plan, compile_plan
from fanwise.plan.checks import CODES


@fanwise.action("test.greet")
async def greet(name: str, times: int = 1) -> str:
    """Greet someone."""
    return name * times


@fanwise.action(
    "test.send",
    one_of=("text", "file"),
    at_most_one_of=("gzip", ("level", "window")),
    together=("user", "password"),
)
async def send(
    text: str | None = None,
    file: str | None = None,
    gzip: bool | None = None,
    level: int | None = None,
    window: int | None = None,
    user: str | None = None,
    password: str | None = None,
) -> None:
    """Send something."""


@fanwise.action("test.any")
async def anything(**values: object) -> object:
    """Take anything."""
    return values


class AloneInItsFolder(ActionRegistry):
    """Actions, and no workflow that a task could call."""

    def get(self, name: str) -> ActionSpec | None:
        if name.startswith("./"):
            raise UsageError(f"there is no file {name}.")
        return super().get(name)


def registry() -> ActionRegistry:
    found = AloneInItsFolder()
    for function in (greet, send, anything):
        spec = spec_of(function)
        assert spec is not None
        found.add(spec)
    calling = spec_of(anything)
    assert calling is not None
    found.add(replace(calling, name="test.flow", workflow=lambda: plan_of("tasks: []")))
    return found


def plan_of(text: str) -> Plan:
    return compile_plan(
        load(dedent(text).lstrip(), file="flow.yaml"),
        registry(),
        named_limits=[NamedLimit("database", 10)],
    )


def problems_of(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(DefinitionError) as caught:
        plan_of(text)
    return caught.value.problems


WRONG = {
    "missing-action": ("tasks: [{name: a}]", "1:16", "a"),
    "unknown-action": (
        "tasks: [{name: a, action: test.great}]",
        "1:27",
        'Did you mean "test.greet"?',
    ),
    "unknown-workflow": (
        "tasks: [{name: a, action: ./gone.yaml}]",
        "1:27",
        "there is no file ./gone.yaml",
    ),
    "unknown-input": (
        "tasks: [{name: a, action: test.greet, input: {name: x, tims: 2}}]",
        "1:56",
        'Did you mean "times"?',
    ),
    "conflicting-inputs": (
        "tasks: [{name: a, action: test.send, input: {text: a, file: b}}]",
        "1:45",
        'takes only one of "text" or "file"',
    ),
    "unknown-limit": (
        "tasks: [{name: a, action: test.any, limit: databse}]",
        "1:44",
        'Did you mean "database"?',
    ),
    "limit-of-workflow": (
        "tasks: [{name: a, action: test.flow, limit: database}]",
        "1:45",
        "Give the limit to the tasks of that workflow",
    ),
    "missing-input": ("tasks: [{name: a, action: test.greet}]", "1:16", "name"),
    "bad-input": (
        "tasks: [{name: a, action: test.greet, input: {name: x, times: many}}]",
        "1:63",
        "times",
    ),
    "bad-template": (
        'tasks: [{name: a, action: test.any, input: {v: "{{ 1 + }}"}}]',
        None,
        "",
    ),
    "bad-condition": (
        'tasks: [{name: a, action: test.any, when: "{{ 1 }} and {{ 0 }}"}]',
        "1:43",
        "always true",
    ),
    "unknown-task": (
        """
        tasks:
          - {name: build, action: test.any}
          - {name: b, action: test.any, input: {v: "{{ task.biuld.output }}"}}
        """,
        "3:44",
        'Did you mean "build"?',
    ),
    "unknown-parameter": (
        "parameters: {size: {}}\n"
        'tasks: [{name: a, action: test.any, input: {v: "{{ parameters.sise }}"}}]',
        "2:48",
        'Did you mean "size"?',
    ),
    "unknown-part": (
        "parameters: {size: {type: integer}}\n"
        'tasks: [{name: a, action: test.any, input: {v: "{{ parameters.size.width }}"}}]',
        "2:48",
        "is of type integer",
    ),
    "unknown-variable": (
        'vars: {count: 1}\ntasks: [{name: a, action: test.any, input: {v: "{{ vars.conut }}"}}]',
        "2:48",
        'Did you mean "count"?',
    ),
    "secret-recorded": (
        'vars: {v: "{{ secrets.KEY }}"}\ntasks: [{name: a, action: test.any}]',
        "1:11",
        "recorded",
    ),
    "misplaced-name": (
        'tasks: [{name: a, action: test.any, input: {v: "{{ item }}"}}]',
        "1:48",
        "no with-items",
    ),
    "unplaced-task": (
        """
        tasks:
          - {name: a, action: test.any, next: b}
          - {name: b, action: test.any}
          - {name: c, action: test.any}
        """,
        "4:12",
        'Add "needs: [b]"',
    ),
    "unreachable-task": (
        """
        tasks:
          - {name: a, action: test.any}
          - {name: b, action: test.any, next: c}
          - {name: c, action: test.any, next: b}
        """,
        "3:12",
        "nothing leads to the cycle of b, c",
    ),
    "needs-cycle": (
        """
        tasks:
          - {name: a, action: test.any, needs: [c]}
          - {name: b, action: test.any, needs: [a]}
          - {name: c, action: test.any, needs: [b]}
        """,
        "2:41",
        'task "a" needs "c", which comes after it',
    ),
    "needs-and-next": (
        """
        tasks:
          - {name: a, action: test.any, next: c}
          - {name: b, action: test.any, needs: []}
          - {name: c, action: test.any, needs: [b]}
        """,
        "4:33",
        '"a" leads to it with next',
    ),
    "impossible-join": (
        """
        tasks:
          - {name: a, action: test.any, next: b}
          - {name: b, action: test.any, join: 2}
        """,
        "3:33",
        "Use a number up to 1, or all.",
    ),
    "bad-schedule": (
        """
        on: {nightly: {schedule: {cron: "0 2 * * *", timezone: Europe/Berln}}}
        tasks: [{name: a, action: test.any}]
        """,
        "1:56",
        'Did you mean "Europe/Berlin"?',
    ),
    "bad-trigger": (
        """
        on: {hook: {webhook: {path: x, secret: swordfish}}}
        tasks: [{name: a, action: test.any}]
        """,
        "1:40",
        "secrets.HOOK",
    ),
    "waits-with-secret": (
        """
        parameters: {token: {secret: true}}
        on: [{schedule: 5m, name: often}]
        tasks: [{name: a, action: core.wait, timeout: 1h, input: {event: paid}}]
        """,
        "2:1",
        "Name the secret as secrets.NAME",
    ),
    "missing-parameter": (
        """
        parameters: {day: {required: true}}
        on: [{schedule: 5m, name: often}]
        tasks: [{name: a, action: test.any}]
        """,
        "2:27",
        'doesn\'t give the parameter "day"',
    ),
    "template-in-script": (
        'tasks: [{name: a, action: core.shell, input: {script: "rm {{ run.id }}"}}]',
        "1:59",
        "env",
    ),
}


WARNED = {
    "no-deadline": (
        "tasks: [{name: a, action: core.ask, input: {prompt: p}}]",
        "1:16",
        'task "a" waits for ever',
    ),
    "waits-with-secret": (
        """
        parameters: {token: {secret: true}}
        tasks: [{name: a, action: core.wait, timeout: 1h, input: {event: paid}}]
        """,
        "2:16",
        "can't leave the run",
    ),
    "old-variable": (
        """
        vars: {ref: old}
        tasks:
          - {name: a, action: test.any, publish: {ref: new, copy: "{{ vars.ref }}"}}
        """,
        "3:59",
        '"copy" reads the variable "ref" as it was before',
    ),
    "rewritten-number": (
        "tasks: [{name: a, action: test.any, input: {python: 3.10}}]",
        "1:53",
        "YAML reads 3.10 as the number 3.1.",
    ),
    "doubtful-schedule": (
        """
        on: {often: {schedule: "*/7 * * * *"}}
        tasks: [{name: a, action: test.any}]
        """,
        "1:24",
        'Use "every: 7m" for even steps.',
    ),
    "dropped-events": (
        """
        on: {asked: {event: wanted, overlap: skip}}
        tasks: [{name: a, action: test.any}]
        """,
        "1:38",
        "Gather them with batch",
    ),
    "racing-variable": (
        """
        tasks:
          - {name: a, action: test.any, needs: [], publish: {v: 1}}
          - {name: b, action: test.any, needs: [], publish: {v: 2}}
        """,
        "3:12",
        'the value of "b" is kept',
    ),
}


def test_every_code_has_an_example_here() -> None:
    """So that none is added without one."""
    assert WRONG.keys() | WARNED.keys() == CODES.keys()


@pytest.mark.parametrize("code", WARNED)
def test_what_may_not_be_meant_is_a_warning_and_no_error(code: str) -> None:
    """The plan is made, and says so."""
    text, place, part = WARNED[code]
    catalog = load_actions() if "core." in text else registry()
    (problem,) = compile_plan(load(dedent(text).lstrip(), file="flow.yaml"), catalog).warnings
    assert (problem.code, str(problem.place)) == (code, f"flow.yaml:{place}")
    assert part in str(problem)


def test_warnings_are_told_in_the_order_of_the_file() -> None:
    """Whichever part of fanwise finds them."""
    text = """\
    on: {a: {schedule: {every: 1d}}}
    tasks: [{name: a, action: core.ask, input: {prompt: p}}]
    """
    found = compile_plan(load(dedent(text), file="flow.yaml"), load_actions()).warnings
    assert [each.code for each in found] == ["doubtful-schedule", "no-deadline"]


@pytest.mark.parametrize("code", WRONG)
def test_what_is_wrong_is_told_with_place_code_and_remedy(code: str) -> None:
    """The line and column are those of the value at fault."""
    text, place, part = WRONG[code]
    catalog = load_actions() if "core." in text else registry()
    with pytest.raises(DefinitionError) as caught:
        compile_plan(
            load(dedent(text).lstrip(), file="flow.yaml"),
            catalog,
            named_limits=[NamedLimit("database", 10)],
        )
    (problem,) = caught.value.problems
    assert problem.code == code
    assert part in str(problem)
    if place is not None:
        assert str(problem.place) == f"flow.yaml:{place}"


def test_all_problems_of_a_file_are_told_at_once_in_its_order() -> None:
    """Not only the first one."""
    found = problems_of(
        """
        vars: {v: "{{ vars.w }}"}
        tasks:
          - {name: a, action: test.nothing}
          - {name: b, action: test.greet, input: {name: "{{ task.c.output }}"}}
          - {name: c, action: test.any, when: "{{ item }}"}
        output: "{{ task.d.output }}"
        """
    )
    assert [problem.code for problem in found] == [
        "unknown-variable",
        "unknown-action",
        "misplaced-name",
        "misplaced-name",
        "unknown-task",
    ]
    assert [problem.place.line for problem in found] == [1, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ("{}", 'needs "text" or "file"'),
        ("{text: null}", 'needs "text" or "file"'),
        ("{text: 'at {{ run.id }}', file: b}", "takes only one of"),
        ("{text: a, gzip: true, level: 3}", 'only one of "gzip" or "level" and "window"'),
        ("{text: a, user: ada}", 'takes "user" only with "password"'),
    ],
)
def test_inputs_that_break_a_rule_of_the_action_are_a_problem(given: str, part: str) -> None:
    """A text with a template in it is given for sure, and null is not."""
    (problem,) = problems_of(f"tasks: [{{name: a, action: test.send, input: {given}}}]")
    assert problem.code == "conflicting-inputs"
    assert part in problem.message


@pytest.mark.parametrize(
    "given",
    [
        "{text: a, file: null, level: 1, window: 2}",
        "{text: '{{ run.id }}', file: '{{ run.id }}'}",
        "{text: a, user: ada, password: '{{ secrets.KEY }}'}",
    ],
)
def test_inputs_that_may_fit_are_left_to_the_run(given: str) -> None:
    """One of two expressions may be null."""
    plan_of(f"tasks: [{{name: a, action: test.send, input: {given}}}]")


NO_KEYS = {
    "timeout: '{{ kv.n }}'\ntasks: [{name: a, action: test.any}]": "before the run is recorded",
    "dedupe: {key: '{{ kv.n }}', for: 1h}\ntasks: [{name: a, action: test.any}]": "before the run",
    "tasks: [{name: a, action: test.any, on-error: '{{ kv.n }}'}]": "on-error is judged again",
}


@pytest.mark.parametrize("text", NO_KEYS)
def test_a_key_is_read_only_where_its_reading_is_recorded(text: str) -> None:
    """Elsewhere a run could see another value when it is taken up."""
    (problem,) = problems_of(text)
    assert problem.code == "misplaced-name"
    assert NO_KEYS[text] in problem.message


def test_the_keys_that_a_task_reads_are_known() -> None:
    """Wherever its templates name them."""
    plan = plan_of(
        """
        vars: {x: "{{ kv.v }}"}
        tasks:
          - name: a
            action: test.any
            when: "{{ kv.b }}"
            with-items: "{{ kv['c/d'].list }}"
            concurrency: "{{ kv.e }}"
            publish: {y: "{{ kv.f }}"}
            input: {v: ["{{ kv.g }} {{ kv.b }}"]}
            retry: {count: 1, when: "{{ kv.h }}"}
            label: "{{ kv.l }}"
            next: [{when: "{{ kv.i }}", do: b, publish: {z: "{{ kv.j }}"}}]
          - {name: b, action: test.any}
        output: "{{ kv.o }}"
        """
    )
    assert plan.keys == ("o", "v")
    assert plan.tasks[0].keys == ("b", "c/d", "e", "f", "g", "h", "i", "j", "l")


IMPOSSIBLE = [
    ("x: '{{ run.sttus }}'", 'no "sttus"'),
    ("x: '{{ run.id.day }}'", 'run.id has no parts, and no "day"'),
    ("x: '{{ index.first }}'", 'index has no parts, and no "first"'),
    ("x: '{{ task.one.items.errors }}'", "task.one.items has total, succeeded, failed"),
    ("x: '{{ task.one.errors }}'", "Failed items with their errors are task.one.failures."),
    ("x: '{{ task.one.error.mesage }}'", 'Did you mean "message"?'),
    ("x: '{{ task.one.error.type.name }}'", "task.one.error.type has no parts"),
    ('x: \'{{ task["one"]["error"]["kind"] }}\'', 'no "kind"'),
    ("x: '{{ task.plain.items.failed }}'", 'task "plain" has no with-items'),
    ("x: '{{ task.one.status == \"suceeded\" }}'", 'Did you mean "succeeded"?'),
    ("x: '{{ \"done\" != task.one.status }}'", '"done" is no status'),
    ('x: \'{{ task.one.status in ["failed", "over"] }}\'', '"over" is no status'),
    ("x: '{{ \"over\" in [task.one.status, task.plain.status] }}'", '"over" is no status'),
    ("x: '{{ item.hosst }}'", 'Did you mean "host"?'),
    ("x: '{{ task.one.failures[0].labl }}'", "task.one.failures[0] has index, label, item, error"),
    ("x: '{{ (task.one.failures | sort | first).erorr }}'", 'Did you mean "error"?'),
    ("x: '{{ task.one.failures | map(attribute=\"labl\") }}'", 'Did you mean "label"?'),
    ("x: '{{ task.one.failures | sort(attribute=\"index,error.typ\") }}'", 'Did you mean "type"?'),
    ("x: '{% for f in task.one.failures[:9] %}{{ f.erorr }}{% endfor %}'", 'no "erorr"'),
    ("x: '{% set r = run %}{{ r.nope }}'", "r has id, started_at"),
]
"""Inputs of a task that name what can't exist, each with a part of the problem."""


@pytest.mark.parametrize(("entry", "part"), IMPOSSIBLE)
def test_a_name_that_can_never_exist_is_a_problem_at_any_depth(entry: str, part: str) -> None:
    """Whatever the run does, the template would fail."""
    (problem,) = problems_of(
        f"""
        tasks:
          - {{name: one, action: test.any, with-items: [1]}}
          - {{name: plain, action: test.any}}
          - {{name: b, action: test.any, with-items: {{host: [a], port: [1]}}, input: {{{entry}}}}}
        """
    )
    assert part in str(problem)


@pytest.mark.parametrize(
    ("condition", "part"),
    [
        ("run.status == 'blocked'", '"blocked" is no status. There are succeeded, failed, cancel'),
        ("run.status == 'sucess'", "There are succeeded, failed, cancelled."),
        ("run.cause.type == 'canceled'", '"canceled" is no type of a cause. Did you mean "canc'),
    ],
)
def test_a_run_ends_in_one_of_three_ways_for_one_of_three_causes(condition: str, part: str) -> None:
    """Another text is never equal to either."""
    text = f"""
        tasks: [{{name: one, action: test.any}}]
        output: "{{{{ {condition} }}}}"
        """
    (problem,) = problems_of(text)
    assert part in str(problem)


POSSIBLE = [
    "{{ run.id.upper() }} {{ run.started_at[:10] }} {{ task.one.status[0] }}",
    "{{ task.one.error.data.body.first }} {{ task.one.output.total.x }}",
    "{{ task.one.status in ['failed', 'skipped'] }} {{ task.one.error.type == 'Gone' }}",
    "{{ item.host.name }} {{ item.port }} {{ item.keys() }}",
    "{{ task.one.failures[0].item.x }} {{ task.one.failures | map(attribute='error.data.x') }}",
    "{% for f in task.one.failures %}{{ f.error.type }}{% else %}{% set f = 1 %}{% endfor %}",
    "{% set r = run %}{% if index %}{% set r = task.one.output %}{% endif %}{{ r.nope }}",
    "{% for run in item %}{{ run.nope }}{% endfor %}{{ run.keys() }}",
]


@pytest.mark.parametrize("text", POSSIBLE)
def test_a_name_that_may_exist_is_left_to_the_run(text: str) -> None:
    """What a result, an item or an error's data holds is known then only."""
    plan_of(
        f"""
        tasks:
          - {{name: one, action: test.any, with-items: [1]}}
          - name: b
            action: test.any
            with-items: {{host: [a], port: [1]}}
            input:
              x: >-
                {text}
        """
    )


@pytest.mark.parametrize(
    ("items", "part"),
    [
        ("with-items: {range: 3}", 'an item of "range" is a number'),
        ("with-items: {lines: hosts.txt}", 'an item of "lines" is text'),
        ("with-items: {jsonl: a.jsonl}, batch-size: 5", "with batch-size `item` is a list"),
    ],
)
def test_an_item_without_parts_is_known_by_its_source(items: str, part: str) -> None:
    """A name in it can't exist, whatever the file holds."""
    (problem,) = problems_of(
        f"tasks: [{{name: a, action: test.any, {items}, input: {{v: '{{{{ item.name }}}}'}}}}]"
    )
    assert problem.code == "unknown-part"
    assert part in str(problem)


@pytest.mark.parametrize("source", ["task.a.failures", "task.a.failures | reverse | list"])
def test_an_item_of_failures_has_the_parts_of_a_failure(source: str) -> None:
    """At any depth that is fixed; the failed item itself may be anything."""
    wrong = problems_of(
        f"""
        tasks:
          - {{name: a, action: test.any, with-items: [1], on-error: continue}}
          - name: b
            action: test.any
            with-items: "{{{{ {source} }}}}"
            label: "{{{{ item.item.host }}}} {{{{ item.lable }}}}"
            input: {{v: "{{{{ item.error.message }}}} {{{{ item.error.mesage }}}}"}}
        """
    )
    assert sorted((problem.code, problem.message) for problem in wrong) == [
        ("unknown-part", 'item has index, label, item, error, and no "lable".'),
        ("unknown-part", 'item.error has type, message, data, and no "mesage".'),
    ]


def test_naming_a_later_task_says_which_can_be_named() -> None:
    (problem,) = problems_of(
        """
        tasks:
          - {name: a, action: test.any, input: {v: "{{ task.b.output }}"}}
          - {name: b, action: test.any}
        """
    )
    assert 'task "b" has not ended' in problem.message


def test_a_task_that_names_itself_in_publish_is_told_of_result() -> None:
    (problem,) = problems_of(
        'tasks: [{name: a, action: test.any, publish: {v: "{{ task.a.output }}"}}]'
    )
    assert "result()" in problem.hint


def test_item_in_when_suggests_select() -> None:
    (problem,) = problems_of(
        'tasks: [{name: a, action: test.any, with-items: [1], when: "{{ item > 1 }}"}]'
    )
    assert "select" in problem.message


def test_results_can_be_named_only_after_a_task() -> None:
    (problem,) = problems_of('tasks: [{name: a, action: test.any, when: "{{ succeeded() }}"}]')
    assert problem.code == "misplaced-name"
    assert "succeeded()" in problem.message


def test_without_a_catalog_actions_are_not_looked_up() -> None:
    """What `validate --no-import` does: the rest is still checked."""
    text = "tasks: [{name: a, action: no.such, input: {v: '{{ task.b.output }}'}}]"
    with pytest.raises(DefinitionError) as caught:
        compile_plan(load(text, file="flow.yaml"), None)
    assert [problem.code for problem in caught.value.problems] == ["unknown-task"]


def test_an_input_that_all_items_share_is_told_apart_from_those_that_differ() -> None:
    """Invariant 2 rests on it."""
    plan = plan_of(
        """
        parameters: {p: {}}
        tasks:
          - {name: a, action: test.any, with-items: [1],
             input: {shared: "{{ parameters.p }}", own: ["{{ item }}"], place: "{{ index }}"}}
        """
    )
    differs = {entry.name: entry.value.differs_by_item for entry in plan.tasks[0].inputs}
    assert differs == {"shared": False, "own": True, "place": True}


def test_a_problem_in_a_block_of_text_points_into_the_block() -> None:
    """At the line of the template, not at the bar."""
    (problem,) = problems_of(
        """
        tasks:
          - name: a
            action: test.any
            input:
              text: |
                first line
                second {{ 1 + }}
        """
    )
    assert problem.place.line == 7


def test_the_secrets_that_a_workflow_uses_are_known() -> None:
    plan = plan_of(
        'tasks: [{name: a, action: test.any, input: {v: "{{ secrets.B }}{{ secrets.A }}"}}]'
    )
    assert plan.secrets == ("A", "B")


def test_without_a_catalog_the_scripts_of_the_core_pack_are_known() -> None:
    """What is no template isn't compiled as one; the table agrees with the pack."""
    from fanwise.catalog import CORE_SCRIPTS
    from fanwise.packs.folders import load_actions

    text = "tasks: [{name: a, action: core.shell, input: {script: 'echo ${#x} {{.Names}}'}}]"
    (entry,) = compile_plan(load(text, file="flow.yaml"), None).tasks[0].inputs
    assert entry.value.raw == "echo ${#x} {{.Names}}"
    core = load_actions()
    specs = [spec for name in core.names() if (spec := core.get(name)) is not None]
    fields = [(spec.name, field) for spec in specs for field in spec.fields.values()]
    assert {(name, field.name) for name, field in fields if field.is_script} == CORE_SCRIPTS


def test_a_variable_that_is_made_of_its_own_old_value_is_no_warning() -> None:
    """As a counter is."""
    plan = plan_of(
        """
        vars: {n: 0}
        tasks: [{name: a, action: test.any, publish: {n: "{{ vars.n + 1 }}", m: 1}}]
        """
    )
    assert not plan.warnings


def test_a_template_that_cannot_be_compiled_is_one_problem() -> None:
    """And none of the input that it would have given."""
    (problem,) = problems_of("tasks: [{name: a, action: test.greet, input: {name: '{{ 1 + }}'}}]")
    assert problem.code == "bad-template"


@pytest.mark.parametrize(
    ("template", "remedy"),
    [
        ("now()", "run.started_at"),
        ("env.HOME", "declare a parameter"),
        ("steps.a", "task.NAME.output"),
        ("params.x", "parameters.NAME"),
    ],
)
def test_a_name_that_other_tools_have_is_told_what_to_write(template: str, remedy: str) -> None:
    """A name of fanwise's that merely looks like it would mislead."""
    (problem,) = problems_of(
        f"tasks: [{{name: a, action: test.any, input: {{v: '{{{{ {template} }}}}'}}}}]"
    )
    assert remedy in problem.hint


def test_an_input_that_other_tools_have_is_told_what_is_meant() -> None:
    """`cmd` is `command`, though `cwd` looks more like it; one slip is one problem."""
    from fanwise.packs.folders import load_actions

    text = "tasks: [{name: a, action: core.shell, input: {cmd: ls}}]"
    with pytest.raises(DefinitionError) as caught:
        compile_plan(load(text, file="flow.yaml"), load_actions())
    (problem,) = caught.value.problems
    assert problem.hint == 'Did you mean "command"?'


def test_an_unplaced_task_is_told_which_task_turned_the_order_off() -> None:
    """One `next` in a file does so for all tasks."""
    (problem,) = problems_of(WRONG["unplaced-task"][0])
    assert 'since task "a" has "next"' in problem.message


@pytest.mark.parametrize(
    "written", ["3.10", "0755", "1e3", "1.0E5", "+49", "-007", "0.12345678901234567890", "00", "-0"]
)
def test_a_number_that_yaml_writes_otherwise_is_warned_of_wherever_text_may_be_meant(
    written: str,
) -> None:
    """Anywhere in a value of the workflow's own, once each, and not if it is quoted."""
    plan = plan_of(
        f"""
        parameters: {{p: {{default: {written}}}, q: {{choices: ['{written}', {written}]}}}}
        vars: {{v: &v [{written}], w: *v, u: '{written}'}}
        tasks:
          - name: a
            action: test.any
            with-items: [{written}]
            input: {{i: {{deep: [{written}, "{{{{ item }}}}"]}}}}
            publish: {{x: {written}}}
            next: {{do: b, publish: {{y: {written}}}}}
          - {{name: b, action: test.any, needs: [], when: true, delay: 0.10, timeout: 1e3}}
        finally: [{{name: c, action: test.any, input: {{i: {written}}}}}]
        output: {{o: {written}}}
        """.replace(", needs: []", "")
    )
    warnings = [each for each in plan.warnings if each.code == "rewritten-number"]
    assert [each.place.line for each in warnings] == [1, 1, 2, 6, 7, 8, 9, 11, 12]
    assert all(each.message.startswith(f"YAML reads {written} as") for each in warnings)
    assert all("in quotes" in each.hint for each in warnings)


@pytest.mark.parametrize(
    "written",
    ["3.1", "755", "0", "-1", "0.5", ".5", "5.", "2.0", "0x1F", "0o17", "3.10.1", "1e+16"],
)
def test_a_number_that_stays_as_it_is_written_is_not_warned_of(written: str) -> None:
    """Nor are those that nobody writes but for numbers."""
    plan = plan_of(f"tasks: [{{name: a, action: test.any, input: {{i: {written}}}}}]")
    assert plan.warnings == ()


def test_where_only_numbers_are_taken_only_leading_zeros_are_warned_of() -> None:
    """So it is for a parameter that is declared as a number, and by the types of an action."""
    plan = plan_of("""
        parameters:
          a: {type: number, default: 2.50}
          b: {type: integer, default: 0755}
        tasks:
          - {name: n, action: test.send, input: {text: x, level: +5}}
          - {name: o, action: test.send, input: {text: x, level: 010}}
        """)
    assert [str(each.place) for each in plan.warnings] == ["flow.yaml:3:31", "flow.yaml:6:58"]
