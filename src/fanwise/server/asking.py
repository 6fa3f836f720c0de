"""Links to questions: `/ask/TOKEN` shows a form, and only its `POST` answers.

Scanners of mail follow links, so showing one changes nothing. There is no cookie and no script.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from msgspec.structs import replace

from fanwise.engine.answers import answer_question, settled_words
from fanwise.engine.links import ANYBODY, token_hash
from fanwise.errors import ParameterError, RunOverError, WaitNotFoundError, WaitSettledError
from fanwise.model import GivenAnswer, Link, Role, RunRecord, Wait, WaitState
from fanwise.plan.questions import Question, declared_fields, read_question
from fanwise.server.buckets import Rate
from fanwise.server.forms import read_bytes
from fanwise.server.page.pages import HTML, base_of
from fanwise.server.page.rendering import Place, render
from fanwise.server.page.shell import assets
from fanwise.server.page.views.fields import fields_of
from fanwise.server.problems import Refusal
from fanwise.server.routes import Answer, Call, Route

LINKS: Final = Rate("requests to links", 5.0, 60)
_MOST_BODY_BYTES: Final = 2**16
_OPEN: Final = "The link is the permission to answer; its token can't be guessed."
_FIELD: Final = "field."
# A form's POST names its origin only under a policy that lets the own site see it.
_HEADERS: Final = {"Referrer-Policy": "same-origin"}


class _Asked(NamedTuple):
    """The question of a link, and its run."""

    link: Link
    run: RunRecord
    wait: Wait

    @property
    def question(self) -> Question:
        """The question as it is recorded."""
        return read_question(self.wait.form)


def get_question(call: Call) -> Answer:
    """Show the question of a link, with a form for its answer. It changes nothing."""
    asked = _find(call)
    if asked.wait.state is not WaitState.OPEN:
        return _page(call, asked, status=_status(asked.wait), said=_told(asked.wait))
    return _page(call, asked)


async def post_answer(call: Call) -> Answer:
    """Answer the question of a link. The first answer counts; a later one is told who was first."""
    body = await read_bytes(call.request, _MOST_BODY_BYTES)
    if call.request.content_type != "application/x-www-form-urlencoded":
        raise Refusal(415, "bad-type", "An answer comes from the form of its link.")
    try:
        given = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1_000))
    except ValueError:
        raise Refusal(400, "bad-request", "The form is no text.") from None
    return await asyncio.to_thread(_answer, call, given)


def _answer(call: Call, given: Mapping[str, str]) -> Answer:
    asked = _find(call)
    texts = {
        name.removeprefix(_FIELD): text
        for name, text in given.items()
        if name.startswith(_FIELD) and text
    }
    if asked.wait.state is WaitState.OPEN:
        answer = GivenAnswer(
            choice=given.get("choice"), by=asked.link.who or ANYBODY, via="link", texts=texts
        )
        try:
            answer_question(
                call.parts.store, asked.run, asked.wait.path, answer, turn=asked.wait.turn
            )
        except ParameterError as error:
            problem = error.message.replace(f"{asked.run.id} {asked.wait.path}  ", "")
            return _page(call, asked, status=422, problem=problem, given=texts)
        except (WaitSettledError, WaitNotFoundError, RunOverError):
            asked = _find(call)
        else:
            return _page(call, _find(call), said="Thank you: the answer is recorded.")
    return _page(call, asked, status=_status(asked.wait), problem=_told(asked.wait))


def _find(call: Call) -> _Asked:
    """The question of the link. Raises `Refusal` for a token that is none, or whose run is gone."""
    store = call.parts.store
    link = store.link(token_hash(call.names["token"]))
    run = None if link is None else store.run(link.run_id)
    found = [] if link is None else store.waits_at(link.run_no, link.path)
    wait = next((each for each in found if link is not None and each.turn == link.turn), None)
    if link is None or run is None or wait is None:
        raise Refusal(404, "not-found", "There is no such link.")
    if run.status.is_final and wait.state is WaitState.OPEN:
        wait = replace(wait, state=WaitState.CLOSED)
    return _Asked(link, run, wait)


def _status(wait: Wait) -> int:
    return 409 if wait.state is WaitState.ANSWERED else 410


def _told(wait: Wait) -> str:
    """The words for what has become of a question."""
    text = settled_words(wait)
    return f"{text[0].upper()}{text[1:]}."


def _page(
    call: Call,
    asked: _Asked,
    *,
    status: int = 200,
    said: str = "",
    problem: str = "",
    given: Mapping[str, str] | None = None,
) -> Answer:
    is_open = asked.wait.state is WaitState.OPEN
    question = asked.question
    values = {
        "title": question.prompt,
        "question": question if is_open else None,
        "fields": fields_of(declared_fields(question.fields)) if is_open else (),
        "given": given or {},
        "said": said,
        "problem": problem,
        "run_id": asked.run.id,
        "workflow": asked.run.workflow,
        "who": asked.link.who,
        "deadline": asked.wait.deadline,
        "digest": assets().digest,
    }
    place = Place(base_of(call), call.parts.clock.now(), Role.READ)
    return Answer(render("ask.html", place, values).encode(), HTML, status, _HEADERS)


ROUTES: Final = (
    Route(
        method="GET",
        path="/ask/{token}",
        handler=get_question,
        is_open=_OPEN,
        rate=LINKS,
    ),
    Route(
        method="POST",
        path="/ask/{token}",
        handler=post_answer,
        is_open=_OPEN,
        rate=LINKS,
        most_bytes=_MOST_BODY_BYTES,
    ),
)
