"""Links to questions, by which people answer without an account.

A link ends with a token of 128 random bits and more, of which the store has only a hash. It is for
one question and one person, and of no use once the question is settled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

from fanwise.model import Link, WaitPlace, WaitState
from fanwise.plan.questions import read_question
from fanwise.ports import Waits

_LETTERS: Final = 32
ANYBODY: Final = "somebody with the link"
"""The one who answers by a link that is for nobody in particular."""


def new_links(
    waits: Waits,
    run_no: int,
    place: WaitPlace,
    form: bytes,
    public_url: str,
    new_token: Callable[[int], str],
) -> Mapping[str, str]:
    """Make links to the question `form`, one for each person that it asks; their URLs by names.

    A question that asks nobody in particular has one, for "", unless it rules out somebody: who
    has the link isn't known. Links that were made before stay.
    """
    question, (path, turn) = read_question(form), place
    tokens = {who: new_token(_LETTERS) for who in question.who or ("",)}
    if question.not_starter:
        tokens.pop("", None)
    waits.add_links(
        [Link(token_hash(token), run_no, path, turn, who) for who, token in tokens.items()]
    )
    return {who: f"{public_url.rstrip('/')}/ask/{token}" for who, token in tokens.items()}


def links_beforehand(
    waits: Waits,
    run_no: int,
    place: WaitPlace,
    form: bytes,
    public_url: str | None,
    new_token: Callable[[int], str],
) -> Mapping[str, str] | None:
    """Make links to a question that is about to be asked; None if it has been asked already.

    There are none without a `public_url`.
    """
    path, turn = place
    for each in waits.waits_at(run_no, path):
        if each.turn == turn and each.state is not WaitState.CLOSED:
            return None
    return (
        {} if public_url is None else new_links(waits, run_no, place, form, public_url, new_token)
    )


def token_hash(token: str) -> str:
    """The hash by which the store knows a token."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()
