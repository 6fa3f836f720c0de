"""core.shell with real processes, which are really killed."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fanwise.actions.core.shell import run_command
from fanwise.actions.resources import close_resources, resources
from fanwise.errors import AttemptError
from fanwise.values import freeze


def shell(**given: Any) -> dict[str, Any]:
    async def main() -> dict[str, Any]:
        async with resources():
            return await run_command(**freeze(given))

    return asyncio.run(main())


def failure(**given: Any) -> AttemptError:
    with pytest.raises(AttemptError) as caught:
        shell(**given)
    assert "\n" not in str(caught.value)
    return caught.value


def ends(process_id: int, *, within_s: float = 10) -> bool:
    """Whether a process has ended, or does so: one that is killed takes a moment to be gone."""
    try:
        handle = os.pidfd_open(process_id)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], within_s)[0])
    finally:
        os.close(handle)


class TestRunning:
    def test_a_command_is_a_list(self) -> None:
        """Arguments reach the program as they are; no shell reads them."""
        result = shell(command=["printf", "%s|", "a b", "$HOME", "*", 5])
        assert result["stdout"] == "a b|$HOME|*|5|"
        assert (result["exit_code"], result["stderr"]) == (0, "")
        assert result["seconds"] > 0

    def test_values_reach_a_script_as_variables(self) -> None:
        """Whatever a value holds, the shell doesn't run it."""
        value = "'; echo harm; $(echo harm) `echo harm`"
        result = shell(
            script='printf "%s|" "$text" "$number" "$flag" "$map" "${gone-unset}"',
            env={"text": value, "number": 1.5, "flag": True, "map": {"a": [1]}, "gone": None},
        )
        assert result["stdout"] == f'{value}|1.5|true|{{"a":[1]}}|unset|'

    def test_a_script_stops_at_the_first_failure(self) -> None:
        """A command in the middle that fails isn't passed over."""
        assert failure(script="false\necho on").type == "ExitStatus"

    def test_input_and_folder(self, tmp_path: Path) -> None:
        """Standard input, however large, and the folder are as given; without input it is empty."""
        text = "é" * 300_000
        assert shell(command=["cat"], input=text)["stdout"] == text
        assert shell(command=["cat"])["stdout"] == ""
        assert shell(command=["pwd"], cwd=str(tmp_path))["stdout"] == f"{tmp_path}\n"
        assert shell(command=["true"], input=text)["exit_code"] == 0

    def test_the_environment_is_the_engines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Commands see the environment of fanwise, and what env adds."""
        monkeypatch.setenv("FANWISE_TEST_A", "1")
        assert shell(script="echo $FANWISE_TEST_A$B", env={"B": "2"})["stdout"] == "12\n"

    def test_a_command_sees_no_secret_that_it_is_not_given(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Those of the engine's environment stay there."""
        monkeypatch.setenv("FANWISE_SECRET_A", "hunter2")
        assert "hunter2" not in shell(command=["env"])["stdout"]
        assert "A=hunter2" in shell(command=["env"], env={"A": "hunter2"})["stdout"]

    @pytest.mark.parametrize("shell_name", ["bash", None])
    def test_a_pipe_fails_where_the_script_says_so(self, shell_name: str | None) -> None:
        """The default shell is bash where there is one."""
        error = failure(script="set -o pipefail; false | cat; echo no", shell=shell_name)
        assert (error.data["exit_code"], error.data["stdout"]) == (1, "")

    def test_another_shell_can_be_chosen(self) -> None:
        """Which has no name for arrays, say."""
        assert shell(script='a=(1 2); echo "${#a[@]}"', shell="bash")["stdout"] == "2\n"
        assert shell(script="true", shell="sh")["exit_code"] == 0

    def test_any_output_becomes_storable_text(self) -> None:
        """Bytes that aren't text don't fail the attempt."""
        result = shell(command=["printf", r"\377a\000"])
        assert result["stdout"] == "�a�"
        freeze(result)

    def test_many_at_once(self) -> None:
        """Commands that run beside each other don't meet."""

        async def main() -> list[str]:
            async with resources():
                results = await asyncio.gather(
                    *(run_command(command=["echo", str(n)]) for n in range(20))
                )
            return [result["stdout"] for result in results]

        assert asyncio.run(main()) == [f"{n}\n" for n in range(20)]


class TestFailing:
    def test_an_exit_code_is_an_error(self) -> None:
        """The code and the end of all that it wrote are the error's data."""
        script = f'echo out; {sys.executable} -c \'print("x" * 3000 + "end")\' >&2; exit 3'
        error = failure(script=script)
        assert error.type == "ExitStatus"
        assert error.data["exit_code"] == 3
        assert error.data["stderr"].endswith("xend\n")
        assert len(error.data["stderr"]) == 2000
        assert error.data["stdout"] == "out\n"

    def test_an_exit_code_may_be_a_result(self) -> None:
        """With check: false any exit code is a result."""
        assert shell(script="exit 3", check=False)["exit_code"] == 3
        assert shell(script="kill -9 $$", check=False)["exit_code"] == -9

    def test_what_cannot_be_started(self, tmp_path: Path) -> None:
        """Missing programs and folders and files that aren't programs are typed errors."""
        assert failure(command=["fanwise-no-such-program"]).type == "NotFound"
        assert failure(command=["true"], cwd=str(tmp_path / "no")).type == "NotFound"
        (tmp_path / "file").write_text("")
        assert failure(command=[str(tmp_path / "file")]).type == "PermissionDenied"
        assert failure(command=["true", "x" * 3_000_000]).type == "CommandFailed"

    @pytest.mark.parametrize(
        "given",
        [
            {"command": []},
            {"command": [{"a": 1}]},
            {"command": ["true"], "env": {"A=B": "1"}},
        ],
    )
    def test_input_that_makes_no_command(self, given: dict[str, Any]) -> None:
        """Odd parts of a command are errors of the input."""
        assert failure(**given).type == "InputError"

    def test_output_has_a_bound(self) -> None:
        """What writes for ever is killed at the bound; just the bound is allowed."""
        error = failure(command=["yes"], max_bytes=100_000)
        assert (error.type, error.data) == ("OutputTooLarge", {"max_bytes": 100_000})
        assert "limits.result_bytes" in str(error)
        assert failure(script="yes >&2", max_bytes=10).type == "OutputTooLarge"
        assert shell(command=["printf", "1234"], max_bytes=4)["stdout"] == "1234"


class TestKilling:
    # Both the shell and its child wait for ever; their ids are told on the way.
    SCRIPT = 'sleep 1000 & echo $! > "$file"; echo $$ >> "$file"; mv "$file" "$file.done"; wait'

    def test_a_timeout_kills_the_whole_family(self, tmp_path: Path) -> None:
        """After a timeout neither the command nor what it started is left."""
        file = tmp_path / "ids"
        error = failure(script=self.SCRIPT, env={"file": str(file)}, timeout=1)
        assert error.type == "Timeout"
        ids = [int(word) for word in Path(f"{file}.done").read_text().split()]
        assert len(ids) == 2
        assert all(ends(process_id) for process_id in ids)

    def test_a_cancellation_kills_the_whole_family(self, tmp_path: Path) -> None:
        """A cancelled call ends when everything that it started has been killed."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        script = 'sleep 1000 & echo $! $$ > "$pipe"; wait'

        async def main() -> list[int]:
            task = asyncio.create_task(run_command(script=script, env={"pipe": str(pipe)}))
            ids = (await asyncio.to_thread(pipe.read_text)).split()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await close_resources()
            return [int(word) for word in ids]

        ids = asyncio.run(main())
        assert len(ids) == 2
        assert all(ends(process_id) for process_id in ids)

    def test_a_command_is_known_before_it_runs(self) -> None:
        """So it dies with a fanwise that is killed before it could note the command's start."""
        code = (
            "import os, signal, subprocess\n"
            "from fanwise.actions.core.reaper import MARK, Reaper\n"
            "env = {**os.environ, MARK: Reaper().begin()}\n"
            "sleep = subprocess.Popen(['sleep', '1000'], env=env, start_new_session=True)\n"
            "print(sleep.pid, flush=True)\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=False)
        assert done.returncode == -signal.SIGKILL
        assert ends(int(done.stdout))

    def test_the_end_kills_what_is_left(self) -> None:
        """A process in the background doesn't outlive the command, nor delay its end."""
        result = shell(script="sleep 1000 & echo $!")
        assert ends(int(result["stdout"]))

    def test_a_process_that_left_the_group_does_not_delay_the_end(self, tmp_path: Path) -> None:
        """A daemon that keeps the output open can't hold up the command that started it."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        code = (
            "import os, pathlib, time; os.setsid(); "
            "pathlib.Path(os.environ['pipe']).write_text(str(os.getpid())); time.sleep(1000)"
        )
        script = '"$python" -c "$code" & cat "$pipe"'
        env = {"python": sys.executable, "code": code, "pipe": str(pipe)}
        daemon = int(shell(script=script, env=env)["stdout"])
        try:
            assert not ends(daemon, within_s=0)
        finally:
            os.kill(daemon, signal.SIGKILL)
