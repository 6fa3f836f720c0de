"""Links to questions, by which people answer without an account.

A link ends with a token of 128 random bits and more, of which the store has only a hash. It is for
one question and one person, and of no use once the question is settled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

from fanwise.model import Link, Wait
from fanwise.plan.questions import read_question
from fanwise.ports import Waits

_LETTERS: Final = 32
ANYBODY: Final = "somebody with the link"
"""The one who answers by a link that is for nobody in particular."""


def new_links(
    waits: Waits, wait: Wait, public_url: str, new_token: Callable[[int], str]
) -> Mapping[str, str]:
    """Make links to a question, one for each person that it asks; their URLs by names.

    A question that asks nobody in particular has one, for "". Links that were made before stay.
    """
    tokens = {who: new_token(_LETTERS) for who in read_question(wait.form).who or ("",)}
    waits.add_links(
        [
            Link(token_hash(token), wait.run_no, wait.path, wait.turn, who)
            for who, token in tokens.items()
        ]
    )
    return {who: f"{public_url.rstrip('/')}/ask/{token}" for who, token in tokens.items()}


def token_hash(token: str) -> str:
    """The hash by which the store knows a token."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()
