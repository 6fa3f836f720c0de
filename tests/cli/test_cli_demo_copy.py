"""`fanwise demo NAME --copy DIR`: a folder with all that it takes to run and change a demo."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fanwise.demos import DEMOS
from fanwise.demos.stage import demo_folder

FILES = ["README.md", "actions.py", "prepare.py", "workflow.yaml"]


@pytest.mark.parametrize("name", DEMOS)
def test_a_copy_is_a_workflow_that_is_right(fanwise, folder: Path, name: str):
    """With its actions, its input's maker, and a page that says how to run it."""
    told = fanwise("demo", name, "--copy", "deep/down")
    assert told.status == 0
    assert sorted(file.name for file in (folder / "deep" / "down").iterdir()) == FILES
    assert all(file in told.out for file in FILES)
    assert fanwise("validate", "deep/down/workflow.yaml").status == 0
    commands = re.search(
        r"```sh\n(.*?)```", (folder / "deep/down/README.md").read_text(), re.DOTALL
    )
    assert commands
    assert "python prepare.py" in commands[1]


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("monitor", ["2027-01-01T00:00:00Z", "2027-01-01T00:05:00Z"]),
        ("logs", ["2027-01-01T00:00:00Z", "2027-01-01T00:05:00Z"]),
        ("notify", ["2027-01-01T08:00:00Z", "2027-02-01T08:00:00Z"]),
    ],
)
def test_a_workflow_runs_by_itself(fanwise, name: str, times: list[str]):
    """Every five minutes, or on the first of each month."""
    file = str(demo_folder(name) / "workflow.yaml")
    told = fanwise("triggers", "next", file, "--from", "2026-12-31T23:59:00Z", "--count", "2")
    assert [time for time in times if time in told.out] == times


def test_no_file_is_overwritten(fanwise, folder: Path):
    """One line says which are there, and nothing is copied."""
    (folder / "mine").mkdir()
    (folder / "mine" / "actions.py").write_text("mine")
    told = fanwise("demo", "logs", "--copy", "mine")
    assert told.status == 2
    assert told.err.count("\n") == 1
    assert "mine has files that would be overwritten: actions.py" in told.err
    assert [file.read_text() for file in (folder / "mine").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--copy", "there"], "takes one demo"),
        (["logs", "--copy", "there", "--lines", "500"], "runs nothing"),
        (["logs", "--copy", "file"], "can't be copied to file: file exists"),
        (["logs", "--copy", "file/below"], "can't be copied to file/below: not a directory"),
    ],
)
def test_a_copy_that_cannot_be_made_is_one_line(
    fanwise, folder: Path, arguments: list[str], why: str
):
    """It says why, and leaves nothing behind."""
    (folder / "file").touch()
    told = fanwise("demo", *arguments)
    assert told.status == 2
    assert told.err.count("\n") == 1
    assert why in told.err
    assert [file.name for file in folder.iterdir()] == ["file"]


def prepare(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "prepare.py", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_copy_of_the_log_pipeline_runs_as_its_page_says(fanwise, folder: Path):
    """The workflow finds what the server says that it has answered."""
    fanwise("demo", "logs", "--copy", "copy")
    with prepare(folder / "copy", "--lines", "300") as process:
        out, _ = process.communicate()
    told = fanwise("run", "copy/workflow.yaml")
    assert told.status == 0
    answers = dict(re.findall(r"(\d{3}): (\d+)", out.rpartition("Answers")[2]))
    assert answers["200"] in told.out
    for status, number in answers.items():
        assert f'"{status}": {number}' in told.out


def test_a_copy_of_the_monitoring_runs_as_its_page_says(fanwise, folder: Path):
    """While its servers answer, they are checked; when they are gone, every check fails."""
    fanwise("demo", "monitor", "--copy", "copy")
    with prepare(folder / "copy", "--servers", "40") as process:
        assert process.stdout
        assert process.stdout.readline().startswith("40 servers answer at http://127.0.0.1:")
        told = fanwise("run", "copy/workflow.yaml")
        process.terminate()
    assert told.status == 0
    assert '"checked": 40' in told.out
    assert '"failed": 1,' in told.out


def test_a_copy_of_the_notifications_runs_as_its_page_says(fanwise, folder: Path):
    """The mail is in the server's log; a server that dies fails the run."""
    fanwise("demo", "notify", "--copy", "copy")
    ports = ["--users-port", "0", "--mail-port", "0"]
    for more, status in (["--messages", "84"], 0), (["--messages", "84", "--die-after", "9"], 1):
        log = folder / "copy" / "mail.log"
        log.unlink(missing_ok=True)
        with prepare(folder / "copy", *ports, *more) as process:
            assert process.stdout
            assert process.stdout.readline().startswith("84 users want news.")
            assert process.stdout.readline() == "\n"
            _, _, *arguments = process.stdout.readline().split()
            assert arguments[0] == "workflow.yaml"
            told = fanwise("run", "copy/workflow.yaml", *arguments[1:])
            process.terminate()
        assert told.status == status
        assert log.read_text().count('"taken"') == (9 if status else 83)


def test_a_port_that_is_taken_is_one_line_of_why(fanwise, folder: Path):
    """The second server doesn't start, and no traceback is shown."""
    fanwise("demo", "monitor", "--copy", "copy")
    with prepare(folder / "copy", "--servers", "1") as first:
        assert first.stdout
        found = re.search(r":(\d+);", first.stdout.readline())
        assert found
        with prepare(folder / "copy", "--port", found[1]) as second:
            _, err = second.communicate()
        first.terminate()
    assert second.returncode == 1
    assert "address already in use. Name another port" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("demo", "option", "value"),
    [
        ("monitor", "--port", "65536"),
        ("monitor", "--servers", "0"),
        ("logs", "--lines", "-1"),
        ("notify", "--mail-port", "http"),
        ("notify", "--messages", "many"),
    ],
)
def test_a_number_that_cannot_be_is_told_before_anything_starts(
    fanwise, folder: Path, demo: str, option: str, value: str
):
    """The last line names the option, and what it takes."""
    fanwise("demo", demo, "--copy", "copy")
    with prepare(folder / "copy", option, value) as process:
        out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert re.search(rf"argument {option}: .* number from [01]", err.splitlines()[-1])
