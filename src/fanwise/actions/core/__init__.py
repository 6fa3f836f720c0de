"""The core pack: the actions that come with fanwise.

A pack like any other, found by its entry point. Each action has a file of its own; nothing here is
heavy to import, since validating a workflow imports all of it.
"""

from fanwise.actions.core.ask import ask
from fanwise.actions.core.basic import do_nothing, give_back, give_up, wait
from fanwise.actions.core.email import send_message
from fanwise.actions.core.emit import emit
from fanwise.actions.core.http import send_request
from fanwise.actions.core.keys import delete_key, set_key
from fanwise.actions.core.read_file import read
from fanwise.actions.core.shell import run_command
from fanwise.actions.core.waits import wait_for_signal
from fanwise.actions.core.write_file import write
from fanwise.actions.core.write_rows import write_csv, write_jsonl

__all__ = [
    "ask",
    "delete_key",
    "do_nothing",
    "emit",
    "give_back",
    "give_up",
    "read",
    "run_command",
    "send_message",
    "send_request",
    "set_key",
    "wait",
    "wait_for_signal",
    "write",
    "write_csv",
    "write_jsonl",
]
