"""`fanwise resume`, `retry`, `pause`, `cancel` and `recover`: what they do, refuse and tell."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fanwise.model import RequestKind
from fanwise.stores import Store, open_store
from fanwise.stores.sqlite_database import open_sqlite
from fanwise.system import SystemProcesses

FLOW = """\
parameters:
  count: {type: integer, default: 4}
  token: {type: string, secret: true}
tasks:
  - {name: list, action: my.list, input: {count: "{{ parameters.count }}"}}
  - name: each
    action: my.each
    with-items: "{{ task.list.output }}"
    concurrency: 1
    input: {n: "{{ item }}", token: "{{ parameters.token }}"}
  - {name: after, action: core.echo, input: {value: "{{ task.each.items.succeeded }}"}}
finally:
  - {name: clean, action: my.each, input: {n: 100}}
output: "{{ task.after.output.value }}"
"""
STREAM = """\
tasks:
  - name: each
    action: my.each
    with-items: {lines: names.txt}
    concurrency: 1
    input: {n: "{{ index }}"}
"""
# What the file `mood` says happens to the process when the item 2 runs.
ACTIONS = """\
import os, signal
from pathlib import Path
import fanwise

@fanwise.action("my.list")
def make_list(count: int) -> list[int]:
    return list(range(count))

@fanwise.action("my.each")
async def each(context: fanwise.ActionContext, n: int, token: str | None = None) -> int:
    folder = Path(context.folder)
    with (folder / "calls").open("a") as calls:
        calls.write(f"{n}\\n")
    print(f"item {n}")
    mood = (folder / "mood").read_text() if n == 2 else ""
    if mood == "fails":
        raise ValueError("two is too many")
    if mood == "pauses":
        # Once: a second signal, from another run, would end the process at once.
        (folder / "mood").write_text("")
        os.kill(os.getpid(), signal.SIGINT)
    if mood == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    return n
"""
FILES = {
    "flow.yaml": FLOW,
    "stream.yaml": STREAM,
    "actions.py": ACTIONS,
    "names.txt": "a\nb\nc\nd\n",
}
EACH = ["resume", "retry", "pause", "cancel"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs that succeeded, failed or were paused, or whose process has died."""
    folder = tmp_path_factory.mktemp("recorded")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    for run_id, mood, *arguments in (
        ("mute", "pauses", "flow.yaml", "-p", "token=hunter2"),
        ("good", "", "flow.yaml"),
        ("bad", "fails", "flow.yaml"),
        ("held", "pauses", "flow.yaml"),
        ("dead", "kills", "flow.yaml"),
        ("torn", "kills", "stream.yaml"),
    ):
        (folder / "mood").write_text(mood)
        run_aside(folder, "run", *arguments, "--run-id", run_id)
    return folder


@pytest.fixture(autouse=True)
def project(folder: Path, recorded: Path) -> Path:
    """The folder of this test: the same files and runs, but in another place."""
    shutil.copytree(recorded, folder, dirs_exist_ok=True)
    with closing(sqlite3.connect("runs.db")) as store:
        places = {"was": str(recorded), "now": str(folder)}
        store.execute("UPDATE runs SET file = replace(file, :was, :now)", places)
        store.commit()
    set_mood("")
    Path("calls").unlink()
    return folder


@pytest.fixture
def store(project: Path) -> Iterator[Store]:
    with open_store("runs.db") as opened:
        yield opened


def run_aside(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `fanwise` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "fanwise", *arguments],
        cwd=folder,
        env={**os.environ, "FANWISE_STORE": str(folder / "runs.db")},
        capture_output=True,
        text=True,
        check=False,
    )


def set_mood(mood: str) -> None:
    Path("mood").write_text(mood)


def calls() -> list[int]:
    """The items that this test has run, in their order."""
    return [int(line) for line in Path("calls").read_text().split()]


def status_of(fanwise, run_id: str) -> str:
    return json.loads(fanwise("show", run_id, "--json").out)["status"]


def is_refused(told) -> bool:
    """Whether it was told in one line on standard error, with the status for wrong commands."""
    return (told.status, told.out) == (2, "") and told.err.count("\n") == 1


# Which run


@pytest.mark.parametrize("command", EACH)
def test_an_unknown_run_is_told_with_the_nearest_ones(fanwise, command: str) -> None:
    """And nothing happens to those."""
    told = fanwise(command, "hold")
    assert is_refused(told)
    assert told.err.startswith('the store has no run "hold". Did you mean "held"')


@pytest.mark.parametrize("command", EACH)
def test_a_beginning_that_several_runs_have_is_not_enough(fanwise, write, command: str) -> None:
    """The message names them."""
    fanwise("run", "flow.yaml", "--run-id", "held-2")
    told = fanwise(command, "hel")
    assert is_refused(told)
    assert "2 runs have an id that begins with" in told.err
    assert "held-2, held" in told.err


@pytest.mark.parametrize(
    ("command", "run_id", "message"),
    [
        (
            "resume",
            "good",
            "run good is over: it has succeeded. To make it again: fanwise retry good",
        ),
        ("resume", "bad", "run bad is over: it has failed. To make it again: fanwise retry bad"),
        ("retry", "good", "nothing of run good has failed."),
        ("retry", "held", "run held isn't over yet, so nothing of it can be made again."),
        ("retry", "dead", "run dead isn't over yet, so nothing of it can be made again."),
        ("pause", "good", "run good is over: it has succeeded."),
        ("pause", "held", "run held is paused already. Resume with: fanwise resume held"),
        ("pause", "dead", "run dead was interrupted. Resume with: fanwise resume dead"),
        ("cancel", "good", "run good is over: it has succeeded."),
        ("cancel", "bad", "run bad is over: it has failed."),
    ],
)
def test_a_command_that_does_not_fit_the_run_says_which_one_does(
    fanwise, command: str, run_id: str, message: str
) -> None:
    """In one line, with the exit status 2."""
    told = fanwise(command, run_id)
    assert is_refused(told)
    assert told.err.startswith(message)


@pytest.mark.parametrize("command", [*EACH, "recover"])
def test_a_store_that_is_not_there_is_not_made(fanwise, folder: Path, command: str) -> None:
    """Only a first run makes one."""
    arguments = [command] if command == "recover" else [command, "good"]
    told = fanwise(*arguments, "--store", "none.db")
    assert is_refused(told)
    assert "none.db: there is no store." in told.err
    assert not Path("none.db").exists()


# Going on


@pytest.mark.parametrize("run_id", ["held", "dead"])
def test_a_run_goes_on_where_it_stopped(fanwise, run_id: str) -> None:
    """What is recorded isn't done again; the output is that of an undisturbed run."""
    items = fanwise("items", run_id, "each", "--json").out
    done = [json.loads(line)["index"] for line in items.splitlines()]
    told = fanwise("resume", run_id)
    assert (told.status, told.out) == (0, "4\n")
    assert told.err.startswith(f"Run {run_id} of flow is resumed.\n")
    assert calls() == [n for n in range(4) if n not in done] + [100]


def test_a_run_that_is_resumed_can_pause_and_fail_as_any_other(fanwise) -> None:
    """With the same exit statuses, and the same object as `fanwise run --json`."""
    set_mood("pauses")
    told = fanwise("resume", "dead", "--json")
    assert (told.status, json.loads(told.out)["status"]) == (130, "paused")
    assert "Resume with: fanwise resume dead" in told.err
    set_mood("fails")
    told = fanwise("resume", "torn", "--json")
    assert (told.status, json.loads(told.out)["status"]) == (1, "failed")


def test_a_command_line_that_names_a_store_is_told_with_it(fanwise, monkeypatch) -> None:
    """So that it can be copied."""
    monkeypatch.delenv("FANWISE_STORE")
    set_mood("pauses")
    told = fanwise("resume", "dead", "--store", "runs.db")
    assert "Resume with: fanwise resume dead --store runs.db" in told.err


def test_recover_goes_on_with_all_runs_whose_process_has_died(fanwise) -> None:
    """But with none that was paused."""
    told = fanwise("recover", "--json")
    assert told.status == 0
    assert [json.loads(line) for line in sorted(told.out.splitlines())] == [
        {"run_id": "dead", "status": "succeeded", "error": None},
        {"run_id": "torn", "status": "succeeded", "error": None},
    ]
    assert "2 interrupted runs." in told.err
    assert status_of(fanwise, "held") == "paused"
    told = fanwise("recover")
    assert (told.status, told.out, told.err) == (0, "", "0 interrupted runs.\n")


def test_recover_shows_what_actions_print_if_asked_to(fanwise) -> None:
    """Each line after the id of its run; else it is only recorded."""
    told = fanwise("recover", "--verbose")
    assert re.search(r"(?m)^dead  .*  each\[3\]  item 3$", told.err)
    assert re.search(r"(?m)^torn  .*  each\[3\]  item 3$", told.err)


@pytest.mark.parametrize(("mood", "status"), [("fails", 1), ("pauses", 130)])
def test_recover_says_by_its_exit_status_what_came_of_the_runs(
    fanwise, mood: str, status: int
) -> None:
    """One that failed or was interrupted again is enough."""
    set_mood(mood)
    assert fanwise("recover").status == status


def test_a_run_that_cannot_go_on_is_told_and_holds_up_no_other(fanwise) -> None:
    """With what is in its way, and the command for it alone."""
    with closing(sqlite3.connect("runs.db")) as connection:
        connection.execute("UPDATE runs SET status = 'running', ended_at = NULL WHERE id = 'mute'")
        connection.commit()
    told = fanwise("recover", "--json")
    assert told.status == 2
    refused = json.loads(told.out.splitlines()[-1])
    assert (refused["run_id"], refused["status"]) == ("mute", "interrupted")
    assert refused["error"].startswith('the secret parameter "token" of run mute isn\'t recorded.')
    assert "To resume it alone: fanwise resume mute" in told.err
    assert status_of(fanwise, "dead") == "succeeded"


# Secrets


@pytest.mark.parametrize("command", ["resume", "cancel"])
def test_a_secret_parameter_is_asked_for_again(fanwise, command: str) -> None:
    """By its name; with it the run goes on, and its value is recorded nowhere."""
    told = fanwise(command, "mute")
    assert is_refused(told)
    assert told.err == (
        'the secret parameter "token" of run mute isn\'t recorded. Give it again: -p token=...\n'
    )
    assert fanwise(command, "mute", "-p", "token=hunter2").status == 0
    assert "hunter2" not in fanwise("export", "mute").out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("count=5", 'run mute keeps its parameters; "count" isn\'t a secret one.'),
        ("tokn=5", 'run mute keeps its parameters; "tokn" isn\'t a secret one.'),
        ("token", "-p takes NAME=VALUE, as in -p token=..."),
    ],
)
def test_only_secret_parameters_are_given_again(fanwise, given: str, message: str) -> None:
    """The others are those that the run started with."""
    for command in ("resume", "cancel"):
        told = fanwise(command, "mute", "-p", given)
        assert is_refused(told)
        assert told.err.startswith(message)


def test_lists_tell_the_time_that_the_run_itself_tells(fanwise) -> None:
    """Though the process has died: up to its last sign of life."""
    with closing(sqlite3.connect("runs.db")) as store:
        store.execute("UPDATE leases SET taken_at = taken_at - 0.05")
        store.commit()
    (listed,) = [
        each
        for each in map(json.loads, fanwise("runs", "--json").out.splitlines())
        if each["run_id"] == "torn"
    ]
    shown = json.loads(fanwise("show", "torn", "--json").out)
    assert listed["duration_s"] == shown["duration_s"] == pytest.approx(0.05, abs=0.02)


# What has changed since


def test_a_file_that_has_changed_is_shown_as_it_was_and_as_it_is(fanwise) -> None:
    """Nothing more is read of it, unless that is forced."""
    Path("names.txt").write_text("a\nb\nc\nd\ne\n")
    told = fanwise("resume", "torn")
    assert told.status == 2
    line = told.err.splitlines()[-1]
    assert "names.txt has changed since each began to read its items from it: it was " in line
    assert "8 bytes from " in line
    assert ", and is 10 bytes from " in line
    assert "--force" in line
    assert fanwise("runs", "--status", "interrupted").out.count("torn") == 1
    told = fanwise("resume", "torn", "--force", "--json")
    assert told.status == 0
    assert json.loads(told.out)["tasks"]["each"]["items"]["total"] == 5


def test_a_file_that_is_gone_stops_the_run_where_it_is(fanwise) -> None:
    """It doesn't fail, so it goes on once the file is back."""
    was = Path("names.txt").stat()
    Path("names.txt").rename("elsewhere.txt")
    told = fanwise("resume", "torn")
    assert told.status == 2
    assert "there is no such file, and each has read only some of its items." in told.err
    Path("elsewhere.txt").rename("names.txt")
    os.utime("names.txt", ns=(was.st_atime_ns, was.st_mtime_ns))
    assert fanwise("resume", "torn").status == 0


def test_changed_code_of_an_action_is_noticed(fanwise) -> None:
    """The run goes on with it."""
    file = Path("actions.py")
    file.write_text(file.read_text().replace("    return n\n", "    return n + 0\n"))
    told = fanwise("resume", "dead")
    assert told.status == 0
    notice = "Notice: the code of my.list, my.each has changed since the run started"
    assert f"{notice} ({file.absolute()})\n" in told.err


def test_a_workflow_that_has_changed_makes_no_difference(fanwise) -> None:
    """A run keeps the one that it started with, also if the file is gone."""
    Path("flow.yaml").write_text("tasks: []")
    assert fanwise("resume", "dead").out == "4\n"
    Path("flow.yaml").unlink()
    assert fanwise("resume", "held").out == "4\n"


@pytest.mark.parametrize("command", ["resume", "cancel"])
def test_actions_that_are_gone_are_told(fanwise, command: str) -> None:
    """With the task that calls them, and where they may be."""
    Path("actions.py").unlink()
    told = fanwise(command, "dead")
    assert told.status == 2
    assert 'unknown-action  task "list" calls "my.list"' in told.err
    assert "name its pack with --packs" in told.err
    Path("packs/my").mkdir(parents=True)
    Path("packs/my/actions.py").write_text(ACTIONS)
    assert fanwise(command, "dead", "--packs", "packs").status == 0


def test_a_run_that_a_newer_version_has_recorded_is_left_alone(fanwise) -> None:
    """The message says so in one line."""
    with closing(sqlite3.connect("runs.db")) as connection:
        connection.execute("UPDATE events SET kind = 'TaskDreamt' WHERE kind = 'TaskEnded'")
        connection.commit()
    for command, run_id in (("resume", "dead"), ("resume", "held"), ("retry", "bad")):
        told = fanwise(command, run_id)
        assert is_refused(told)
        assert told.err.startswith(f"run {run_id} was recorded by a newer version of fanwise")
        assert told.err.endswith("Upgrade fanwise.\n")


def test_a_store_of_a_newer_version_is_refused_by_all(fanwise) -> None:
    """Before anything happens."""
    with closing(sqlite3.connect("runs.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    for arguments in (["recover"], *([command, "dead"] for command in EACH)):
        told = fanwise(*arguments)
        assert is_refused(told)
        assert "made by a newer version of fanwise (revision 9999). Upgrade fanwise" in told.err


# Retrying


def test_a_retry_tells_what_it_keeps_and_why(fanwise) -> None:
    """And runs the failed item alone, and what comes after it."""
    told = fanwise("retry", "bad", "--json")
    assert (told.status, json.loads(told.out)["output"]) == (0, 4)
    assert "Notice: runs each (1 of 4 items), after; keeps list\n" in told.err
    assert calls() == [2, 100]


def test_a_retry_that_fails_again_has_the_exit_status_of_that(fanwise) -> None:
    """And can be retried once more."""
    set_mood("fails")
    assert fanwise("retry", "bad").status == 1
    set_mood("")
    assert fanwise("retry", "bad").status == 0


def test_a_retry_starts_again_at_a_task(fanwise) -> None:
    """Also if nothing had failed."""
    told = fanwise("retry", "good", "--from", "each")
    assert told.status == 0
    assert calls() == [0, 1, 2, 3, 100]
    told = fanwise("retry", "good", "--from", "eech")
    assert is_refused(told)
    assert told.err == 'run good has not run a task "eech". Did you mean "each"?\n'


def test_a_retry_says_that_the_file_has_changed(fanwise) -> None:
    """The recorded text runs, which whoever has repaired the file may not expect."""
    Path("broken").unlink(missing_ok=True)
    assert "--file" not in fanwise("retry", "good", "--from", "each").err
    Path("flow.yaml").write_text(f"{FLOW}# repaired\n")
    told = fanwise("retry", "good", "--from", "each")
    assert told.status == 0
    (line,) = [line for line in told.err.splitlines() if "its recorded text has run" in line]
    assert line.startswith(str(Path("flow.yaml").absolute()))
    assert " retry good --file " in line


def test_a_repaired_workflow_keeps_the_names_of_what_was_recorded(fanwise) -> None:
    """Otherwise the message says which task has no place, and what it may be called now."""
    Path("renamed.yaml").write_text(FLOW.replace("list", "lists").replace("my.lists", "my.list"))
    told = fanwise("retry", "bad", "--file", "renamed.yaml")
    assert is_refused(told)
    assert told.err.startswith(
        'renamed.yaml  has no task "list", of which run bad has recorded work.'
    )
    assert 'Is it called "lists" now?' in told.err
    fixed = FLOW.replace('input: {n: "{{ item }}"', 'input: {n: "{{ item * 10 }}"')
    Path("fixed.yaml").write_text(fixed)
    told = fanwise("retry", "bad", "--file", "fixed.yaml")
    assert told.status == 0
    assert "Notice: list: kept, since it has succeeded\n" in told.err
    assert calls() == [20, 100]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "repaired.yaml  can't be read: No such file or directory."),
        ("tasks: [{nam: list}]", 'unknown-key  "nam" is not a key of a task.'),
        ("", "not-a-workflow"),
    ],
)
def test_a_repaired_workflow_with_problems_is_refused(
    fanwise, text: str | None, message: str
) -> None:
    """As by `fanwise run`, and the run stays as it is."""
    if text is not None:
        Path("repaired.yaml").write_text(text)
    told = fanwise("retry", "bad", "--file", "repaired.yaml")
    assert told.status == 2
    assert message in told.err
    assert status_of(fanwise, "bad") == "failed"


# Pausing and cancelling


@pytest.fixture
def driven(store: Store) -> Callable[[], RequestKind | None]:
    """The run `dead` is driven by this process; returns what it is asked for."""
    record = store.run("dead")
    assert record is not None
    held = store.lease(record.run_no)
    assert held is not None
    ten_minutes_ago = open_sqlite(store.place, now=lambda: time.time() - 600)
    with ten_minutes_ago as earlier:
        engine_no = earlier.enroll(SystemProcesses().this())
        assert earlier.acquire(record.run_no, engine_no, after=held.token)

    def asked() -> RequestKind | None:
        kinds = [each.kind for each in store.requests(record.run_no)]
        return kinds[-1] if kinds else None

    return asked


@pytest.mark.parametrize("command", ["pause", "cancel"])
def test_a_run_that_is_driven_is_asked(fanwise, driven, command: str) -> None:
    """Whoever drives it does the rest."""
    told = fanwise(command, "dead", "--no-wait")
    assert (told.status, told.out) == (0, "Run dead is still running.\n")
    assert driven() == command
    told = fanwise(command, "dead", "--no-wait", "--json")
    assert json.loads(told.out) == {"run_id": "dead", "status": "running"}
    assert f"and asked to {command}" in fanwise("show", "dead").out


def test_a_run_that_is_driven_is_nobody_elses(fanwise, driven) -> None:
    """The message says whose it is, and since when; others see it running."""
    told = fanwise("resume", "dead")
    assert is_refused(told)
    assert f"run dead is driven by process {os.getpid()} on " in told.err
    assert "for 10 min" in told.err
    assert fanwise("recover").err.startswith("1 interrupted run.\n")  # the other one
    assert 100 not in calls()  # the clean-up of this one


@pytest.mark.parametrize("run_id", ["held", "dead"])
def test_a_run_that_nobody_drives_is_cancelled_here(fanwise, run_id: str) -> None:
    """Nothing runs but its clean-up."""
    told = fanwise("cancel", run_id)
    assert told.status == 0
    assert f"Run {run_id} of flow  cancelled" in told.err
    assert calls() == [100]
    assert status_of(fanwise, run_id) == "cancelled"
    told = fanwise("retry", run_id)
    assert told.out == "4\n"


def test_cancel_prints_the_run_as_json(fanwise) -> None:
    """With all that `fanwise run --json` has."""
    cancelled = json.loads(fanwise("cancel", "held", "--json").out)
    assert (cancelled["run_id"], cancelled["status"]) == ("held", "cancelled")
    assert cancelled["tasks"]["after"]["status"] == "cancelled"


# Looking


def test_runs_that_nobody_drives_are_found(fanwise, driven) -> None:
    """They aren't among the running ones, nor the other way round."""

    def found(*options: str) -> list[str]:
        lines = fanwise("runs", "--json", *options).out.splitlines()
        return [json.loads(line)["run_id"] for line in lines]

    assert found("--status", "interrupted") == ["torn"]
    assert found("--status", "interrupted", "--workflow", "flow") == []
    assert found("--status", "running") == ["dead"]
    assert found("--status", "paused") == ["held", "mute"]
    assert found("--limit", "2") == ["torn", "dead"]
    assert found("--before", "dead") == ["held", "bad", "good", "mute"]


@pytest.mark.parametrize("command", ["run", "resume", "retry", "recover"])
def test_a_grace_that_is_no_time_is_refused(fanwise, command: str) -> None:
    """Before anything happens."""
    target = {"run": ["flow.yaml"], "recover": []}.get(command, ["dead"])
    told = fanwise(command, *target, "--grace", "soon")
    assert told.status == 2
    assert "--grace takes a duration such as" in told.err
    assert "Traceback" not in told.err
