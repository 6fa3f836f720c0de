"""What is said of workflow files with problems: place, code, and the culprit by name."""

import re

import pytest

from fanwise.definition import CODES, did_you_mean, load, nearest
from fanwise.definition.project import load_project
from fanwise.errors import DefinitionError, Diagnostic
from fanwise.model import Limits, NamedLimit


def problems_of(text: str | bytes, limits: Limits = Limits()) -> tuple[Diagnostic, ...]:  # noqa: B008
    with pytest.raises(DefinitionError) as caught:
        load(text, file="flow.yaml", limits=limits)
    return caught.value.problems


def told(problem: Diagnostic) -> str:
    return f"{problem.place.line}:{problem.place.column} {problem.code}"


TASK = "tasks: [{name: a}]\n"

# One workflow per row that has exactly one problem; then where and which, and what its text holds.
ONE_PROBLEM = [
    # YAML
    (b"\xff\xfet\0", "1:1 bad-encoding", "UTF-16"),
    (b"tasks:\n  - name: \xc3", "2:11 bad-encoding", "0xC3"),
    ("tasks: \x07", "1:8 bad-encoding", "U+0007"),
    ("tasks: \ud800", "1:8 bad-encoding", "U+D800"),
    ("tasks:\n  - name: a\n   b: 1\n", "3:4 bad-yaml", "list"),
    ("tasks:\n\t- name: a\n", "2:1 bad-yaml", "Use spaces"),
    ("tasks: [{name: 'a\n", "1:18 bad-yaml", "starts at 1:16. Close the quotes"),
    ("vars: {x: a}\nname: b: c\n", "2:8 bad-yaml", "Quote the text"),
    ("vars: &a [*a]\n", "1:11 bad-yaml", '"*a"'),
    ("vars: *b\n", "1:7 bad-yaml", '"*b"'),
    (TASK + "vars: {1: x}\n", "2:8 bad-key", "quotes"),
    (TASK + "vars: {null: x}\n", "2:8 bad-key", "quotes"),
    (TASK + "vars: {[a]: x}\n", "2:8 bad-key", "text"),
    (TASK + "vars: {<<: {a: 1}}\n", "2:8 bad-key", '"<<"'),
    (TASK + "vars: {x: !!python/object:os.x y}\n", "2:11 bad-tag", "!!python/object:os.x"),
    (TASK + "vars: {x: !mine [1]}\n", "2:11 bad-tag", "!mine"),
    (TASK + "vars: {x: !!int five}\n", "2:11 bad-tag", "!!int"),
    (TASK + "vars: {x: .nan}\n", "2:11 bad-value", "finite"),
    (TASK + "vars: {x: 1e999}\n", "2:11 bad-value", "too large"),
    (TASK + f"vars: {{x: {'9' * 3001}}}\n", "2:11 bad-value", "3,000 digits"),
    (TASK + 'vars: {x: "a\\0"}\n', "2:11 bad-value", "NUL"),
    (TASK + 'vars: {x: !!str "a\\0"}\n', "2:11 bad-value", "NUL"),
    (
        TASK + "vars: {x: 1, x: 2}\n",
        "2:14 duplicate-key",
        '"x" stands twice in this map, first at 2:8',
    ),
    (TASK + "vars: {x: {{ run.id }}}\n", "2:11 unquoted-template", "{{ run.id }}"),
    (TASK + "vars:\n  x: {{ run.id }}/b\n", "3:6 unquoted-template", "{{ run.id }}"),
    (TASK + "vars:\n  x: {{ a['b'] }}\n", "3:6 unquoted-template", "{{ a['b'] }}"),
    (TASK + "vars:\n  x: {% if a %}b{% endif %}\n", "3:6 unquoted-template", "{% if a %}"),
    (TASK + "vars:\n  x:\n    - {{ 5 }}\n", "4:7 unquoted-template", "{{ 5 }}"),
    ("tasks: [{name: a, with-items: {{ vars.x }}}]", "1:31 unquoted-template", "quotes"),
    ("vars: " + "[" * 100 + "]" * 100, "1:106 too-deep", "100 levels"),
    ("vars: [" + "0," * 1_000_000 + "]", "1:2000002 too-many-nodes", "1,000,000"),
    # the whole
    ("", "1:1 not-a-workflow", "A workflow looks like this: tasks:"),
    ("# nothing\n", "1:1 not-a-workflow", "empty"),
    ("- name: a\n", "1:1 not-a-workflow", "A workflow looks like this: tasks:"),
    ("hello", "1:1 not-a-workflow", '"hello"'),
    ("---", "1:1 not-a-workflow", "empty"),
    ("workflow:", "1:10 not-a-workflow", "null, not a map"),
    ("workflow: [a]", "1:11 not-a-workflow", "a list"),
    (TASK + "---\n" + TASK, "2:1 not-a-workflow", "second YAML document"),
    ("name: a\n", "1:1 missing-key", 'no "tasks". A workflow looks like this'),
    ("workflow:\n  name: a\n", "2:3 missing-key", '"tasks"'),
    ("tasks: []\n", "1:8 bad-value", '"tasks" is empty'),
    ("tasks:\n", "1:7 bad-type", '"tasks" takes a list, not null'),
    ("tasks: {a: {action: x.y}}\n", "1:8 bad-type", "- name: first"),
    (TASK + "concurrency: 0\n", "2:14 bad-value", '"limit" of "concurrency" takes a whole'),
    (TASK + "concurrency: some\n", "2:14 bad-value", "takes a whole number from 1"),
    (TASK + "concurrency: {key: x}\n", "2:14 missing-key", '"concurrency" has no "limit"'),
    (TASK + "concurrency: {limit: 1, max: 2}\n", "2:25 unknown-key", 'Did you mean "limit"?'),
    (TASK + "concurrency: {limit: 1, when_full: no}\n", "2:36 bad-value", "queue, skip, cancel"),
    (
        TASK + "concurrency: {limit: 1, when_full: skip, when-full: skip}\n",
        "2:42 duplicate-key",
        "the same key",
    ),
    (TASK + "priority: 101\n", "2:11 bad-value", "from -100 to 100"),
    (TASK + "dedupe: order\n", "2:9 bad-type", 'Write a map such as {key: "{{ parameters'),
    (TASK + "dedupe: {key: a}\n", "2:9 missing-key", 'has no "for"'),
    (TASK + "dedupe: {key: a, for: soon}\n", "2:23 bad-value", "takes a duration"),
    (TASK + "timeout: soon\n", "2:10 bad-value", '"timeout" takes a duration such as 500ms'),
    (TASK + "name: 5\n", "2:7 bad-type", '"name" takes text, not 5'),
    (TASK + "name: ' '\n", "2:7 bad-value", '"name" takes a text that isn\'t empty'),
    (TASK + "vars: [a]\n", "2:7 bad-type", '"vars" takes a map, not a list'),
    (TASK + "vars: {a-b: 1}\n", "2:8 bad-name", 'the name of a variable can\'t be "a-b"'),
    # tasks
    ("tasks: [a]", "1:9 bad-type", 'task 1 takes a map, not "a"'),
    ("tasks: [{action: core.noop}]", "1:9 missing-key", 'task 1 has no "name"'),
    ("tasks: [{name: my task}]", "1:16 bad-name", '"my task"'),
    ("tasks: [{name: 1a}]", "1:16 bad-name", "begins with no digit"),
    ("tasks: [{name: fail}]", "1:16 reserved-name", '"fail"'),
    (
        "tasks:\n- name: a\n- name: b\n- name: a\n",
        "4:9 duplicate-task",
        '"a" is there already, at 2:9',
    ),
    ("tasks: [&a {name: a}, *a]", "1:19 duplicate-task", '"a" is there already'),
    ("tasks: [{name: a, action: '{{ x }}'}]", "1:27 bad-value", "no template"),
    ("tasks: [{name: a, action: [x]}]", "1:27 bad-type", '"action" of task "a" takes text'),
    ("tasks: [{name: a, input: '{{ x }}'}]", "1:26 bad-type", "Give each input by its name"),
    (
        "tasks: [{name: a, when: x == 1}]",
        "1:25 bad-value",
        'template such as "{{ ... }}", not "x == 1"',
    ),
    ("tasks: [{name: a, publish: {a.b: 1}}]", "1:29 bad-name", 'Write "a_b"'),
    ("tasks: [{name: a, on-error: no}]", "1:29 bad-value", 'fail or continue, not "no"'),
    ("tasks: [{name: a, timeout: }]", "1:28 bad-value", "not null"),
    ("tasks: [{name: a, delay: -1}]", "1:26 bad-value", '"delay" of task "a" takes a duration'),
    # items
    ("tasks: [{name: a, with-items: 5}]", "1:31 with-items-not-a-list", "not 5"),
    ("tasks: [{name: a, with-items: x}]", "1:31 with-items-not-a-list", 'not "x"'),
    ("tasks: [{name: a, with-items: }]", "1:31 with-items-not-a-list", "not null"),
    ("tasks: [{name: a, with-items: {h: [1], p: 5}}]", "1:43 with-items-not-a-list", '"p"'),
    ("tasks: [{name: a, with-items: {}}]", "1:31 bad-with-items", "empty map"),
    ("tasks: [{name: a, with-items: {csv: f, h: [1]}}]", "1:40 bad-with-items", '"csv"'),
    ("tasks: [{name: a, with-items: {csv: f, delimter: x}}]", "1:40 bad-with-items", "delimiter"),
    ("tasks: [{name: a, with-items: {csv: f, delimiter: '||'}}]", "1:51 bad-with-items", "or tab"),
    ("tasks: [{name: a, with-items: {csv: f, header: [a, a]}}]", "1:48 bad-with-items", "names"),
    ("tasks: [{name: a, with-items: {lines: f, encoding: rot13}}]", "1:52 bad-with-items", "rot13"),
    ("tasks: [{name: a, with-items: {jsonl: f, header: false}}]", "1:42 bad-with-items", "options"),
    ("tasks: [{name: a, with-items: {range: 3, encoding: u8}}]", "1:42 bad-with-items", "alone"),
    ("tasks: [{name: a, with-items: {files: 5}}]", "1:39 bad-with-items", "pattern of paths"),
    ("tasks: [{name: a, with-items: {csv: f, jsonl: g}}]", "1:31 bad-with-items", "alone"),
    ("tasks: [{name: a, with-items: {range: x}}]", "1:39 bad-with-items", '"range"'),
    ("tasks: [{name: a, with-items: {range: {start: 1}}}]", "1:39 bad-with-items", "range(1, 101)"),
    ("tasks: [{name: a, with-items: {csv: {path: f}}}]", "1:37 bad-with-items", "options beside"),
    ("tasks: [{name: a, with-items: {glob: f}}]", "1:38 with-items-not-a-list", "streams are"),
    ("tasks: [{name: a, with-items: {lines: 5}}]", "1:39 bad-with-items", "path of a file, not 5"),
    ("tasks: [{name: a, with-items: {h: [1], p: [1, 2]}}]", "1:31 bad-with-items", '"p" 2'),
    ("tasks: [{name: a, with_items: [1], concurrency: 0}]", "1:49 bad-value", "1 to 100000, not 0"),
    ("tasks: [{name: a, with-items: [1], tolerate: 200%}]", "1:46 bad-value", '5%, not "200%"'),
    (
        "tasks: [{name: a, label: x}]",
        "1:19 needs-with-items",
        'Add "with-items", or remove "label"',
    ),
    ("tasks: [{name: a, keep_output: all}]", "1:19 needs-with-items", '"keep_output" of task "a"'),
    ("tasks: [{name: a, on_error: fail, on-error: fail}]", "1:35 duplicate-key", '"on_error"'),
    ("tasks: [{name: a, rate: 5/s}]", "1:19 needs-with-items", 'Add "with-items"'),
    ("tasks: [{name: a, batch_size: 5}]", "1:19 needs-with-items", '"batch_size" of task "a"'),
    ("tasks: [{name: a, with-items: [1], bad-records: skip}]", "1:36 conflicting-keys", "jsonl"),
    ("tasks: [{name: a, bad-records: skip}]", "1:19 needs-with-items", "bad-records"),
    (
        "tasks: [{name: a, with-items: {files: '*'}, bad_records: skip}]",
        "1:45 conflicting-keys",
        '"bad_records" of task "a"',
    ),
    (
        "tasks: [{name: a, with-items: {csv: f}, bad-records: drop}]",
        "1:54 bad-value",
        "fail, skip or tolerate",
    ),
    ("tasks: [{name: a, with-items: [1], rate: fast}]", "1:42 bad-value", "100/s, 6000/m or 10/h"),
    ("tasks: [{name: a, with-items: [1], rate: }]", "1:42 bad-value", "not null"),
    ("tasks: [{name: a, with-items: [1], batch-size: 0}]", "1:48 bad-value", "1 to 100000, not 0"),
    (
        "tasks: [{name: a, with-items: {csv: f}, tolerate: 5%, on_item_error: stop}]",
        "1:55 conflicting-keys",
        '"on_item_error" of task "a" can\'t stop at "5%"',
    ),
    # order
    ("tasks: [{name: a, needs: 5}]", "1:26 bad-type", "name of a task or a list of names, not 5"),
    ("tasks: [{name: a, needs: }]", "1:26 bad-type", "or a list such as [fetch, filter]"),
    ("tasks: [{name: a, needs: {b: 1}}]", "1:26 bad-type", "a map"),
    ("tasks: [{name: a, needs: [b, 5]}]", "1:30 bad-type", '"needs" of task "a" takes names'),
    ("tasks: [{name: a, needs: [b, [c]]}]", "1:30 bad-type", "names of tasks, not a list"),
    ("tasks: [{name: a, needs: '{{ x }}'}]", "1:26 bad-value", "no template"),
    ("tasks: [{name: a, needs: my task}]", "1:26 bad-name", 'can\'t name "my task": a name is'),
    ("tasks: [{name: a, needs: [b-c]}]", "1:27 bad-name", 'Write "b_c".'),
    ("tasks: [{name: a, needs: [fail]}]", "1:27 reserved-name", "Write next: fail on the task"),
    ("tasks: [{name: a, needs: [b, c, b]}]", "1:33 duplicate-name", 'names "b" twice'),
    ("tasks: [{name: a, needs: [b, a]}]", "1:30 needs-itself", 'task "a" needs itself'),
    ("tasks: [{name: a, needs: a}]", "1:26 needs-itself", 'led back to with "next"'),
    (
        "tasks: [{name: a, next: [{do: b, message: no}]}, {name: b}]",
        "1:34 conflicting-keys",
        "or write do: fail",
    ),
    ("tasks: [{name: a, needs: [b], join: all}]", "1:31 conflicting-keys", 'Remove "join"'),
    ("tasks: [{name: a, join: any}]", "1:25 bad-value", 'number from 1, or all, not "any"'),
    ("tasks: [{name: a, join: 0}]", "1:25 bad-value", "not 0"),
    ("tasks: [{name: a, join: '{{ x }}'}]", "1:25 bad-value", '"join" of task "a"'),
    ("tasks: [{name: a, join: }]", "1:25 bad-value", "not null"),
    ("tasks: [{name: a, max-visits: 1000001}]", "1:31 bad-value", "from 1 to 1000000"),
    ("tasks: [{name: a, next: 5}]", "1:25 bad-type", '"next" of task "a" takes names of tasks, or'),
    ("tasks: [{name: a, next: }]", "1:25 bad-type", "Write for example next: [{when"),
    ("tasks: [{name: a, next: [5]}]", "1:26 bad-type", 'transition 1 of task "a" takes a map'),
    ("tasks: [{name: a, next: [b, {do: c}]}]", "1:26 bad-type", "A transition is a map such as"),
    ("tasks: [{name: a, next: my task}]", "1:25 bad-name", '"my task"'),
    ("tasks: [{name: a, next: '{{ x }}'}]", "1:25 bad-value", "no template"),
    ("tasks: [{name: a, next: [b, c, b]}]", "1:32 duplicate-name", '"do" of transition 1'),
    (
        "tasks: [{name: a, next: [{do: b}, {do: [c, c]}]}]",
        "1:44 duplicate-name",
        'transition 2 of task "a" names "c" twice',
    ),
    ("tasks: [{name: a, next: {do: []}}]", "1:30 bad-value", "is empty. List at least one task."),
    ("tasks: [{name: a, next: {do: 5}}]", "1:30 bad-type", '"do" of transition 1 of task "a"'),
    ("tasks: [{name: a, next: [{}]}]", "1:26 missing-key", 'transition 1 of task "a" has no "do"'),
    (
        "tasks: [{name: a, next: {publish: {x: 1}}}]",
        "1:25 missing-key",
        'use "publish" of the task',
    ),
    ("tasks: [{name: a, next: {when: x, do: b}}]", "1:32 bad-value", '"{{ ... }}", not "x"'),
    ("tasks: [{name: a, next: {do: b, when: }}]", "1:39 bad-value", "not null"),
    ("tasks: [{name: a, next: {do: b, publish: {x y: 1}}}]", "1:43 bad-name", "a variable"),
    ("tasks: [{name: a, on-error: [b]}]", "1:29 bad-value", "To go on elsewhere, write next:"),
    (TASK + "finally: {name: b}", "2:10 bad-type", '"finally" takes a list'),
    (TASK + "finally: [b]", "2:11 bad-type", 'task 1 of "finally" takes a map'),
    (TASK + "finally: [{action: x.y}]", "2:11 missing-key", 'task 1 of "finally" has no "name"'),
    (TASK + "finally: [{name: my task}]", "2:18 bad-name", "the name of a task"),
    (TASK + "finally: [{name: b, timeout: x}]", "2:30 bad-value", '"timeout" of task "b"'),
    (TASK + "finally: [{name: a}]", "2:18 duplicate-task", "there already, at 1:16"),
    *[
        (TASK + f"finally: [{{name: b, {keys}}}]", "2:21 misplaced-key", "can't stand under")
        for keys in ("needs: [b, b]", "next: b", "join: all", "max_visits: 5")
    ],
    # retry
    ("tasks: [{name: a, retry: {count: 1, until: x}}]", "1:44 bad-value", 'not "x"'),
    ("tasks: [{name: a, retry: 3}]", "1:26 bad-type", "{count: 3, delay: 1s}"),
    (
        "tasks: [{name: a, retry: {delay: 1s}}]",
        "1:26 missing-key",
        '"retry" of task "a" has no "count"',
    ),
    ("tasks: [{name: a, retry: {count: -1}}]", "1:34 bad-value", '"count" of "retry" of task "a"'),
    ("tasks: [{name: a, retry: {count: 1, jitter: yes}}]", "1:45 bad-value", 'false, not "yes"'),
    ("tasks: [{name: a, retry: {count: 1, backoff: x}}]", "1:46 bad-value", "linear or constant"),
    # parameters
    (TASK + "parameters: {a b: }", "2:14 bad-name", "the name of a parameter"),
    (TASK + "parameters: {p: 5}", "2:17 bad-type", 'parameter "p" takes a map, not 5'),
    (TASK + "parameters: {p: {type: str}}", "2:24 bad-value", "string, integer, number"),
    (TASK + "parameters: {p: {required: yes}}", "2:28 bad-type", 'false, not "yes"'),
    (TASK + "parameters: {p: {type: integer, default: x}}", "2:42 bad-value", '"x", and its type'),
    (
        TASK + "parameters: {p: {required: true, default: 1}}",
        "2:34 conflicting-keys",
        '"p" is required',
    ),
    (
        TASK + "parameters: {p: {secret: true, default: 1}}",
        "2:32 conflicting-keys",
        '"p" is secret',
    ),
    (TASK + "parameters: {p: {secret: true, type: object}}", "2:38 conflicting-keys", '"object"'),
    (TASK + "parameters: {p: {choices: []}}", "2:27 bad-value", "with one at least"),
    (TASK + "parameters: {p: {choices: eu}}", "2:27 bad-value", "takes a list of values"),
    (TASK + "parameters: {p: {choices: [a], default: b}}", "2:41 bad-value", "it takes a."),
    (TASK + "parameters: {p: {type: integer, enum: [1, b]}}", "2:43 bad-value", "a whole number"),
    (TASK + "parameters: {p: {pattern: a}}", "2:18 conflicting-keys", "Declare it as string"),
    (TASK + "parameters: {p: {type: string, pattern: '(a'}}", "2:41 bad-value", "missing )"),
    (TASK + "parameters: {p: {type: string, pattern: '(?=a)'}}", "2:41 bad-value", "of RE2"),
    (TASK + "parameters: {p: {type: string, pattern: 5}}", "2:41 bad-value", "a text"),
    (
        TASK + "parameters: {p: {type: string, pattern: 'a+', default: ab}}",
        "2:56 bad-value",
        'it takes text of the pattern "a+".',
    ),
    (
        TASK + "parameters: {p: {secret: true, pattern: 'a+', choices: [a, b]}}",
        "2:60 bad-value",
        'it takes text of the pattern "a+".',
    ),
    (TASK + "parameters: {p: {minimum: 1}}", "2:18 conflicting-keys", "integer or number"),
    (TASK + "parameters: {p: {type: integer, minimum: a}}", "2:42 bad-value", "takes a number"),
    (TASK + "parameters: {p: {type: number, minimum: 2, maximum: 1}}", "2:41 bad-value", "greater"),
    (TASK + "parameters: {p: {type: number, maximum: 1, default: 2}}", "2:53 bad-value", "or less"),
    # unknown keys
    (TASK + "tsks: 1", "2:1 unknown-key", 'Did you mean "tasks"?'),
    (TASK + "steps: 1", "2:1 unknown-key", 'Did you mean "tasks"?'),
    (TASK + "inputs: 1", "2:1 unknown-key", 'Did you mean "parameters"?'),
    (TASK + "rate: 1", "2:1 unknown-key", "It is a key of a task"),
    (TASK + "workflow: {}", "2:1 unknown-key", 'Put every key under "workflow:", or none.'),
    (TASK + "xyzzy: 1", "2:1 unknown-key", "Keys here are name, description"),
    *[
        (f"tasks: [{{name: a, {word}: 1}}]", "1:19 unknown-key", hint)
        for word, hint in [
            ("with_item", '"with_item" is not a key of a task. Did you mean "with-items"?'),
            ("withitems", 'Did you mean "with-items"?'),
            ("withItems", 'Did you mean "with-items"?'),
            ("loop", 'Did you mean "with-items"?'),
            ("foreach", 'Did you mean "with-items"?'),
            ("for_each", 'Did you mean "with-items"?'),
            ("retries", 'Did you mean "retry"?'),
            ("args", 'Did you mean "input"?'),
            ("params", 'Did you mean "input"?'),
            ("id", 'Did you mean "name"?'),
            ("if", 'Did you mean "when"?'),
            ("uses", 'Did you mean "action"?'),
            ("Timeout", 'Did you mean "timeout"?'),
            ("max-delay", 'It is a key of "retry".'),
            ("depends_on", 'Did you mean "needs"?'),
            ("after", 'Did you mean "needs"?'),
            ("requires", 'Did you mean "needs"?'),
            ("need", 'Did you mean "needs"?'),
            ("on-success", 'next: [{when: "{{ failed() }}", do: repair}]'),
            ("on_failure", 'next: [{when: "{{ failed() }}", do: repair}]'),
            ("then", 'Write it with "next"'),
            ("goto", 'Write it with "next"'),
            ("do", 'Write it with "next"'),
            ("parallel", "run side by side"),
            ("workflow", "called by its path, such as action: ./child.yaml"),
            ("script", 'under "input"'),
            ("throttle", 'Did you mean "rate"?'),
            ("chunk_size", 'Did you mean "batch-size"?'),
            ("max_loops", 'Did you mean "max-visits"?'),
            ("until", 'It is a key of "retry".'),
            ("finally", "It is a key of the workflow."),
        ]
    ],
    (TASK + "cleanup: []", "2:1 unknown-key", 'Did you mean "finally"?'),
    (TASK + "parallel: true", "2:1 unknown-key", "run side by side"),
    ("tasks: [{name: a, retry: {count: 1, max_attempts: 1}}]", "1:37 unknown-key", '"count"'),
    (
        "tasks: [{name: a, next: [{do: b, if: x}]}]",
        "1:34 unknown-key",
        '"if" is not a key of a transition. Did you mean "when"?',
    ),
    (TASK + "finally: [{name: b, needed: 1}]", "2:21 unknown-key", "not a key of a task. Did"),
    (TASK + "parameters: {retry: {count: 1}}", "2:22 unknown-key", "not a key of a parameter"),
    (TASK + "parameters: {p: {desc: x}}", "2:18 unknown-key", 'Did you mean "description"?'),
]


@pytest.mark.parametrize(("text", "where_and_code", "part"), ONE_PROBLEM)
def test_a_problem_says_where_which_and_what(text, where_and_code, part):
    """One slip gives one problem, at its place, with its code, naming the culprit."""
    (problem,) = problems_of(text)

    assert told(problem) == where_and_code
    assert part in f"{problem.message} {problem.hint}"


def test_every_code_is_shown_by_an_example():
    """No code is listed that no file can get, and none is given that isn't listed."""
    shown = {where_and_code.split()[1] for _, where_and_code, _ in ONE_PROBLEM}

    assert shown | {"too-large"} == set(CODES)


@pytest.mark.parametrize(
    ("text", "where_and_code", "part"),
    [
        ("limits: 3", "1:9 bad-type", "takes a map of names"),
        ("limits: {a b: 3}", "1:10 bad-name", 'not "a b"'),
        ("limits: {a: 0}", "1:13 bad-value", "takes a whole number from 1 to 100000"),
        ("limits: {a: {}}", "1:13 bad-value", "bounds nothing"),
        ("limits: {a: {rate: fast}}", "1:20 bad-value", '"a.rate" takes a rate'),
        ("limits: {a: {concurency: 1}}", "1:14 unknown-key", 'Did you mean "concurrency"?'),
        ("limit: {a: 1}", "1:1 unknown-key", 'Did you mean "limits"?'),
    ],
)
def test_a_limit_of_a_project_that_cannot_be_one_is_told(text, where_and_code, part):
    """With its place in `fanwise.yaml`."""
    with pytest.raises(DefinitionError) as caught:
        load_project(text, file="fanwise.yaml", limits=Limits())
    (problem,) = caught.value.problems
    assert told(problem) == where_and_code
    assert part in f"{problem.message} {problem.hint}"


def test_the_limits_of_a_project():
    """A number bounds the attempts at once; a map that, their rate, or both."""
    text = "limits: {a: 3, b: {rate: 120/m}, c: {concurrency: 4, rate: 5}}"
    assert load_project(text, file="fanwise.yaml", limits=Limits()).limits == (
        NamedLimit("a", 3),
        NamedLimit("b", None, 2.0),
        NamedLimit("c", 4, 5.0),
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [("fanwise.yaml", "limits: {vendor: 2}"), ("triggers.yaml", "- {name: a, schedule: 5m}")],
)
def test_a_file_of_the_project_is_no_workflow(name, text):
    """Whoever checks `*.yaml` is told what checks it; a workflow may have such a name."""
    with pytest.raises(DefinitionError) as caught:
        load(text, file=f"folder/{name}")
    (problem,) = caught.value.problems
    assert (problem.code, problem.hint) == (
        "not-a-workflow",
        "Check it with: fanwise triggers --check",
    )
    assert load(TASK, file=name).tasks


def test_a_file_over_the_limit_is_refused_by_name():
    """The message names the setting that bounds the size."""
    (problem,) = problems_of(TASK, Limits(definition_bytes=10))

    assert told(problem) == "1:1 too-large"
    assert "19 bytes, more than limits.definition_bytes (10)" in problem.message


def test_all_problems_come_at_once_and_in_order():
    """YAML, keys, values and rules: one run tells everything, from top to bottom."""
    found = problems_of(
        "parameters: {p: {type: int}}\n"
        "vars: {x: {{ y }}, x: 1}\n"
        "tasks:\n"
        "  - name: a\n"
        "    acton: core.noop\n"
        "    label: x\n"
        "    tolerate: many\n"
        "  - name: a\n"
        "    retry: {count: many, delay: soon}\n"
        "output: .inf\n"
    )

    assert [told(problem) for problem in found] == [
        "1:24 bad-value",
        "2:11 unquoted-template",
        "2:20 duplicate-key",
        "5:5 unknown-key",
        "6:5 needs-with-items",
        "7:5 needs-with-items",
        "7:15 bad-value",
        "8:11 duplicate-task",
        "9:20 bad-value",
        "9:33 bad-value",
        "10:9 bad-value",
    ]


def test_a_problem_is_one_line_as_terminals_print_it():
    """Line breaks and control characters that a file can hold are escaped in messages."""
    (problem,) = problems_of('tasks: [{name: "a\\nb\\x9b\\u2028"}]')

    assert '"a\\nb\\u009b\\u2028"' in problem.message
    assert len(str(problem).splitlines()) == 1


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("needs: [b, 5]", '"needs" of task "a" takes names of tasks, not 5.'),
        ("next: {do: [b, 5]}", '"do" of transition 1 of task "a" takes names of tasks, not 5.'),
    ],
)
def test_a_name_in_a_list_is_told_about_as_part_of_its_list(keys, message):
    """The place leads to the name, so the message says only which list it stands in."""
    (problem,) = problems_of(f"tasks: [{{name: a, {keys}}}]")

    assert problem.message == message


def test_long_values_are_shortened():
    """A value of any length leaves its message readable."""
    (problem,) = problems_of(f"tasks: [{{name: a, when: {'x' * 10_000}}}]")

    assert len(str(problem)) < 250


def test_the_default_of_a_secret_is_never_shown():
    """Whatever is wrong with a secret's default, its value stays out of the message."""
    (problem,) = problems_of(
        TASK + "parameters: {p: {secret: true, type: string, default: 12345678}}"
    )

    assert "12345678" not in str(problem)


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("biuld", ["test", "build"], "build"),
        ("Max_Delay", ["delay", "max-delay"], "max-delay"),
        ("xyz", ["build"], None),
        ("a", [], None),
    ],
)
def test_the_nearest_name_is_suggested(name, known, found):
    """A slip gets the name that was most likely meant, or none."""
    assert nearest(name, known) == found
    assert did_you_mean(name, known) == (f'Did you mean "{found}"?' if found else "")


def test_codes_are_short_and_explained():
    """Codes are kebab-case, each with a sentence."""
    assert all(re.fullmatch("[a-z]+(-[a-z]+){1,4}", code) for code in CODES)
    assert all(meaning.endswith(".") for meaning in CODES.values())
