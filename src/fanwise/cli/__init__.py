"""The command line: `fanwise`.

One file a command. Results go to standard output, everything else to standard error, and a command
ends with 0 (done), 1 (the run failed), 2 (the command, the workflow or the store is wrong), 130
(interrupted) or 143 (SIGTERM, where no run is driven). Commands import what is slow inside of their
functions, so that `fanwise --help` and `fanwise validate` start at once.
"""

from __future__ import annotations

import os
import sys

# Not that of `typing`: until signals are heard a Ctrl-C gives a traceback, so little is imported.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out a command line (default: the process's own) and raise `SystemExit`.

    A given one leaves the signals of the process to its caller.
    """
    if arguments is None:
        from fanwise.cli.leaving import leave_at_signals

        leave_at_signals()
    from fanwise.cli.app import app
    from fanwise.cli.completion.scripts import prepare_completion
    from fanwise.cli.errors import reporting
    from fanwise.cli.text.output import echoing

    words = sys.argv[1:] if arguments is None else arguments
    with reporting(words):
        prepare_completion()
        _require_text(words)
        with echoing():
            raise SystemExit(app(words, prog_name="fanwise", standalone_mode=False))


def _require_text(words: Sequence[str]) -> None:
    """Raise `UsageError` if an argument isn't UTF-8: nothing could record, find or print it.

    The name of a file that is there may be anything. No argument is quoted: it may be a secret.
    """
    if all(word.isascii() for word in words):
        return
    from fanwise.errors import UsageError
    from fanwise.values import is_storable

    for number, word in enumerate(words, 1):
        if not is_storable(word) and not os.path.lexists(word):
            raise UsageError(
                f"argument {number} of fanwise isn't text in UTF-8.",
                hint="Write it in UTF-8; a file whose name is in another encoding has to be "
                "renamed.",
            )
