"""The jobs of the page of recipes do the same at the sizes that they have in earnest."""

from __future__ import annotations

import ast
import asyncio
import csv
import hashlib
import inspect
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mail_servers import Desk, serving
from pages import ROOT, Section, sections

import fanwise

HOSTS, ORDERS, FILES, LINES = 3_000, 2_000, 500, 200_000
HOSTILE = ["-n", "--help", "*", "$(exit 1)", "`x`", "a b", 'it\'s "b"', "\\n", "a\nb", "{{ item }}"]
RECIPES = {section.title: section for section in sections(ROOT / "docs" / "recipes.md")}


@pytest.fixture(autouse=True)
def _work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder to work in, and a store in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FANWISE_STORE", str(tmp_path / "runs.db"))


def written(title: str, folder: Path) -> Section:
    """A recipe, of which the files are in the folder."""
    for block in RECIPES[title].blocks:
        if block.name:
            block.write(folder)
    return RECIPES[title]


class Host(BaseHTTPRequestHandler):
    """A host that is healthy, unless its number can be divided by 100."""

    def do_GET(self) -> None:
        number = int(self.path.removeprefix("/"))
        self.send_response(200 if number % 100 else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Hosts(ThreadingHTTPServer):
    """A server that answers for all hosts."""

    request_queue_size = 1_000


@contextmanager
def hosts() -> Iterator[str]:
    """The hosts while the block lasts, as their URL."""
    with Hosts(("127.0.0.1", 0), Host) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_failures_of_3000_hosts_come_by_mail(tmp_path: Path) -> None:
    """Each host that fails is a row of the table, and the table is attached."""
    written("Check hosts, and mail the failures", tmp_path)
    desk = Desk()
    with hosts() as url, serving(desk) as mail:
        rows = [f"host-{number},{url}/{number}\n" for number in range(HOSTS)]
        (tmp_path / "hosts.csv").write_text("host,url\n" + "".join(rows))
        run = fanwise.run(tmp_path / "health.yaml", {"mail": mail})
    failing = [f"host-{number}" for number in range(0, HOSTS, 100)]
    assert (run.status, run.output["failed"]) == ("succeeded", len(failing))
    table = (tmp_path / "failures.csv").read_text()
    assert [row["host"] for row in csv.DictReader(table.splitlines())] == failing
    message = desk.mails[0].read()
    assert message["Subject"] == f"{len(failing)} of {HOSTS} hosts fail"
    (attached,) = message.iter_attachments()
    assert attached.get_content().splitlines() == table.splitlines()


def test_2000_orders_survive_a_kill(tmp_path: Path) -> None:
    """Every order is paid once, in the eyes of a service that knows payments by their keys."""
    written("Several steps for each item, whatever happens", tmp_path)
    command = [sys.executable, "-m", "fanwise", "run", "orders.yaml", "--run-id", "orders"]
    killed = subprocess.run([*command, "-p", f"count={ORDERS}"], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    run = fanwise.resume("orders")
    cents = [100 + number for number in range(ORDERS)]
    assert run.output == {"orders": ORDERS, "cents": sum(cents)}
    assert sorted(int(file.read_text()) for file in Path("payments").iterdir()) == cents


def test_500_files_with_hostile_names_reach_their_command(tmp_path: Path) -> None:
    """No name is taken for an option, a pattern, a template or code."""
    written("A command for each file", tmp_path)
    inbox = tmp_path / "inbox"
    for file in inbox.iterdir():
        file.unlink()
    for number in range(FILES):
        hostile = HOSTILE[number % len(HOSTILE)]
        (inbox / (f"{hostile}{number}" if number >= len(HOSTILE) else hostile)).write_text(hostile)
    run = fanwise.run(tmp_path / "digests.yaml")
    assert run.status == "succeeded"
    digests = [hashlib.sha256(name.encode()).hexdigest() for name in HOSTILE]
    assert Counter(run.output) == dict.fromkeys(digests, FILES // len(HOSTILE))


def test_200000_lines_go_into_a_database_once(tmp_path: Path) -> None:
    """Batches are whole, and a second run over the same lines adds none."""
    written("Lines into a database", tmp_path)
    Path("readings.txt").write_text("".join(f"web-{n % 4} 1\n" for n in range(LINES)))
    for _ in range(2):
        run = fanwise.run("load.yaml")
        assert run.tasks["insert"].items.total == LINES // 1_000
        assert run.output == {f"web-{n}": LINES // 4 for n in range(4)}


def test_the_cell_of_a_notebook_runs_on_its_event_loop() -> None:
    """Its last line gives the output."""
    recipe = RECIPES["From a service, a notebook and a test"]
    (cell,) = (block for block in recipe.blocks if block.language == "python" and not block.name)
    *before, last = ast.parse(cell.text).body
    assert isinstance(last, ast.Expr)
    names: dict[str, object] = {}

    async def show() -> object:
        exec(compile(ast.Module(before, []), "cell", "exec"), names)
        flag = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        shown = eval(compile(ast.Expression(last.value), "cell", "eval", flags=flag), names)
        return await shown if inspect.isawaitable(shown) else shown

    assert asyncio.run(show()) == [3, 5]
