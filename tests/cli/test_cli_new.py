"""`fanwise new`: a project that runs, validates and passes its own tests as it is made."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from fanwise.cli.app import app


def test_a_new_project_runs_at_once(fanwise, folder: Path, monkeypatch: pytest.MonkeyPatch):
    """It counts its own files; all counts are those of the files as they are."""
    assert fanwise("new", "my-words_2").status == 0
    monkeypatch.chdir(folder / "my-words_2")
    told = fanwise("run", "workflow.yaml", "--json")
    assert told.status == 0
    run = json.loads(told.out)
    texts = [file.read_text() for file in Path().iterdir() if file.is_file()]
    assert run["workflow"] == "my-words_2"
    assert run["output"] == {
        "files": len(texts),
        "failed": 0,
        "lines": sum(len(text.splitlines()) for text in texts),
        "words": sum(len(text.split()) for text in texts),
    }


def test_a_new_project_is_free_of_problems_and_warnings(fanwise, folder: Path):
    """For `fanwise validate`, and for editors, by the schema that its first line names."""
    fanwise("new", "words")
    told = fanwise("validate", "words/workflow.yaml")
    assert (told.status, told.out) == (0, "words/workflow.yaml  ok: 2 tasks, 1 parameter\n")
    text = (folder / "words" / "workflow.yaml").read_text()
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert named is not None
    schema = json.loads((folder / "words" / named[1]).read_text())
    assert schema == json.loads(fanwise("schema").out)
    assert Draft202012Validator(schema).is_valid(yaml.safe_load(text))


def test_the_store_of_a_new_project_is_for_no_version_control(fanwise, folder: Path):
    """Its folder says so itself, in a new folder as in the current one."""
    for name, place in (("words", folder / "words"), (".", folder)):
        assert fanwise("new", name).status == 0
        assert (place / ".fanwise" / ".gitignore").read_text() == "*\n"


def test_the_tests_of_a_new_project_pass(fanwise, folder: Path):
    """As its README says, in a process of their own."""
    fanwise("new", "words")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=folder / "words",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert "4 passed" in ran.stdout


def test_the_project_has_its_name_and_the_readme_only_commands_that_exist(fanwise, folder: Path):
    """Nothing of the templates' own name is left."""
    fanwise("new", "words")
    files = [file for file in (folder / "words").iterdir() if file.is_file()]
    texts = {file.name: file.read_text() for file in files}
    assert not any("my_project" in text for text in texts.values())
    assert texts["README.md"].startswith("# words\n")
    known = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert set(re.findall(r"fanwise ([a-z]+)", texts["README.md"])) <= known
    assert all(name in texts["README.md"] for name in texts if name != "README.md")


def test_it_ends_by_saying_what_to_do_next(fanwise):
    """In the order in which to do it."""
    told = fanwise("new", "words")
    steps = re.findall(
        r"^  (cd words|fanwise run workflow.yaml|python -m pytest)", told.out, re.MULTILINE
    )
    assert steps == ["cd words", "fanwise run workflow.yaml", "python -m pytest"]
    assert told.err == ""


def test_the_current_folder_becomes_a_project(
    fanwise, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """It gives the project its name; what it has already stays."""
    (folder / "words").mkdir()
    monkeypatch.chdir(folder / "words")
    Path("notes.txt").write_text("mine")
    told = fanwise("new", ".")
    assert told.status == 0
    assert "cd " not in told.out
    assert Path("notes.txt").read_text() == "mine"
    assert "name: words\n" in Path("workflow.yaml").read_text()
    assert fanwise("validate", "workflow.yaml").status == 0


def test_a_project_in_the_current_folder_overwrites_nothing(
    fanwise, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """If a file of its own is there already, no other is made."""
    (folder / "words").mkdir()
    monkeypatch.chdir(folder / "words")
    Path("actions.py").write_text("mine")
    told = fanwise("new", ".")
    assert told.status == 2
    assert told.err.startswith("actions.py  is there already")
    assert [file.name for file in Path().iterdir()] == ["actions.py"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_there_is_not_overwritten(fanwise, folder: Path, kind: str):
    """Not even an empty folder is touched."""
    there = folder / "words"
    there.mkdir() if kind == "folder" else there.write_text("mine")
    told = fanwise("new", "words")
    assert (told.status, told.out) == (2, "")
    assert told.err == (
        "words  is there already, and nothing of it is overwritten. Choose another name.\n"
    )
    assert list(there.iterdir()) == [] if kind == "folder" else there.read_text() == "mine"


@pytest.mark.parametrize(
    "name", ["", "..", "./a", "a/b", "../a", "/a", "1a", "_a", "a b", "a\nb", "a.b", "ä", "a" * 101]
)
def test_a_name_that_makes_no_sense_is_refused_in_one_line(fanwise, folder: Path, name: str):
    """A name becomes a folder, and stands in YAML and Markdown."""
    told = fanwise("new", "--", name)
    assert told.status == 2
    assert told.err.endswith(
        "Use letters, digits, - and _, at most 100, and a letter at the start.\n"
    )
    assert told.err.count("\n") == 1
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(
    fanwise, monkeypatch: pytest.MonkeyPatch, folder: Path
):
    """The working folder has gone, say."""
    gone = folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    told = fanwise("new", "words")
    assert told.status == 2
    assert told.err == (
        "words  can't be made: No such file or directory. Go to a folder that you may write to.\n"
    )
