"""The files that the page on deployment shows, as far as they can be tried on any machine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from fanwise.cli.app import app
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "deployment.md").read_text()


def fence(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Each key is known, and has a value that fits."""
    unit = tmp_path / "fanwise.service"
    unit.write_text(fence("ini").replace("/opt/fanwise/bin/fanwise", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_unit_and_container_start_a_server_with_options_that_there_are() -> None:
    """They are those of `fanwise serve`."""
    (started,) = re.findall(r"^ExecStart=\S+/fanwise (.*)", fence("ini"), re.MULTILINE)
    (command,) = re.findall(r"^CMD (\[.*\])", fence("dockerfile"), re.MULTILINE)
    known = typer.main.get_command(app).commands["serve"]
    for words in (started.split(), json.loads(command)):
        assert words[0] == "serve"
        context = known.make_context("serve", words[1:])
        assert context.params["public_url"] == "https://fanwise.example.com"
        assert context.args == []
