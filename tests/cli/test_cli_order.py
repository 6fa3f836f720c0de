"""What `fanwise run` and `fanwise show` tell of workflows that branch, join and go round."""

import json
import re

import pytest

FLOW = """\
vars: {round: 0}
tasks:
  - name: check
    action: my.check
    with-items: [1, 2]
    input: {n: "{{ item }}", round: "{{ vars.round }}"}
    next:
      - {when: "{{ failed() }}", publish: {round: "{{ vars.round + 1 }}"}, do: repair}
      - {when: "{{ succeeded() }}", do: [done, broken]}
  - {name: repair, action: core.noop, next: check}
  - {name: done, action: core.noop}
  - {name: broken, action: my.check, input: {n: 2, round: 0}}
  - {name: after, action: core.noop, needs: [done, broken]}
  - {name: never, action: core.noop, needs: done, when: false}
finally:
  - {name: close, action: core.noop}
"""
ACTIONS = """\
import fanwise

@fanwise.action("my.check")
async def check(n: int, round: int) -> int:
    if n == 2 and round < 2:
        raise ValueError("not yet")
    return n
"""
TABLE = [
    ("check", "succeeded", "3"),
    ("repair", "succeeded", "2"),
    ("done", "succeeded", "1"),
    ("broken", "failed", "1"),
    ("after", "blocked", ""),
    ("never", "skipped", ""),
    ("close", "succeeded", "1"),
]


@pytest.fixture
def ran(fanwise, write):
    write(**{"flow.yaml": FLOW, "actions.py": ACTIONS})
    return fanwise("run", "flow.yaml", "--run-id", "r1")


def table_of(text: str) -> list[tuple[str, ...]]:
    """Task, status and visits of each row."""
    heading, *rows = text[text.index("TASK ") :].partition("\n\n")[0].splitlines()
    assert heading.split()[:3] == ["TASK", "STATUS", "VISITS"]
    to = heading.index("VISITS") + len("VISITS")
    return [(*row[:to].split(), "")[:3] for row in rows]


def test_the_summary_has_the_tasks_in_the_order_listed_with_their_last_visits(fanwise, ran):
    """Whatever order they ran in, those of `finally` at the end; `show` tells the same."""
    assert ran.status == 1
    assert table_of(ran.err) == TABLE
    assert table_of(fanwise("show", "r1").out) == TABLE


def test_only_failures_of_the_last_visit_are_told_at_the_end(fanwise, ran):
    """Two rounds of `check` failed and the third went well: there is nothing more to see."""
    assert "of check failed" not in ran.err
    shown = fanwise("show", "r1").out
    assert "of check failed" not in shown
    assert "broken failed here:" in shown
    assert "check failed here:" not in shown


def test_progress_numbers_the_visits_of_a_task(ran):
    """From the second one on."""
    told = [line for line in ran.err.splitlines() if line.startswith("check  ")]
    assert [re.sub(r"  in .*", "", line) for line in told[:3]] == [
        "check  failed  2/2 done, 1 failed",
        "check  failed  visit 2, 2/2 done, 1 failed",
        "check  succeeded  visit 3, 2/2 done",
    ]


def test_the_steps_of_a_child_are_part_of_its_task(fanwise, write):
    """The table has the run's own tasks; `show --within` has those of an item."""
    child = """\
parameters: {n: {type: integer}}
tasks:
  - {name: step, action: my.check, input: {n: "{{ parameters.n }}", round: 0}}
"""
    flow = """\
tasks:
  - {name: each, action: ./child.yaml, with-items: [1, 2, 3], input: {n: "{{ item }}"}}
"""
    write(**{"flow.yaml": flow, "child.yaml": child, "actions.py": ACTIONS})
    fanwise("run", "flow.yaml", "--run-id", "r1")
    shown = fanwise("show", "r1")
    table = shown.out[shown.out.index("TASK ") :].partition("\n\n")[0]
    assert [line.split()[0] for line in table.splitlines()] == ["TASK", "each"]
    steps = fanwise("show", "r1", "--within", "each[1]").out
    assert "each[1].step failed here:\nTraceback" in steps
    assert list(json.loads(fanwise("show", "r1", "--json").out)["tasks"]) == ["each"]


def test_a_workflow_without_repeats_has_no_column_of_visits(fanwise, write):
    """It would only say 1 everywhere."""
    write(**{"flow.yaml": "tasks: [{name: a, action: core.noop}]\n"})
    assert "VISITS" not in fanwise("run", "flow.yaml").err


def test_json_has_the_tasks_in_the_order_listed_with_their_last_visits(fanwise, ran):
    """Its keys are those of any other run."""
    run = json.loads(fanwise("show", "r1", "--json").out)
    assert list(run["tasks"]) == [name for name, _, _ in TABLE]
    assert run["tasks"]["check"]["status"] == "succeeded"
    assert run["tasks"]["check"]["items"] == {"total": 2, "done": 2, "succeeded": 2, "failed": 0}
    assert run["tasks"]["after"] == {
        "status": "blocked",
        "started_at": None,
        "ended_at": run["tasks"]["after"]["ended_at"],
        "duration_s": None,
        "attempts": 0,
        "error": None,
        "output": None,
    }
