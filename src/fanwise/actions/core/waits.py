"""`core.ask` and `core.wait`: a question, and a wait for a signal.

Neither waits itself: an attempt ends with the wait that it asks for, and the engine parks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from fanwise.actions.decorator import FIELDS, action
from fanwise.catalog import Parked
from fanwise.errors import InputError
from fanwise.model import WaitKind, WaitRequest


@action("core.ask")
async def ask(
    prompt: str,
    options: list[str] | None = None,
    answer: Annotated[Mapping[str, object] | None, FIELDS] = None,
    who: str | list[str] | None = None,
    default: dict[str, object] | None = None,
) -> None:
    """Ask a question, and wait for its answer without a slot and without a process.

    The task's `timeout` is the deadline of the answer. People answer with `fanwise answer`,
    programs with `fanwise.answer`.

    Input:
      prompt   the question
      options  the choices; default [approve, reject]
      answer   the fields that an answer has beside its choice, declared as `parameters` are
      who      a name, or a list of them, of those who are asked; `fanwise asks --mine` goes by it
      default  the answer at the deadline, {choice: ..., answer: {...}}; without it the task fails
    Result: {choice, answer, by, at, via, timed_out}
      choice     one of the options
      answer     a map of the fields
      by         who has answered; null at the deadline
      at         when, in seconds since the epoch
      via        terminal, cli, python, api, link, or deadline
      timed_out  whether it is the default
    Errors:
      InputError  there are no options, the fields are wrong, or the default is no answer
      Timeout     nobody has answered before the deadline
      LimitError  more waits are open in the run than limits.waiting
    """
    from fanwise.plan.questions import Question, checked_question

    question = Question(
        prompt=prompt,
        options=["approve", "reject"] if options is None else options,
        fields=answer or {},
        who=[who] if isinstance(who, str) else who or [],
        default=default,
    )
    form = checked_question(question).encoded()
    raise Parked(WaitRequest(waits_for=WaitKind.QUESTION, form=form))


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
