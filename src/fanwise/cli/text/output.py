"""The streams that take text: results go to standard output, everything else to standard error.

Nothing here parses markup. Text that comes from actions, items or files passes through `clean` or
`clean_lines` before it is shown, so it can't move the cursor or pretend to be another line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from io import TextIOWrapper
from traceback import extract_tb
from typing import TextIO

from fanwise.errors import UsageError
from fanwise.reports.plain import escaped

_MOST_DIGITS = 9
_CLOSED_PIPE = 141  # what shells give for a program that SIGPIPE has ended


def as_json(value: object, *, pretty: bool = False) -> str:
    """JSON text in which everything that a terminal could obey is escaped."""
    import msgspec

    encoded = msgspec.json.encode(value)
    return escaped((msgspec.json.format(encoded, indent=2) if pretty else encoded).decode())


def print_results(lines: Iterable[str]) -> None:
    """Print lines to standard output. Ends the process quietly if their reader has left.

    Raises `UsageError` if they can't be written.
    """
    with _writing():
        for line in lines:
            sys.stdout.write(f"{line}\n")


@contextmanager
def echoing() -> Iterator[None]:
    """Have what Typer prints by itself, such as help, fail as `print_results` does."""
    try:
        yield
    except OSError as error:
        if extract_tb(error.__traceback__)[-1].name != "echo":
            raise
        with _writing():
            raise


def flush_results() -> None:
    """Hand all results over now; see `print_results`."""
    with _writing():
        sys.stdout.flush()


def say(text: str) -> None:
    """Print a line to standard error. A closed stream is no error."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


@contextmanager
def prints_aside() -> Iterator[None]:
    """Send what authors' code prints to standard error, while this block lasts.

    So goes what it writes past Python's streams, and what its child processes print.
    """
    try:
        results = os.dup(1)
    except OSError:  # it is closed
        with redirect_stdout(sys.stderr):
            yield
        return
    try:
        sys.stdout.flush()
        with suppress(OSError):  # standard error is closed
            os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if sys.__stdout__ is not None:
            sys.__stdout__.flush()
        os.dup2(results, 1)
        os.close(results)


def has_colours(stream: TextIO) -> bool:
    """Say whether colours can be shown there and are wanted."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width_of(stream: TextIO) -> int | None:
    """The columns of text that fit there: `COLUMNS`, else the terminal's; None in pipes."""
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # no terminal, or no file at all
        return None


def prepare_streams() -> None:
    """Have standard output and error take any text, and be there also if they were closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - for good
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        _drop_stdout()
        raise SystemExit(_CLOSED_PIPE) from None
    except OSError as error:
        _drop_stdout()
        raise UsageError(
            f"standard output can't be written: {error.strerror}.", hint="Send it elsewhere."
        ) from None


def _drop_stdout() -> None:
    """Python flushes standard output once more at its end, which must not fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
