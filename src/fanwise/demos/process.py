"""A demo's server in a process of its own: starting and ending it, and the server's side of that.

A server says where it listens in the first line of its output. It ends with the block that started
it, and also when the starting process is killed: its standard input closes then. Ctrl-C in the
terminal doesn't reach it, so what is in flight can finish.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import threading
from argparse import ArgumentTypeError
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager

from fanwise.errors import UsageError

_LAST_PORT = 65_535
_MOST_DIGITS = 18


@contextmanager
def serving(module: str, *arguments: object) -> Iterator[str]:
    """Run a server's module while the block lasts, and give its URL.

    Raises `UsageError` if it can't start; why is on standard error.
    """
    with subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise UsageError("the demo's server didn't start.", hint="Its own message is above.")
        try:
            yield url
        finally:
            # Popen closes the pipes and waits when the `with` block is left.
            process.terminate()


def parse_port(text: str) -> int:
    """A port, as `argparse` reads it from a command line; 0 is any that is free."""
    if not _is_number(text) or int(text) > _LAST_PORT:
        raise ArgumentTypeError(f"a port is a number from 0 to {_LAST_PORT}")
    return int(text)


def parse_amount(text: str) -> int:
    """Parse a number of things from a command line for `argparse`: at least one."""
    if not _is_number(text) or int(text) < 1:
        raise ArgumentTypeError("it takes a number from 1")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def serve_to_the_end(serving: Coroutine[None, None, None]) -> None:
    """On the server's side: serve, or end the process with a line that says why it can't."""
    try:
        asyncio.run(serving)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        is_taken = error.errno == errno.EADDRINUSE
        remedy = " Name another port, or 0 for any that is free." if is_taken else ""
        sys.exit(f"The server can't start: {place}{error.strerror}.{remedy}")


def announce(url: str) -> None:
    """On the server's side: say where it listens."""
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


def stop_signal() -> asyncio.Event:
    """On the server's side: set at SIGTERM and SIGINT, and when the standard input ends."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    threading.Thread(target=_terminate_when_input_ends, daemon=True).start()
    return stopped


def _terminate_when_input_ends() -> None:
    # A plain os.read holds no lock of Python's, so the interpreter can exit while it waits.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
