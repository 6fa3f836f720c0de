"""`fanwise validate`: every problem of every file."""

import json
from pathlib import Path

GOOD = "parameters: {x: {}}\ntasks:\n  - name: a\n    action: core.noop\n"
BAD = "tasks:\n  - name: a\n    action: core.nop\n  - name: a\n    action: core.noop\n"


def test_good_files_are_told_with_their_counts(fanwise, write):
    """One line for each, and the status 0."""
    write(**{"good.yaml": GOOD})
    told = fanwise("validate", "good.yaml", "good.yaml")
    assert told.status == 0
    assert told.out == "good.yaml  ok: 1 task, 1 parameter\n" * 2
    assert told.err == ""


def test_every_problem_of_every_file_is_a_line(fanwise, write):
    """One bad file makes the status 2; the good ones are told as well."""
    write(**{"good.yaml": GOOD, "bad.yaml": "tasks:\n  - nme: a\n    acton: b\n"})
    told = fanwise("validate", "bad.yaml", "missing.yaml", "good.yaml")
    lines = told.out.splitlines()
    assert told.status == 2
    assert sum(line.startswith("bad.yaml:") for line in lines) >= 2
    assert sum(line.startswith("missing.yaml  can't be read") for line in lines) == 1
    assert lines[-1] == "good.yaml  ok: 1 task, 1 parameter"


def test_actions_are_checked_unless_packs_are_not_imported(fanwise, write, folder: Path):
    """`--no-import` runs none of the authors' code, and so can't tell which actions there are."""
    write(**{"flow.yaml": "tasks:\n  - name: a\n    action: my.x\n"})
    write(**{"actions.py": "open('ran', 'w').close()\n"})
    assert fanwise("validate", "flow.yaml", "--no-import").status == 0
    assert not (folder / "ran").exists()
    told = fanwise("validate", "flow.yaml")
    assert told.status == 2
    assert "my.x" in told.out
    assert (folder / "ran").exists()


def test_what_a_pack_prints_is_kept_out_of_the_results(fanwise, write):
    """Importing it may print; the results stay JSON."""
    write(**{"flow.yaml": GOOD, "actions.py": "print('loading')\n"})
    told = fanwise("validate", "flow.yaml", "--json")
    assert json.loads(told.out)[0]["ok"] is True
    assert told.err == "loading\n"


def test_problems_as_json_have_their_parts(fanwise, write):
    """File, line, column, code, message and hint of each; of a file that is missing, no place."""
    write(**{"bad.yaml": "tasks:\n  - name: a\n    acton: core.noop\n"})
    bad, missing = json.loads(fanwise("validate", "bad.yaml", "missing.yaml", "--json").out)
    assert [bad["ok"], missing["ok"]] == [False, False]
    unknown = next(each for each in bad["problems"] if each["code"] == "unknown-key")
    assert (unknown["file"], unknown["line"], unknown["column"]) == ("bad.yaml", 3, 5)
    assert "acton" in unknown["message"]
    assert "action" in unknown["hint"]
    assert missing["problems"][0]["line"] is None


def test_a_name_that_is_not_utf8_can_be_told(fanwise):
    """A path is bytes; telling it must not fail."""
    name = b"no-\xff.yaml".decode(errors="surrogateescape")
    Path(name).write_text("tasks: []")
    assert json.loads(fanwise("validate", name, "--json").out)[0]["file"] == "no-\ufffd.yaml"


RACE = """\
tasks:
  - {name: a, action: core.noop, publish: {x: 1}}
  - {name: b, action: core.noop, needs: [], publish: {x: 2}}
  - {name: c, action: core.noop, needs: [a, b]}
"""


def test_a_warning_is_marked_and_leaves_the_workflow_good(fanwise, write):
    """It is told with place and code; the exit status stays 0."""
    write(**{"race.yaml": RACE})
    told = fanwise("validate", "race.yaml")
    warning, ok = told.out.splitlines()
    assert told.status == 0
    assert warning.startswith("race.yaml:3:12  warning racing-variable  ")
    assert ok == "race.yaml  ok: 3 tasks, 0 parameters, 1 warning"


def test_warnings_as_json_have_their_parts(fanwise, write):
    """They stand beside the problems, of which there are none."""
    write(**{"race.yaml": RACE})
    (report,) = json.loads(fanwise("validate", "race.yaml", "--json").out)
    (warning,) = report["warnings"]
    assert (report["ok"], report["problems"]) == (True, [])
    assert (warning["code"], warning["line"], warning["column"]) == ("racing-variable", 3, 12)


def test_a_literal_that_an_action_would_refuse_is_a_problem(fanwise, write):
    """So nothing has to run to find it; null and templates are left to the run."""
    wrong = {
        "core.http": {
            "url": "ftp://x/",
            "method": "G T",
            "headers": {"a b": 1},
            "expect": 9999,
            "timeout": 0,
            "max_redirects": -1,
            "max_bytes": -5,
        },
        "core.read_file": {"path": "x", "max_bytes": -1},
        "core.shell": {"command": ["ls"], "max_bytes": -1, "timeout": "0s"},
        "core.email": {
            "server": "http://x",
            "sender": "a@x",
            "to": "b@x",
            "subject": "",
            "text": "",
        },
    }
    right = {"url": "http://{{ run.id }}/", "expect": ["2xx", 404], "max_bytes": None}
    tasks = [{"action": action, "input": given} for action, given in wrong.items()]
    tasks.append({"action": "core.http", "input": right})
    for number, task in enumerate(tasks):
        task["name"] = f"t{number}"
    write(**{"flow.yaml": json.dumps({"tasks": tasks}, indent=1)})
    lines = fanwise("validate", "flow.yaml").out.splitlines()
    assert all("  bad-input  " in line for line in lines)
    assert len(lines) == 7 + 1 + 2 + 1


def test_a_timeout_in_which_nothing_can_happen_is_a_problem(fanwise, write):
    """Of a task and of the whole run."""
    write(**{"flow.yaml": "timeout: 0\ntasks: [{name: a, action: core.noop, timeout: 0s}]\n"})
    told = fanwise("validate", "flow.yaml")
    assert [line.split()[0] for line in told.out.splitlines()] == [
        "flow.yaml:1:10",
        "flow.yaml:2:47",
    ]
    assert told.out.count("takes a duration over 0, such as 30s") == 2
