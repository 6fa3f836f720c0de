"""The one place where an error becomes lines on standard error, and the exit status 2.

A `FanwiseError` is told in its own words, one line for each problem; a command line that doesn't
fit, in Typer's. Anything else is a bug of fanwise: its message isn't shown, since it may quote a
secret.
"""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fanwise.cli.leaving import leave
from fanwise.cli.text.output import flush_results, prepare_streams, say
from fanwise.cli.text.usage import UsageProblem, in_short, usage_text
from fanwise.errors import (
    ActionLoadError,
    Diagnostic,
    FanwiseError,
    KeyConflictError,
    NoSlotError,
    QueueFullError,
)
from fanwise.reports.plain import clean_lines

WRONG = 2
"""The exit status if the command, the workflow or the store is wrong."""

TAKEN = 1
"""The exit status if nothing is wrong but that others have all slots, or have changed a key."""

SERVER = "FANWISE_SERVER"
"""The variable that names a server in place of `--server`."""

_PACKAGE = Path(__file__).parent.parent


@contextmanager
def reporting(words: Sequence[str] = ()) -> Iterator[None]:
    """Tell the errors of this block, and raise `SystemExit` for them.

    `words` are the arguments of the command line, of which the long ones are told in short.
    """
    prepare_streams()
    try:
        try:
            yield
        finally:
            flush_results()
    except FanwiseError as error:
        for line in error_lines(error, _with_server(words)):
            say(line)
        is_taken = isinstance(error, NoSlotError | QueueFullError | KeyConflictError)
        raise SystemExit(TAKEN if is_taken else WRONG) from None
    except UsageProblem as problem:
        say(usage_text(problem))
        raise SystemExit(WRONG) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            say(
                "fanwise: this process may open no more files. "
                "Lower a concurrency, or raise the limit: ulimit -n."
            )
            leave(WRONG)  # what is half made, such as an event loop, would complain at its end
        if os.environ.get("FANWISE_DEBUG"):
            traceback.print_exc()
        say(
            f"fanwise: internal error: {type(error).__name__} at {_place(error)}. "
            "This is a bug in fanwise; FANWISE_DEBUG=1 shows the traceback."
        )
        raise SystemExit(WRONG) from None


def _with_server(words: Sequence[str]) -> Sequence[str]:
    """The words of a command line, with the server that the environment names for it."""
    from fanwise.cli.text.remedies import store_named

    server = os.environ.get(SERVER)
    return words if not server or store_named(words) is not None else [*words, "--server", server]


def error_lines(error: FanwiseError, words: Sequence[str] = ()) -> list[str]:
    """An error as lines: one for each problem, after the author's traceback if it has one.

    `words` are the arguments of the command line: long ones are quoted in short, and the store that
    they name is that of the commands in the message.
    """
    from fanwise.cli.text.remedies import copyable

    text = copyable(in_short(str(error), words), words)
    lines = [clean_lines(line) for line in text.splitlines()]
    if isinstance(error, ActionLoadError) and error.traceback:
        return [clean_lines(error.traceback).rstrip(), *lines]
    return lines


def warning_lines(warnings: Sequence[Diagnostic]) -> list[str]:
    """Return the warnings of a workflow as lines, one for each."""
    lines = [f"{each.place}  warning {each.code}  {each.message} {each.hint}" for each in warnings]
    return [clean_lines(line.rstrip()) for line in lines]


def _place(error: Exception) -> str:
    """File and line of fanwise's own code where the error went through last."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    if not own:
        return "an unknown place"
    return f"{Path(own[-1].filename).relative_to(_PACKAGE.parent)}:{own[-1].lineno}"
