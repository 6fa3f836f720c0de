"""`fanwise run`: what it prints where, and the exit statuses."""

import json
import re
from pathlib import Path

import pytest

FLOW = """\
parameters:
  count: {type: integer, default: 3}
  name: {type: string, required: true}
tasks:
  - name: greet
    action: core.echo
    input: {text: "hello {{ parameters.name }}"}
  - name: each
    action: my.check
    with-items: {range: "{{ parameters.count }}"}
    label: "number {{ item }}"
    input: {n: "{{ item }}"}
output: {text: "{{ task.greet.output.text }}", total: "{{ task.each.items.total }}"}
"""
ACTIONS = """\
import fanwise

@fanwise.action("my.check")
def check(n: int) -> int:
    print("from the action")
    if n >= 3:
        raise ValueError(f"server {n} at http://host/{n} said [bold]no[/bold] \\x1b[31m")
    return n
"""
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(autouse=True)
def flow(write):
    write(**{"flow.yaml": FLOW, "actions.py": ACTIONS})


def test_results_go_to_standard_output_and_the_rest_to_standard_error(fanwise):
    """Standard output holds the run's output as JSON, and nothing else."""
    told = fanwise("run", "flow.yaml", "-p", "name=ann")
    assert told.status == 0
    assert json.loads(told.out) == {"text": "hello ann", "total": 3}
    assert re.search(r"each +succeeded +.* 3 +0 +3", told.err)


def test_json_ends_with_one_object_of_the_documented_shape(fanwise):
    """`--json` prints one line whose keys, order and times are those of the documentation."""
    told = fanwise("run", "flow.yaml", "-p", "name=ann", "--run-id", "r1", "--json")
    run = json.loads(told.out)
    assert told.out.count("\n") == 1
    assert list(run) == [
        *("run_id", "workflow", "status", "started_at", "ended_at", "duration_s"),
        *("output", "error", "tasks"),
    ]
    assert (run["run_id"], run["workflow"], run["status"]) == ("r1", "flow", "succeeded")
    assert run["error"] is None
    assert TIME.fullmatch(run["started_at"])
    assert TIME.fullmatch(run["ended_at"])
    assert run["duration_s"] >= 0
    assert list(run["tasks"]) == ["greet", "each"]
    keys = ["status", "started_at", "ended_at", "duration_s", "attempts", "output", "error"]
    assert list(run["tasks"]["greet"]) == keys
    counts = {"total": 3, "done": 3, "succeeded": 3, "failed": 0}
    assert run["tasks"]["each"]["items"] == counts


def test_a_failed_run_says_why_what_failed_and_how_to_see_more(fanwise):
    """It ends with 1, a digest of the items' errors in which like ones are one, and commands."""
    told = fanwise("run", "flow.yaml", "-p", "name=ann", "-p", "count=9", "--run-id", "bad")
    assert told.status == 1
    assert 'Error: TaskFailed: task "each" failed' in told.err
    assert re.search(
        r"6  ValueError  \[3\] number 3  server N at URL said \[bold\]no\[/bold\]\n", told.err
    )
    assert "fanwise items bad each --status failed" in told.err
    assert "\x1b" not in told.err


def test_a_failed_run_as_json_has_its_error_and_counts(fanwise):
    """An error is an object of type, message and data."""
    told = fanwise("run", "flow.yaml", "-p", "name=ann", "-p", "count=9", "--json")
    run = json.loads(told.out)
    assert told.status == 1
    assert list(run["error"]) == ["type", "message", "data"]
    assert run["tasks"]["each"]["items"] == {
        "total": 9,
        "done": 9,
        "succeeded": 3,
        "failed": 6,
    }
    assert run["output"] == {"text": "hello ann", "total": 9}


def test_all_bad_parameters_are_told_at_once_and_nothing_runs(fanwise, folder: Path):
    """Each is a line; no store is made."""
    told = fanwise("run", "flow.yaml", "-p", "count=many", "-p", "nmae=x", "-p", "=x")
    assert told.status == 2
    assert told.out == ""
    lines = told.err.splitlines()
    assert len(lines) == 4
    assert '"count" takes a whole number' in told.err
    assert 'no parameter "nmae". Did you mean "name"?' in told.err
    assert '"name" is required' in told.err
    assert "-p takes NAME=VALUE" in told.err
    assert not (folder / "runs.db").exists()


@pytest.mark.parametrize("text", ["name: ann\ncount: 2\n", '{"name": "ann", "count": 2}'])
def test_parameters_come_from_a_file_and_those_of_the_command_line_win(fanwise, write, text: str):
    """The file may be YAML or JSON."""
    write(params=text)
    told = fanwise("run", "flow.yaml", "--params", "params", "-p", "count=1")
    assert json.loads(told.out) == {"text": "hello ann", "total": 1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read"),
        ("- a\n", "isn't a map"),
        ("a: [\n", "params:1"),
        ("", "isn't a map"),
    ],
)
def test_a_bad_file_of_parameters_is_one_line(fanwise, write, content, said: str):
    """A file that is missing, broken or no map is told in one line."""
    if content is not None:
        write(params=content)
    told = fanwise("run", "flow.yaml", "--params", "params")
    assert told.status == 2
    assert said in told.err
    assert told.err.count("\n") == 1


def test_a_wrong_workflow_is_told_problem_by_problem(fanwise, write):
    """Each problem is a line with file, line, column and code."""
    write(**{"wrong.yaml": "tasks:\n  - name: a\n    acton: core.noop\n  - nme: b\n"})
    told = fanwise("run", "wrong.yaml")
    assert told.status == 2
    assert len(told.err.splitlines()) >= 2
    assert all(re.match(r"wrong\.yaml:\d+:\d+  [a-z-]+  ", line) for line in told.err.splitlines())


@pytest.mark.parametrize("name", ["none.yaml", "."])
def test_a_workflow_that_cannot_be_read_is_one_line(fanwise, name: str):
    """A missing file and a folder are told without a traceback."""
    told = fanwise("run", name)
    assert told.status == 2
    assert told.err.count("\n") == 1
    assert "can't be read" in told.err


def test_a_run_id_that_is_taken_is_refused(fanwise):
    """The second run with an id isn't made."""
    assert fanwise("run", "flow.yaml", "-p", "name=a", "--run-id", "r1").status == 0
    told = fanwise("run", "flow.yaml", "-p", "name=a", "--run-id", "r1")
    assert told.status == 2
    assert 'a run with the id "r1" exists already' in told.err
    assert fanwise("runs", "--json").out.count("\n") == 1


@pytest.mark.parametrize("command", [("run", "flow.yaml", "-p", "name=a"), ("runs",)])
def test_a_file_that_is_no_store_is_told_in_one_line_and_left_alone(fanwise, write, command):
    """Neither reading nor running touches a file of somebody else."""
    write(garbage="not a database, but a diary " * 100)
    told = fanwise(*command, "--store", "garbage")
    assert told.status == 2
    assert told.err.count("\n") == 1
    assert Path("garbage").read_text().startswith("not a database")


def test_a_pack_that_cannot_be_imported_shows_its_authors_traceback(fanwise, write):
    """The traceback comes first, the one line with the place last."""
    write(**{"actions.py": "import fanwise\n\nraise RuntimeError('boom')\n"})
    told = fanwise("run", "flow.yaml", "-p", "name=a")
    lines = told.err.splitlines()
    assert told.status == 2
    assert lines[0].startswith("Traceback")
    assert re.search(r"actions\.py:3  .*RuntimeError: boom", lines[-1])
    assert "modules.py" not in told.err


def test_a_bug_of_fanwise_is_one_line_that_quotes_no_value(
    fanwise, monkeypatch: pytest.MonkeyPatch
):
    """An unexpected exception says where it was raised, and not what it holds."""

    def fail(*_: object, **__: object) -> None:
        raise KeyError("hunter2")

    monkeypatch.setattr("fanwise.plan.read_given", fail)
    told = fanwise("run", "flow.yaml", "-p", "name=a")
    assert told.status == 2
    assert re.fullmatch(
        r"fanwise: internal error: KeyError at fanwise/cli/\S+\.py:\d+\. .*\n", told.err
    )
    assert "hunter2" not in told.err
    monkeypatch.setenv("FANWISE_DEBUG", "1")
    assert "hunter2" in fanwise("run", "flow.yaml", "-p", "name=a").err


def test_a_command_to_copy_names_the_store_that_the_command_line_named(fanwise):
    """Without it, looking further would look in another store."""
    told = fanwise("run", "flow.yaml", "-p", "name=a", "-p", "count=9", "--store", "other file.db")
    assert "--status failed --store 'other file.db'" in told.err


def test_an_unknown_option_is_the_commands_fault(fanwise):
    """It ends with 2."""
    assert fanwise("run", "flow.yaml", "--fast").status == 2


def test_an_error_stands_once_below_the_tables(fanwise, write):
    """A task's row leaves to the run's error what that quotes, and keeps what it doesn't."""
    tasks = [
        f"{{name: {name}, action: core.fail, input: {{message: no {name}}}, needs: []}}"
        for name in ("tea", "milk")
    ]
    write(**{"two.yaml": f"tasks: [{', '.join(tasks)}]\n"})
    told = fanwise("run", "two.yaml")
    summary = told.err.partition("\nRun ")[2]
    assert summary.count("Failed: no tea") == summary.count("Failed: no milk") == 1
    assert 'Error: TaskFailed: task "tea" failed: Failed: no tea (1 more failed)\n' in summary
