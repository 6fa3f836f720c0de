"""`core.ask`: a question, and the request that tells a chat or a service of it.

It doesn't wait itself: an attempt ends with the wait that it asks for, and the engine parks it. It
is told before it is recorded: a process that dies between the two tells it again, and no question
stays untold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple

from fanwise.actions.core.http import send_request
from fanwise.actions.decorator import FIELDS, Written, action
from fanwise.catalog import ActionContext, Parked
from fanwise.errors import InputError
from fanwise.model import WaitKind, WaitRequest

_NOTICE_KEYS: Final = {"url", "headers"}


class _Notice(NamedTuple):
    url: str
    headers: dict[str, object]


def _notice_of(given: Mapping[str, object]) -> _Notice:
    """The address that is to be told, and its headers. Raises `InputError`."""
    url, headers = given.get("url"), given.get("headers") or {}
    if set(given) - _NOTICE_KEYS or not isinstance(url, str) or not isinstance(headers, Mapping):
        raise InputError('input "notify" of core.ask takes {url: ..., headers: {...}}.')
    return _Notice(url, {str(name): value for name, value in headers.items()})


@action("core.ask")
async def ask(
    prompt: str,
    options: list[str] | None = None,
    answer: Annotated[Mapping[str, object] | None, FIELDS] = None,
    who: str | list[str] | None = None,
    not_starter: bool = False,
    default: dict[str, object] | None = None,
    reject: Literal["fail"] | None = None,
    notify: Annotated[dict[str, object] | None, Written(_notice_of)] = None,
    context: ActionContext | None = None,
) -> None:
    """Ask a question, and wait for its answer without a slot and without a process.

    The task's `timeout` is the deadline of the answer. People answer with `fanwise answer`,
    programs with `fanwise.answer`.

    Input:
      prompt       the question
      options      the choices; default [approve, reject]
      answer       the fields that an answer has beside its choice, declared as `parameters` are
      who          a name, or a list of them, of those who are asked; `fanwise asks --mine` goes by
                   it, and over HTTP nobody else may answer
      not_starter  whether who has started the run may not answer; default false
      default      the answer at the deadline, {choice: ..., answer: {...}}; without it the task
                   fails
      reject       with `fail` the choice `reject` fails the task, instead of being its result
      notify       {url: ..., headers: {...}}, where the question is told by a POST of JSON
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
      Rejected    the choice is `reject`, and `reject` is `fail`; data: the result; never retried
      LimitError  more waits are open in the run than limits.waiting
      those of core.http, if the question can't be told
    """
    from fanwise.plan.questions import checked_question, new_question

    question = checked_question(
        new_question(
            prompt,
            options=options,
            answer=answer,
            who=who,
            not_starter=not_starter,
            default=default,
            reject=reject,
        )
    )
    form = question.encoded()
    if notify is not None and context is not None:
        notice, links = _notice_of(notify), await context.new_links(form)
        if links is not None:
            await _tell(notice, prompt, question.options, links, context)
    raise Parked(WaitRequest(waits_for=WaitKind.QUESTION, form=form))


async def _tell(
    notice: _Notice,
    prompt: str,
    options: object,
    links: Mapping[str, str],
    context: ActionContext,
) -> None:
    """Send a question to the address that is to be told of it."""
    index = "" if context.index is None else f"[{context.index}]"
    path = f"{context.task}{index}"
    ways = [f"{who}: {link}" if who else link for who, link in links.items()]
    said = {
        "text": "\n".join([prompt, *(ways or [f"fanwise answer {context.run_id} {path}"])]),
        "run_id": context.run_id,
        "path": path,
        "prompt": prompt,
        "options": options,
        "until": context.deadline,
        "links": links,
    }
    await send_request(
        notice.url,
        "POST",
        headers=notice.headers,
        json=said,
        expect="2xx",
        max_redirects=0,
        limits=context.limits,
    )
