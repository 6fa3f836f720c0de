"""`core.wait`: a wait for a signal or an event.

It doesn't wait itself: an attempt ends with the wait that it asks for, and the engine parks it.
"""

from __future__ import annotations

from typing import Literal

from fanwise.actions.decorator import action
from fanwise.catalog import Parked
from fanwise.errors import InputError
from fanwise.model import WaitKind, WaitRequest


@action("core.wait")
async def wait_for_signal(
    event: str | list[str], key: str | None = None, since: Literal["run", "now"] = "run"
) -> None:
    """Wait for a signal to this run or an event, without a slot and without a process.

    The task's `timeout` is the deadline. `fanwise signal RUN NAME` sends a signal to one run, and
    `fanwise emit NAME` an event to all. Either ends one wait of a run, the first that it fits.

    Input:
      event  the name of the signal or event, or a list of names of which any will do
      key    the key that it must have; without it any of that name will do
      since  run (default): what has come since the run began counts; now: what comes later
    Result: {name, key, payload, by, at}
      payload  its data
      by       who has sent it
      at       when the wait ended, in seconds since the epoch
    Errors:
      InputError  there is no name
      Timeout     nothing has come before the deadline
      LimitError  more waits are open in the run than limits.waiting
    """
    names = (event,) if isinstance(event, str) else tuple(event)
    if not names or not all(names):
        raise InputError('input "event" of core.wait takes a name, or a list of names.')
    raise Parked(
        WaitRequest(waits_for=WaitKind.SIGNAL, names=names, key=key, takes_earlier=since == "run")
    )
