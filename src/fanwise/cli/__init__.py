"""The command line: `fanwise`.

One file a command. Results go to standard output, everything else to standard error, and a command
ends with 0 (done), 1 (the run failed), 2 (the command, the workflow or the store is wrong) or 130
(interrupted). Commands import what is slow inside of their functions, so that `fanwise --help` and
`fanwise validate` start at once.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out a command line (default: the process's own) and raise `SystemExit`."""
    from fanwise.cli.app import app
    from fanwise.cli.completion.scripts import prepare_completion
    from fanwise.cli.errors import reporting

    with reporting():
        prepare_completion()
        raise SystemExit(app(arguments, prog_name="fanwise", standalone_mode=False))
