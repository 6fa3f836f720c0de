"""`fanwise db`, `prune` and `export`: keeping a store in order."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from fanwise.cli.commands.prune import choose
from fanwise.model import EndedRun, Status
from fanwise.stores import open_store, schema
from fanwise.stores.sqlite_files import APPLICATION_ID
from fanwise.testing.store_contract import a_run, an_item

GOLDEN = Path(__file__).parents[1] / "stores" / "golden" / "0001.sqlite"
DAY_S = 86_400.0


@pytest.fixture
def path(folder: Path) -> Path:
    """The store of the command line, with what the first revision recorded, upgraded."""
    return folder / "runs.db"


@pytest.fixture(autouse=True)
def upgraded(fanwise, path):
    shutil.copy(GOLDEN, path)
    assert fanwise("db", "upgrade", "--no-copy").status == 0


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def ids(fanwise) -> list[str]:
    return [run["run_id"] for run in lines(fanwise("runs", "--json").out)]


# what an older fanwise has recorded


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["runs", "--json"], '"run_id":"survey"'),
        (["show", "survey"], '"checked": 12'),
        (["show", "survey", "--within", "visit[1]"], "knock  succeeded"),
        (["show", "broken"], "DeadEnd: no way on"),
        (["show", "paused"], "each   paused"),
        (["items", "survey", "check", "--status", "failed"], "Down: host 8 is down"),
        (["items", "survey", "check", "--json"], f'"body":"{"ü" * 3_000}"'),
        (["items", "paused", "each"], '{"waited":0}'),
        (["logs", "survey"], "check[3] höst-03 attempt 2  checking 3"),
        (["logs", "survey", "visit[1]"], "visit[1].knock  knocking at 1"),
        (["export", "survey"], '"path":"visit[2].enter"'),
        (["db", "check"], "3: 1 failed, 1 paused, 1 succeeded"),
    ],
)
def test_every_command_reads_it(fanwise, arguments, told):
    """Fan-out, failures, children, long results, logs, and a run that is paused."""
    done = fanwise(*arguments)
    assert done.status == 0
    assert told in done.out


# db


def before_the_first_revision(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA application_id = {APPLICATION_ID}; VACUUM;")


def test_check_tells_what_is_in_the_store(fanwise, path):
    """For people, and for programs as one object."""
    told = fanwise("db", "check")
    assert (told.status, told.err) == (0, "")
    facts = dict(line.split(maxsplit=1) for line in told.out.splitlines())
    assert facts["Store"] == str(path)
    assert facts["Revision"] == f"{schema.REVISIONS[-1]}, the newest"
    assert facts["Damage"] == "none"
    found = json.loads(fanwise("db", "check", "--json").out)
    assert found.pop("size_bytes") > found.pop("free_bytes") + 50_000
    assert found == {
        "store": str(path),
        "revision": schema.REVISIONS[-1],
        "newest_revision": schema.REVISIONS[-1],
        "runs": {"failed": 1, "paused": 1, "succeeded": 1},
        "leftovers": 0,
        "problems": [],
    }


def test_check_ends_with_2_if_something_is_damaged(fanwise, path):
    """Each problem is a line."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM payloads")
    told = fanwise("db", "check")
    assert told.status == 2
    assert "Damage     2 problems" in told.out
    assert "items without the result that they had in payloads: " in told.out
    assert len(json.loads(fanwise("db", "check", "--json").out)["problems"]) == 2


def test_an_older_store_is_refused_until_it_is_upgraded(fanwise, path):
    """Each command names the one that upgrades it, and `db check` tells the revisions."""
    before_the_first_revision(path)
    for arguments in (["runs"], ["export", "survey"], ["prune", "--keep", "1"]):
        told = fanwise(*arguments)
        assert told.status == 2
        assert told.err.count("\n") == 1
        assert (
            f"older version of fanwise (revision -, this one uses {schema.REVISIONS[-1]})"
            in told.err
        )
        assert f"fanwise db upgrade --store {path}" in told.err
    checked = fanwise("db", "check")
    assert checked.status == 2
    assert f"older than {schema.REVISIONS[-1]}: see fanwise db upgrade" in checked.out
    upgraded = fanwise("db", "upgrade")
    assert upgraded.status == 0
    assert f"from revision - to {schema.REVISIONS[-1]}." in upgraded.out
    assert f"The store as it was: {path}.old.bak" in upgraded.out
    assert fanwise("runs").status == 0


def test_upgrading_a_store_of_the_newest_revision_does_nothing(fanwise, path):
    """And says so, with the same revision twice as JSON."""
    before = path.read_bytes()
    newest = schema.REVISIONS[-1]
    assert "Nothing to do." in fanwise("db", "upgrade").out
    found = json.loads(fanwise("db", "upgrade", "--json").out)
    assert found == {"from": newest, "to": newest, "copy": None}
    assert path.read_bytes() == before


def test_a_newer_store_is_refused_by_each_command(fanwise, path):
    """With one line that says what to do."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for arguments in (["db", "check"], ["db", "upgrade"], ["prune", "--keep", "1"], ["runs"]):
        told = fanwise(*arguments)
        assert told.status == 2
        assert told.err.count("\n") == 1
        assert "newer version of fanwise (revision 9999). Upgrade fanwise" in told.err


@pytest.mark.parametrize(
    "arguments", [["db", "check"], ["db", "upgrade"], ["prune", "--keep", "1"], ["export", "a"]]
)
def test_what_is_no_store_is_one_line(fanwise, folder, arguments):
    """A file that is missing or something else is named, and left as it is."""
    (folder / "notes.txt").write_text("no store\n" * 100)
    for name, cause in (("none.db", "there is no store"), ("notes.txt", "isn't a SQLite database")):
        told = fanwise(*arguments, "--store", name)
        assert told.status == 2
        assert told.err.count("\n") == 1
        assert f"{folder / name}: " in told.err
        assert cause in told.err
    assert not (folder / "none.db").exists()


# prune


def test_prune_deletes_what_ended_long_ago(fanwise, folder):
    """With --older-than, and tells how many runs of which status."""
    with open_store("runs.db") as store:
        store.create_run(a_run("recent", status=Status.SUCCEEDED, ended_at=4e9))
    told = fanwise("prune", "--older-than", "0")
    assert told.status == 0
    assert "Deleted 2 runs (1 succeeded, 1 failed), with" in told.out
    assert "now." in told.out
    assert ids(fanwise) == ["recent", "paused"]
    assert fanwise("show", "survey").status == 2
    assert fanwise("prune", "--older-than", "0s").out.startswith("Nothing to delete.\n")


def test_prune_frees_space_and_tells_how_much(fanwise, path):
    """As JSON too; with --vacuum all that is free is given back."""
    with open_store(str(path)) as store:
        run_no = store.create_run(a_run("large", status=Status.FAILED))
        store.commit([an_item(run_no, index, output=b"1" * 4_000) for index in range(1_000)])
    large = path.stat().st_size
    found = json.loads(fanwise("prune", "--keep", "0", "--vacuum", "--json").out)
    assert found["freed_bytes"] > 3_000_000
    assert found["free_bytes"] == 0
    assert found["size_bytes"] == path.stat().st_size == large - found["freed_bytes"]
    assert found["runs"] == ["survey", "broken", "large"]
    assert found["rows"] > 1_000
    assert not found["dry_run"]


def test_a_dry_run_of_prune_changes_nothing(fanwise, path):
    """It lists what would be deleted, the oldest first."""
    before = path.read_bytes()
    told = fanwise("prune", "--keep", "0", "--dry-run")
    assert [line.split()[:1] for line in told.out.splitlines()] == [
        *(["RUN"], ["survey"], ["broken"], [], ["Would"])
    ]
    found = json.loads(fanwise("prune", "--keep", "0", "--dry-run", "--json").out)
    assert found["dry_run"]
    assert found["runs"] == ["survey", "broken"]
    assert fanwise("prune", "--keep", "9", "--dry-run").out == "Nothing would be deleted.\n"
    assert path.read_bytes() == before


def test_prune_deletes_a_paused_run_only_if_asked(fanwise, folder):
    """And one that runs, or hasn't started, never."""
    with open_store("runs.db") as store:
        for status in (Status.RUNNING, Status.PENDING):
            store.create_run(a_run(status.value, status=status, created_at=1.0))
    fanwise("prune", "--keep", "0")
    assert ids(fanwise) == ["pending", "running", "paused"]
    assert "Deleted 1 run (1 paused)" in fanwise("prune", "--keep", "0", "--status", "paused").out
    assert ids(fanwise) == ["pending", "running"]
    assert fanwise("prune", "--keep", "0", "--status", "running").status == 2


def test_prune_wants_to_know_which_runs(fanwise):
    """Without --older-than or --keep it deletes nothing; a wrong time is one line."""
    told = fanwise("prune")
    assert told.status == 2
    assert told.err.count("\n") == 1
    assert "--older-than TIME or --keep N" in told.err
    wrong = fanwise("prune", "--older-than", "a month")
    assert wrong.status == 2
    assert wrong.err.startswith("--older-than takes a duration such as ")
    assert len(ids(fanwise)) == 3


def test_prune_finishes_what_was_broken_off(fanwise, folder):
    """Rows that a deleted run has left go, also if there is no run to delete."""
    with open_store("runs.db") as store:
        assert store.delete_run(next(run for run in store.ended_runs() if run.id == "survey"))
    assert "of 1 deleted run" in fanwise("db", "check").out
    assert "that runs deleted before had left" in fanwise("prune", "--keep", "9").out
    assert "Leftovers" not in fanwise("db", "check").out


@pytest.mark.parametrize(
    ("statuses", "older_days", "keep", "chosen"),
    [
        ("sfc", 0, 0, "abcde"),
        ("sfc", 2, 0, "abcd"),
        ("sfc", 0, 2, "abc"),
        ("sfc", 5, 2, "a"),
        ("sfc", 2, 3, "ab"),
        ("f", 0, 0, "bd"),
        ("f", 0, 1, "b"),
        ("p", 0, 0, "f"),
        ("sfc", 9, 0, ""),
        ("sfc", 0, 9, ""),
    ],
)
def test_a_run_has_to_be_old_and_not_among_the_newest(statuses, older_days, keep, chosen):
    """The newest are those with the statuses; what is chosen comes the oldest first."""
    words = {status[0]: status for status in ("succeeded", "failed", "cancelled", "paused")}
    kinds = {"a": "s", "b": "f", "c": "c", "d": "f", "e": "s", "f": "p"}
    runs = [
        EndedRun(no, name, "flow", Status(words[kind]), (no - 5.5) * DAY_S)
        for no, (name, kind) in enumerate(kinds.items())
    ]
    wanted = {words[letter] for letter in statuses}
    found = choose(reversed(runs), wanted, -older_days * DAY_S, keep)
    assert "".join(run.id for run in found) == chosen


# export


def test_an_export_is_the_whole_run_line_by_line(fanwise):
    """First the run, then tasks, events, items and logs, each under its kind."""
    found = lines(fanwise("export", "surv").out)
    kinds = list(dict.fromkeys(line["kind"] for line in found))
    assert kinds == ["run", "visit", "event", "item", "log"]
    run = found[0]
    assert (run["format"], run["id"], run["output"]) == (2, "survey", {"checked": 12, "failed": 2})
    assert run["parameters"] == {"count": 12, "token": None}
    assert run["definition"].startswith("description: Fan-out")
    items = [line for line in found if line["kind"] == "item"]
    check, visit = ([item for item in items if item["visit_no"] == no] for no in (2, 3))
    assert [item["index"] for item in check] == list(range(12))
    assert check[4]["output"]["body"] == "ü" * 3_000
    assert check[8]["error"]["data"] == {"number": 8}
    assert len(visit) == 3
    assert found[-1]["text"] == "knocking at 2\n"
    assert not any("run_no" in line for line in found)


def test_an_export_holds_no_secret(fanwise, write):
    """What was given as one stands nowhere, also where an action has printed it."""
    write(
        **{
            "flow.yaml": "parameters: {token: {type: string, secret: true}}\n"
            "tasks: [{name: a, action: my.tell, input: {token: '{{ parameters.token }}'}}]\n",
            "actions.py": "import fanwise\n"
            "@fanwise.action('my.tell')\n"
            "def tell(token: str) -> int:\n    print(token)\n    raise ValueError(token)\n",
        }
    )
    fanwise("run", "flow.yaml", "-p", "token=hunter2", "--run-id", "tells")
    exported = fanwise("export", "tells")
    assert '"kind":"log"' in exported.out
    assert "hunter2" not in exported.out


def test_an_export_takes_no_more_memory_for_more_items(folder):
    """Lines are written as they are read."""
    with open_store("runs.db") as store:
        for run_id, count in (("few", 10), ("many", 60_000)):
            run_no = store.create_run(a_run(run_id))
            store.commit([an_item(run_no, index, output=b"1" * 500) for index in range(count)])
    few, many = (exported_with(run_id) for run_id in ("few", "many"))
    assert many < few + 8_000_000  # of lines that are 40 MB


def exported_with(run_id: str) -> int:
    """The bytes of memory that a process has held at most that exported this run."""
    code = (
        "import resource, sys, fanwise.cli\n"
        "try: fanwise.cli.main(['export', sys.argv[1]])\n"
        "except SystemExit as ended: assert not ended.code\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", code, run_id]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    return int(done.stderr) * 1024


def test_an_unknown_run_is_not_exported(fanwise):
    """With the nearest ids, as elsewhere."""
    told = fanwise("export", "suvrey")
    assert (told.status, told.out) == (2, "")
    assert told.err == 'the store has no run "suvrey". Did you mean "survey"?\n'


# the store's size


def test_runs_tells_where_the_store_is_and_how_large(fanwise, path):
    """Beside the results, so that these stay a table."""
    told = fanwise("runs")
    assert told.err == f"\nStore: {path}, {round(path.stat().st_size / 1_000)} KB\n"
    assert fanwise("runs", "--json").err == ""
