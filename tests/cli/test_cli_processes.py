"""Whole processes: signals, terminals, and what is imported."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

FANWISE = [sys.executable, "-m", "fanwise"]

# Each item says that it runs, and then waits to be let go.
FLOW = """\
tasks:
  - name: wait
    action: my.wait
    with-items: {range: 5}
    concurrency: 1
    input: {n: "{{ item }}"}
  - name: after
    action: core.noop
"""
ACTIONS = """\
import fanwise

@fanwise.action("my.wait")
def wait(n: int) -> int:
    with open("running", "w") as pipe:
        pipe.write(f"{n}\\n")
    with open("go") as pipe:
        pipe.read()
    return n
"""


@pytest.fixture(autouse=True)
def flow(folder: Path, write):
    write(**{"flow.yaml": FLOW, "actions.py": ACTIONS})
    os.mkfifo("running")
    os.mkfifo("go")


def wait_for_item() -> int:
    """The index of the item that begins to run next."""
    with Path("running").open() as pipe:
        return int(pipe.read())


def let_go() -> None:
    """Have the item that runs end."""
    with Path("go").open("w") as pipe:
        pipe.write("go")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_pauses_the_run_after_what_is_in_flight(folder: Path, number: int):
    """The item that runs ends and is recorded, no other starts, and the status is 130."""
    command = [*FANWISE, "run", "flow.yaml", "--run-id", "r1", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert wait_for_item() == 0
        let_go()
        assert wait_for_item() == 1
        process.send_signal(number)
        said = next(line for line in process.stderr if "Finishing" in line)
        assert "press Ctrl-C again to stop at once" in said
        let_go()
        out, err = process.communicate()
    assert process.returncode == 130
    assert json.loads(out)["status"] == "paused"
    assert err.splitlines()[-1].endswith("Resume with: fanwise resume r1")
    items = subprocess.run(
        [*FANWISE, "items", "r1", "wait", "--json"], capture_output=True, check=True
    )
    assert [json.loads(line)["output"] for line in items.stdout.splitlines()] == [0, 1]
    shown = subprocess.run([*FANWISE, "show", "r1"], capture_output=True, check=True, text=True)
    assert re.search(r"wait +paused", shown.stdout)
    assert re.search(r"after +pending", shown.stdout)


def test_a_second_signal_stops_at_once_and_keeps_what_is_recorded(folder: Path):
    """Nobody lets the item go; the process ends all the same."""
    command = [*FANWISE, "run", "flow.yaml", "--run-id", "r1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert wait_for_item() == 0
        let_go()
        assert wait_for_item() == 1
        process.send_signal(signal.SIGINT)
        next(line for line in process.stderr if "Finishing" in line)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert "Traceback" not in process.stderr.read()
    items = subprocess.run(
        [*FANWISE, "items", "r1", "wait", "--json"], capture_output=True, check=True
    )
    assert [json.loads(line)["index"] for line in items.stdout.splitlines()] == [0]


def test_a_terminal_shows_a_bar_and_the_cursor_comes_back(folder: Path):
    """While the task runs there is a bar with its counts; at the end only lines are left."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [*FANWISE, "run", "flow.yaml"], stdout=subprocess.PIPE, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        assert wait_for_item() == 0
        shown = read_until(ours, r"wait.*━.*0/5 done, 1 running")
        let_go()
        assert wait_for_item() == 1
        shown = read_until(ours, r"1/5 done, 1 running.*/s, \d+ s left")
        let_go()
        for index in range(2, 5):
            assert wait_for_item() == index
            let_go()
        shown += read_until(ours, None)
        out, _ = process.communicate()
    assert process.returncode == 0
    assert out == b""
    assert re.search(r"wait  succeeded  5/5 done", shown)
    assert shown.rindex("\x1b[?25h") > shown.rindex("━")


ASIDE = """
import os, subprocess, sys, threading
import fanwise

def fail(word: str) -> None:
    raise ValueError(word)

@fanwise.action("my.say")
def say(word: str) -> None:
    own = threading.Thread(target=fail, args=(word,))
    own.start()
    own.join()
    os.write(1, b"written\\n")
    subprocess.run(["echo", "child"])
    print("original", file=sys.__stdout__)
"""


def test_standard_output_holds_the_result_alone(folder: Path):
    """However an action writes: past Python's streams, by a child process, by a failing thread."""
    (folder / "actions.py").write_text(ASIDE)
    text = 'tasks: [{name: a, action: my.say, input: {word: "{{ secrets.WORD }}"}}]\noutput: 1\n'
    (folder / "say.yaml").write_text(text)
    environment = {**os.environ, "FANWISE_SECRET_WORD": "hunter2xyz"}
    done = subprocess.run(
        [*FANWISE, "run", "say.yaml"], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "1\n"
    assert {"written", "child", "original", "ValueError: ***"} <= set(done.stderr.splitlines())
    assert "hunter2xyz" not in done.stderr


ASK = """
tasks:
  - name: ask
    action: core.ask
    timeout: 3d
    input: {prompt: "Deploy?", answer: {percent: {type: integer, maximum: 100, default: 10}}}
output: "{{ task.ask.output }}"
"""


def test_a_question_is_asked_at_the_terminal_and_the_run_goes_on(folder: Path):
    """An answer that doesn't fit is asked for again."""
    (folder / "ask.yaml").write_text(ASK)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*FANWISE, "run", "ask.yaml"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "dumb"},
    ) as process:
        os.close(theirs)
        for prompt, line in (
            ("approve or reject: $", "aprove"),
            ("Did you mean.*approve or reject: $", "approve"),
            (r"percent \(integer, default 10\): $", "many"),
            (r"whole number.*percent \(.*\): $", "200"),
            (r"100 or less.*percent \(.*\): $", "25"),
        ):
            read_until(ours, f"(?s){prompt}")
            os.write(ours, f"{line}\n".encode())
        out, _ = process.communicate()
    os.close(ours)
    assert process.returncode == 0
    given = json.loads(out)
    assert (given["choice"], given["answer"]) == ("approve", {"percent": 25})
    assert given["via"] == "terminal"


@pytest.mark.parametrize("option", [(), ("--no-input",)])
def test_a_question_stays_open_at_the_end_of_the_input(folder: Path, option: tuple[str, ...]):
    """Or if nothing is to be asked: the run waits, as it does without a terminal."""
    (folder / "ask.yaml").write_text(ASK)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*FANWISE, "run", "ask.yaml", *option],
        stdin=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "dumb"},
    ) as process:
        os.close(theirs)
        if not option:
            read_until(ours, "approve or reject: $")
            os.write(ours, b"\x04")
        shown = read_until(ours, None)
    os.close(ours)
    assert process.returncode == 3
    assert "The run waits" in shown


def read_until(terminal: int, pattern: str | None) -> str:
    """What the terminal shows up to the pattern, or to the end; escapes of colours are left out."""
    shown = b""
    while True:
        text = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode(errors="ignore"))
        if pattern is not None and re.search(pattern, text):
            return text
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # how Linux says that the other side is closed
            part = b""
        if not part:
            assert pattern is None, f"{pattern} never came; instead: {text}"
            return text
        shown += part


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], ["asyncio", "msgspec", "pydantic", "sqlalchemy", "rich", "aiohttp", "yaml"]),
        (["validate", "good.yaml"], ["asyncio", "sqlalchemy", "rich", "aiohttp"]),
        (["run", "good.yaml"], ["alembic", "rich.progress", "aiohttp"]),
    ],
)
def test_a_command_imports_only_what_it_uses(folder: Path, write, arguments, heavy):
    """What it leaves out is what would make it start slowly."""
    write(**{"good.yaml": "tasks:\n  - name: a\n    action: core.noop\n", "actions.py": ""})
    code = (
        "import sys, fanwise.cli\n"
        "try: fanwise.cli.main(sys.argv[1:])\n"
        "except SystemExit as ended: assert not ended.code\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, check=True, text=True
    )
    loaded = done.stderr.splitlines()[-1].split()
    assert [name for name in heavy if name in loaded] == []


def test_text_that_an_encoding_lacks_is_escaped(folder: Path, write):
    """A terminal that knows ASCII only gets the results all the same."""
    write(**{"flow.yaml": "tasks: [{name: a, action: core.noop}]\noutput: größer\n"})
    done = subprocess.run(
        [*FANWISE, "run", "flow.yaml"],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0
    assert done.stdout == b'"gr\\xf6\\xdfer"\n'


def test_closed_streams_are_no_reason_to_fail(folder: Path, write):
    """A service may start fanwise with neither standard output nor standard error."""
    write(**{"flow.yaml": "tasks: [{name: a, action: core.noop}]\noutput: 1\n"})
    command = f"exec {sys.executable} -m fanwise run flow.yaml >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], check=False).returncode == 0
    assert (
        b"succeeded" in subprocess.run([*FANWISE, "runs"], capture_output=True, check=True).stdout
    )
