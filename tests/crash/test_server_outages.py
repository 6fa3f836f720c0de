"""A run outlives its PostgreSQL server: it waits, or stops in one line and goes on from there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import fanwise
from benchmarks.postgres_server import PostgresServer, postgres_server
from fanwise.errors import StoreError
from fanwise.stores import open_store
from fanwise.testing.ownership_contract import an_owner
from fanwise.testing.records import a_run, an_item

FLOW = {
    "tasks": [
        {
            "name": "each",
            "action": "test.work",
            "with-items": {"range": 60},
            "concurrency": 4,
            "input": {"n": "{{ item }}"},
        },
        {
            "name": "sum",
            "action": "test.work",
            "input": {"n": "{{ task.each.output | sum }}"},
        },
    ],
    "output": "{{ task.sum.output }}",
}
TOTAL = sum(range(60))


class World:
    """Counts the calls of an action, which makes trouble once, at item 20."""

    def __init__(self, trouble: Callable[[], None]) -> None:
        self.calls: Counter[int] = Counter()
        self._trouble: Callable[[], None] | None = trouble

    def action(self) -> Callable[..., int]:
        @fanwise.action("test.work")
        def work(n: int) -> int:
            self.calls[n] += 1
            if n == 20 and self._trouble is not None:
                trouble, self._trouble = self._trouble, None
                trouble()
            return n

        return work


TROUBLES = [PostgresServer.end_sessions, PostgresServer.restart, PostgresServer.crash]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_run_waits_for_a_server_that_comes_back(
    postgres: PostgresServer, postgres_url: Callable[..., str], trouble: Callable[..., None]
) -> None:
    """Nothing is lost, nothing runs again, and nobody notices."""
    world = World(lambda: trouble(postgres))
    url = postgres_url("wait=1m")
    run = fanwise.run(FLOW, store=url, actions=[world.action()])
    assert (run.status, run.output) == (fanwise.Status.SUCCEEDED, TOTAL)
    assert world.calls == Counter([*range(60), TOTAL])
    with fanwise.open_store(url) as store:
        assert [index for index, _ in store.outputs(run.id, "each")] == [*range(60)]


ACTIONS = """\
import os, signal, fanwise

@fanwise.action("test.work")
def work(n: int) -> int:
    with open("begun", "a") as begun:
        begun.write(f"{n}\\n")
    if n == 20 and "SERVER" in os.environ:
        os.kill(int(os.environ["SERVER"]), signal.SIGINT)
        while os.path.exists(os.environ["SOCKET"]):
            pass
    return n
"""


def test_a_run_stops_in_one_line_if_the_server_stays_away_and_goes_on_later(
    postgres: PostgresServer, postgres_url: Callable[..., str], tmp_path: Path
) -> None:
    """With exit status 2 and the way to go on; nothing that was recorded is done again."""
    (tmp_path / "flow.json").write_text(json.dumps(FLOW))
    (tmp_path / "actions.py").write_text(ACTIONS)
    url = postgres_url("wait=200ms")

    def fanwise_command(*arguments: str, **environment: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "fanwise", *arguments],
            cwd=tmp_path,
            env={**os.environ, "FANWISE_STORE": url, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr.splitlines()[-1]

    status, out, line = fanwise_command(
        *("run", "flow.json", "--run-id", "r"),
        SERVER=str(postgres.pid),
        SOCKET=f"{postgres.folder}/.s.PGSQL.5432",
    )
    assert (status, out) == (2, "")
    assert line.startswith(f"postgresql://fanwise@/postgres?host={postgres.folder}: the server ")
    assert line.endswith("What was recorded by now is kept. Resume with: fanwise resume r")
    postgres.stop()
    postgres.start()
    (tmp_path / "begun").unlink()
    with open_store(url) as store:
        record = store.run("r")
        assert record is not None
        recorded = {*store.recorded_items(record.run_no, 1).indexes}
    assert len(recorded) < 60
    status, out, _ = fanwise_command("resume", "r")
    assert (status, out) == (0, f"{TOTAL}\n")
    begun = [int(line) for line in (tmp_path / "begun").read_text().split()]
    assert sorted(begun) == sorted({*range(60), TOTAL} - recorded)


@contextmanager
def replicated() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary, and a standby that has all that the primary has confirmed."""
    with (
        postgres_server() as primary,
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
    ):
        primary.stop()
        standby = primary.copy_to(
            Path(folder), {"primary_conninfo": f"host={primary.folder} user=fanwise"}
        )
        standby.follow()
        primary.start()
        standby.start()
        with primary.connect() as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("ALTER SYSTEM SET synchronous_commit = 'remote_apply'")
            connection.execute("SELECT pg_reload_conf()")
        try:
            yield primary, standby
        finally:
            standby.stop(at_once=True)


def test_a_run_goes_on_at_a_standby_that_takes_over() -> None:
    """The URL names both; what was confirmed is there."""
    with replicated() as (primary, standby):
        hosts = f"postgresql://fanwise@/postgres?host={primary.folder},{standby.folder}"

        def fail_over() -> None:
            primary.stop(at_once=True)
            with standby.connect() as connection:
                connection.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
                connection.execute("SELECT pg_promote()")

        world = World(fail_over)
        run = fanwise.run(FLOW, store=hosts, actions=[world.action()])
        assert (run.status, run.output) == (fanwise.Status.SUCCEEDED, TOTAL)
        assert world.calls == Counter([*range(60), TOTAL])
        with fanwise.open_store(standby.url()) as store:
            assert [index for index, _ in store.outputs(run.id, "each")] == [*range(60)]


def test_a_standby_is_read_and_never_written() -> None:
    """The remedy is to name the primary, among others; a store that writes reads there as well."""
    with replicated() as (primary, standby):
        with open_store(primary.url()) as store:
            assert list(store.run_ids()) == []
        with open_store(standby.url(), read_only=True) as store:
            assert list(store.run_ids()) == []
        with pytest.raises(StoreError, match="takes no changes"):
            open_store(standby.url())
        hosts = f"postgresql://fanwise@/postgres?host={standby.folder},{primary.folder}"
        with open_store(hosts) as store:
            store.create_run(a_run())
            assert list(store.run_ids()) == ["run-1"]
            assert [len(sessions(each)) for each in (standby, primary)] == [0, 2]
        with open_store(hosts, read_only=True) as store:
            assert list(store.run_ids()) == ["run-1"]
            while len(sessions(standby)) + len(sessions(primary)) > 1:
                pass  # a server ends a session a moment after it was closed
            assert [len(sessions(each)) for each in (standby, primary)] == [1, 0]


def sessions(server: PostgresServer) -> list[object]:
    """The names of fanwise's sessions with a server."""
    with server.connect() as connection:
        query = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'fan%'"
        return connection.execute(query).fetchall()


def test_a_server_that_has_gone_back_is_told_from_one_that_was_away() -> None:
    """Nothing more is recorded behind a gap; the run goes on from the records that are there."""
    with postgres_server() as primary, tempfile.TemporaryDirectory(dir="/tmp") as folder:
        hosts = f"postgresql://fanwise@/postgres?host={primary.folder},{folder}"
        with open_store(hosts) as store:
            engine_no = store.enroll(an_owner())
            run_no = store.create_run(a_run(), engine_no)
            store.commit([an_item(run_no, 0)], {run_no: 1})
            primary.stop()
            older = primary.copy_to(Path(folder))
            primary.start()
            store.commit([an_item(run_no, 1)], {run_no: 1})
            primary.stop()
            older.start()
            try:
                for _ in range(2):
                    with pytest.raises(StoreError, match="come back without records"):
                        store.commit([an_item(run_no, 2)], {run_no: 1})
                with open_store(hosts) as later:
                    later.acquire(run_no, engine_no, after=1)
                    later.commit([an_item(run_no, 1)], {run_no: 2})
                    assert [item.index for item in later.items(run_no, 1)] == [0, 1]
            finally:
                older.stop(at_once=True)
