"""A server over a store, as a process, and questions to it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

from fanwise.errors import UsageError


@contextmanager
def serving(
    file: Path, folder: Path
) -> Iterator[tuple[subprocess.Popen[str], HTTPConnection, float]]:
    """A server of an empty folder, a connection to it, and the time until it answered."""
    command = [sys.executable, "-m", "fanwise", "serve", "--no-work", "--port", "0"]
    begun = time.perf_counter()
    with subprocess.Popen(
        [*command, "--store", str(file)], cwd=folder, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            found = re.search(r"at (http://\S+);", said)
            if found is None:
                raise UsageError(f"the server didn't start: {said.strip()}")
            place = urlsplit(found[1])
            with closing(HTTPConnection(place.hostname or "", place.port, timeout=120)) as asking:
                ask(asking, "/readyz", "")
                yield process, asking, time.perf_counter() - begun
        finally:
            process.terminate()


def ask(connection: HTTPConnection, path: str, token: str) -> float:
    """Ask, read the whole answer, and return the seconds. Raises `UsageError` for a refusal."""
    begun = time.perf_counter()
    response = answer(connection, path, token)
    while response.read(2**16):
        pass
    return time.perf_counter() - begun


def answer(connection: HTTPConnection, path: str, token: str) -> HTTPResponse:
    """Ask, and return the answer before it is read. Raises `UsageError` for a refusal."""
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    if response.status >= 400:
        raise UsageError(f"GET {path} was answered with {response.status}.")
    return response
