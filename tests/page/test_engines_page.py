"""A run whose process is killed: the page says so, and from there it is brought to its end."""

import os
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.page.project import engine_of, store_of, write
from tests.page.visitor import visiting
from tests.server.served import serving


def test_a_run_whose_process_is_killed_is_resumed_from_its_page(
    browser: Browser, tmp_path: Path
) -> None:
    """`kill -9` shows as interrupted by itself, and resuming makes what was left, and no more."""
    write(tmp_path, "stuck.yaml")
    os.mkfifo(tmp_path / "hold")
    command = [sys.executable, "-m", "fanwise", "run", "stuck.yaml", "--run-id", "killed"]
    runner = subprocess.Popen(
        [*command, "--store", store_of(tmp_path)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with (
        (tmp_path / "hold").open(),  # the action has opened it: the run is at work
        serving(tmp_path) as site,
        visiting(browser, site) as visitor,
    ):
        visitor.open("runs/killed")
        status = visitor.find(".title .st").first
        expect(status).to_have_text("running")
        runner.kill()
        runner.wait()
        expect(status).to_have_text("interrupted")
        expect(visitor.page.locator("main")).to_contain_text("No process drives this run")
        (tmp_path / "go").touch()
        with engine_of(tmp_path):
            visitor.find(".title button", "Resume").click()
            expect(status).to_have_text("succeeded")
    assert (tmp_path / "begun").read_text() == "first\nsecond\nsecond\n"
