"""The command line: `fanwise`.

One file a command. Results go to standard output, everything else to standard error, and a command
ends with 0 (done), 1 (the run failed), 2 (the command, the workflow or the store is wrong) or 130
(interrupted). Commands import what is slow inside of their functions, so that `fanwise --help` and
`fanwise validate` start at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out a command line (default: the process's own) and raise `SystemExit`."""
    from fanwise.cli.app import app
    from fanwise.cli.completion.scripts import prepare_completion
    from fanwise.cli.errors import reporting

    with reporting():
        _require_text(sys.argv[1:] if arguments is None else arguments)
        prepare_completion()
        raise SystemExit(app(arguments, prog_name="fanwise", standalone_mode=False))


def _require_text(arguments: Sequence[str]) -> None:
    """Raise `UsageError` for an argument that no store, file of JSON or terminal could show."""
    from fanwise.errors import UsageError

    for number, argument in enumerate(arguments, start=1):
        if not argument.isascii() and any("\ud800" <= letter <= "\udfff" for letter in argument):
            raise UsageError(
                f"argument {number} isn't UTF-8 text.",
                hint="Give it as UTF-8; a file with such a name needs another one.",
            )
