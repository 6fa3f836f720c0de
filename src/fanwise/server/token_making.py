"""New tokens, as the command line and the API make them."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from fanwise.definition.literals import parse_duration
from fanwise.errors import UsageError
from fanwise.model import Role, Token
from fanwise.ports import Access
from fanwise.server.credentials import ID_LETTERS, SECRET_LETTERS, TokenText, hashed
from fanwise.wiring import new_token

_NAME: Final = re.compile(r"[\w .@:-]{1,100}")
_MOST_PATTERNS: Final = 100
LINK_TOKEN: Final = "sign-in-link"
"""The id of the token of those who sign in by the link that `fanwise serve` shows."""


def new_token_text(
    access: Access,
    name: str,
    role: Role,
    *,
    workflows: Collection[str] = (),
    expires_in: str | None = None,
) -> TokenText:
    """Make a token and return its text. Raises `UsageError` for a name or a span that is none."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            "the name of a token has 1 to 100 letters, digits, spaces and . @ : - _.",
            hint="Name the person or the program that is to have it.",
        )
    if len(workflows) > _MOST_PATTERNS or not all(workflows):
        raise UsageError(f"a token has at most {_MOST_PATTERNS} patterns, and none is empty.")
    text = TokenText(new_token(ID_LETTERS), new_token(SECRET_LETTERS))
    token = Token(
        id=text.token_id,
        name=name,
        secret_hash=hashed(text.secret),
        role=role,
        workflows=tuple(workflows),
    )
    access.add_token(token, lasts_s=None if expires_in is None else _span_s(expires_in))
    return text


def require_link_token(access: Access) -> None:
    """Have the token of sign-in links in the store. Nobody knows a secret of it."""
    secret = hashed(new_token(SECRET_LETTERS))
    access.add_token(Token(id=LINK_TOKEN, name="sign-in link", secret_hash=secret, role=Role.ADMIN))


def _span_s(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(
            f"the time for which a token lasts {error}.", hint="Such as 90d."
        ) from None
