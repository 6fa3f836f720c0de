"""Takes the pictures of the page that docs/server.md shows, from a server with real runs.

`python tools/page_pictures.py` writes `docs/page-*.png`. It needs Chromium, and takes a minute: one
of the runs has a million items.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

DOCS: Final = Path(__file__).parents[1] / "docs"
PORT: Final = 8427
SIZE: Final = {"width": 1120, "height": 700}

FLOWS: Final = {
    "monitor.yaml": """
name: monitor
description: Check the health of every server of the fleet
parameters:
  servers: {type: integer, default: 1000000, description: How many servers to check}
  region: {type: string, choices: [north, south], default: north}
on:
  - {name: every_five_minutes, schedule: 5m}
tasks:
  - name: get_servers
    action: fleet.find
    input: {count: "{{ parameters.servers }}"}
  - name: check_health
    action: fleet.check
    with-items: "{{ range(parameters.servers) }}"
    concurrency: 1000
    tolerate: 1%
    input: {number: "{{ item }}"}
  - name: summarize
    action: core.echo
    input: {failed: "{{ task.check_health.items.failed }}"}
output: "{{ task.summarize.output }}"
""",
    "import.yaml": """
name: import
description: Import the orders of the day
tasks:
  - {name: fetch, action: core.echo, input: {rows: 2}}
  - {name: parse, action: fleet.parse, input: {rows: "{{ task.fetch.output.rows }}"}}
  - {name: save, action: core.noop}
""",
    "release.yaml": """
name: release
description: Build, ask, and roll out
parameters:
  version: {type: string, required: true, description: "The version to roll out, such as 1.4.2"}
tasks:
  - {name: build, action: core.echo, input: {image: "app:{{ parameters.version }}"}}
  - name: approve
    action: core.ask
    input:
      prompt: "Roll out {{ parameters.version }} to production?"
      options: [approve, reject]
      answer: {note: {type: string, description: A note for the log}}
  - {name: roll_out, action: core.noop}
""",
    "actions.py": """
import fanwise


@fanwise.action("fleet.find")
def find(count: int) -> int:
    return count


@fanwise.action("fleet.check")
async def check(number: int) -> None:
    if number % 1499 == 13:
        raise fanwise.ActionError(f"host-{number} refused the connection", type="Refused")
    if 420_000 < number < 420_300 or number % 7919 == 7:
        raise fanwise.ActionError("the server answered with status 503", type="Unavailable")


@fanwise.action("fleet.parse")
def parse(rows: int) -> list:
    found = [{"price": 3}, {"prize": 4}]
    return [row["price"] for row in found]
""",
}


def main() -> None:
    """Make a project, run it, serve it, and take the pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in FLOWS.items():
            (folder / file).write_text(text.lstrip())
        _fanwise(folder, "run", "import.yaml", "--run-id", "import-1")
        _fanwise(folder, "run", "monitor.yaml", "--run-id", "monitor-1", "--tag", "nightly")
        _fanwise(folder, "run", "release.yaml", "-p", "version=1.4.2", "--run-id", "release-1")
        token = _fanwise(folder, "token", "add", "pictures", "--role", "admin").split()[0]
        with _serving(folder):
            _take(token)


def _fanwise(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "fanwise", *words, "--store", "runs.db"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout


@contextmanager
def _serving(folder: Path) -> Iterator[None]:
    words = ["serve", "--port", str(PORT), "--no-work", "--store", "runs.db"]
    server = subprocess.Popen([sys.executable, "-m", "fanwise", *words], cwd=folder)
    try:
        asyncio.run(_answers())
        yield
    finally:
        server.terminate()
        server.wait()


async def _answers() -> None:
    """Wait until the server listens."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", PORT)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


def _take(token: str) -> None:
    base = f"http://127.0.0.1:{PORT}"
    path = shutil.which("chromium")
    with sync_playwright() as found:
        browser = found.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for scheme, names in {"light": ("run", "grid", "start"), "dark": ("home",)}.items():
            context = browser.new_context(viewport=SIZE, color_scheme=scheme)
            begun = context.request.post(f"{base}/api/v1/session", data={"token": token})
            key = begun.json()["key"]
            context.add_init_script(f"localStorage.setItem('fanwise-key:/', '{key}')")
            page = context.new_page()
            for name in names:
                _show(page, base, name)
                page.screenshot(path=DOCS / f"page-{name}.png")
        browser.close()


_PATHS: Final = {
    "home": "",
    "run": "runs/import-1",
    "grid": "runs/monitor-1/tasks/check_health",
    "start": "workflows/monitor/start",
}


def _show(page: Page, base: str, name: str) -> None:
    page.goto(f"{base}/{_PATHS[name]}")
    page.locator("#page").wait_for()
    if name == "grid":
        page.locator("[data-drawn]").wait_for()
    page.wait_for_timeout(500)


if __name__ == "__main__":
    main()
