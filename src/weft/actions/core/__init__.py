"""The core pack: the actions that come with weft.

A pack like any other, found by its entry point. Each action has a file of its own; nothing here is
heavy to import, since validating a workflow imports all of it.
"""

from weft.actions.core.echo import give_back
from weft.actions.core.email import send_message
from weft.actions.core.fail import give_up
from weft.actions.core.http import send_request
from weft.actions.core.noop import do_nothing
from weft.actions.core.read_file import read
from weft.actions.core.shell import run_command
from weft.actions.core.sleep import wait
from weft.actions.core.write_file import write

__all__ = [
    "do_nothing",
    "give_back",
    "give_up",
    "read",
    "run_command",
    "send_message",
    "send_request",
    "wait",
    "write",
]
