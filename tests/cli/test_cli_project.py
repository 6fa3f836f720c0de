"""A store by project: `fanwise.yaml` is found from the workflow's folder upward."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fanwise import open_store, submit

FLOW = "tasks: [{name: a, action: core.noop}]\n"


@pytest.fixture
def project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `fanwise.yaml`, and a workflow two folders below."""
    monkeypatch.delenv("FANWISE_STORE")
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "home"))
    flows = folder / "project" / "flows" / "nightly"
    flows.mkdir(parents=True)
    (flows / "flow.yaml").write_text(FLOW)
    (folder / "project" / "fanwise.yaml").write_text("store: data/runs.db\n")
    return folder / "project"


def test_runs_go_into_the_store_of_the_workflows_project(fanwise, project, monkeypatch):
    """From whatever folder they are started; a command that looks starts from its own folder."""
    assert fanwise("run", str(project / "flows/nightly/flow.yaml"), "--run-id", "r").status == 0
    assert (project / "data" / "runs.db").exists()
    monkeypatch.chdir(project / "flows")
    assert json.loads(fanwise("show", "r", "--json").out)["status"] == "succeeded"
    monkeypatch.chdir(project.parent)
    assert fanwise("show", "r").status == 2


def test_submitted_runs_go_into_it_too(fanwise, project):
    """From the command line and from Python."""
    flow = project / "flows/nightly/flow.yaml"
    by_command = fanwise("submit", str(flow)).out.strip()
    by_python = submit(flow).id
    with open_store(str(project / "data" / "runs.db")) as store:
        assert {run.id for run in store.runs()} == {by_command, by_python}


def test_an_option_and_the_environment_go_before_the_project(fanwise, project, monkeypatch):
    """And where no file names a store it is the user's own."""
    monkeypatch.chdir(project)
    flow = "flows/nightly/flow.yaml"
    fanwise("run", flow, "--run-id", "r", "--store", "other.db")
    assert (project / "other.db").exists()
    monkeypatch.setenv("FANWISE_STORE", "third.db")
    fanwise("run", flow, "--run-id", "r")
    assert (project / "third.db").exists()
    monkeypatch.delenv("FANWISE_STORE")
    (project / "fanwise.yaml").write_text("# nothing yet\n")
    fanwise("run", flow, "--run-id", "r")
    assert (project.parent / "home" / "fanwise" / "fanwise.db").exists()
    assert not (project / "data").exists()


@pytest.mark.parametrize("store", ["sqlite:///data/runs.db", "data/runs.db?durability=full"])
def test_a_url_in_the_file_is_relative_to_it(fanwise, project, store):
    """Settings behind it stay."""
    (project / "fanwise.yaml").write_text(f"store: {store}\n")
    assert fanwise("run", str(project / "flows/nightly/flow.yaml")).status == 0
    assert (project / "data" / "runs.db").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "stor: runs.db\n",
            '1:1  unknown-key  fanwise.yaml has no key "stor". Did you mean "store"?',
        ),
        ("store: [1]\n", '1:8  bad-type  "store" is a list, and takes a path or a URL. '),
        ("- store\n", "1:1  bad-type  the file is a list, not a map. "),
        ("store: {{ x }}\n", "1:8  unquoted-template"),
        ("store: a\nstore: b\n", "2:1  duplicate-key"),
    ],
)
def test_what_is_wrong_with_the_file_is_told_with_its_place(fanwise, project, text, told):
    """As of workflows: file, line, column, code and remedy."""
    (project / "fanwise.yaml").write_text(text)
    done = fanwise("run", str(project / "flows/nightly/flow.yaml"))
    assert done.status == 2
    assert done.err.startswith(f"{project / 'fanwise.yaml'}:{told}")
    assert done.err.count("\n") == 1


def test_a_new_project_has_a_store_of_its_own(fanwise, project, monkeypatch):
    """Its runs aren't in another project's."""
    monkeypatch.chdir(project)
    fanwise("new", "words")
    assert fanwise("run", "words/workflow.yaml", "--run-id", "r").status == 0
    assert (project / "words" / ".fanwise" / "runs.db").exists()


def test_runs_are_deleted_by_their_ids(fanwise, project, monkeypatch):
    """Others stay; rules and ids exclude each other, and an unknown id deletes nothing."""
    monkeypatch.chdir(project)
    for run_id in ("first", "second", "third"):
        fanwise("run", "flows/nightly/flow.yaml", "--run-id", run_id)
    assert fanwise("prune", "first", "nowhere").status == 2
    assert fanwise("prune", "first", "--keep", "1").status == 2
    assert "Would delete 2 runs" in fanwise("prune", "first", "th", "--dry-run").out
    assert "Deleted 2 runs" in fanwise("prune", "first", "th").out
    runs = fanwise("runs", "--json").out.splitlines()
    assert [json.loads(run)["run_id"] for run in runs] == ["second"]
