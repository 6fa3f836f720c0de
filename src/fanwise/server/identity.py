"""Identity: who makes a request, by a token, a session or a ticket.

A session is a cookie and a key that each request shows. Cookies go to all ports of a host, so other
programs there get the cookie; none of them gets the key, and a script that has been smuggled into
the page gets the key and not the cookie. No other site's request has the key.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from fanwise.model import AuditEntry, Session, Ticket, Token, Who
from fanwise.ports import Access, Clock
from fanwise.server.buckets import SIGN_INS, Buckets
from fanwise.server.credentials import SECRET_LETTERS, hashed, is_secret, read_token
from fanwise.server.problems import Refusal

SESSION_S: Final = 7 * 86_400.0
IDLE_S: Final = 12 * 3_600.0
SIGN_IN_TICKET_S: Final = 300.0
DOWNLOAD_TICKET_S: Final = 60.0
_SESSION_ID_LETTERS: Final = 12
_MOST_SESSIONS: Final = 10_000


class Shown(NamedTuple):
    """The credentials that a request shows, from which address, and what it asks for."""

    address: str
    target: str = ""
    bearer: str | None = None
    cookie: str | None = None
    key: str | None = None
    ticket: str | None = None


class NewSession(NamedTuple):
    """A session that has begun: what its cookie holds, and the key to send with each request."""

    cookie: str
    key: str
    session: Session
    who: Who


class OpenSession(NamedTuple):
    """A session that is open, by an id that tells nothing of its secrets; the asker's `is_this`."""

    id: str
    session: Session
    token: Token
    is_this: bool


class Identity:
    """Tells who makes requests, and begins sessions. Several threads use it at once."""

    def __init__(self, access: Access, clock: Clock, new_secret: Callable[[int], str]) -> None:
        self._access = access
        self._clock = clock
        self._new_secret = new_secret
        self._failures = Buckets()
        self._counting = threading.Lock()

    def who(self, shown: Shown) -> Who | None:
        """Return the one who shows these credentials; None for none, or none that are valid.

        Raises `Refusal` for an address that has shown too many wrong ones.
        """
        if shown.bearer is not None:
            return self.token_of(shown.bearer, shown.address).who
        if shown.ticket is not None:
            return self.use_ticket(shown.ticket, shown.target, shown.address).who
        if shown.cookie is not None and shown.key is not None:
            return self._by_session(shown.cookie, shown.key)
        return None

    def token_of(self, text: str, address: str) -> Token:
        """Return the token of a text. Raises `Refusal` for one that isn't valid."""
        given = read_token(text)
        token = None if given is None else self._access.token(given.token_id)
        secret = "" if given is None else given.secret
        if not is_secret(secret, None if token is None else token.secret_hash) or token is None:
            raise self._failed(address, "The token isn't valid.")
        self._access.note_token_use(token.id)
        return token

    def use_ticket(self, secret: str, target: str, address: str) -> Token:
        """Use up a ticket for a path, or to sign in. Raises `Refusal` for one that isn't valid."""
        found = self._access.take_ticket(hashed(secret))
        if found is None or found[0].target != target:
            raise self._failed(address, "The link isn't valid any more: it works once.")
        return found[1]

    def new_ticket(self, token_id: str, target: str, lasts_s: float) -> str:
        """Return the secret of a new ticket."""
        secret = self._new_secret(SECRET_LETTERS)
        ticket = Ticket(
            secret_hash=hashed(secret), token_id=token_id, target=target, expires_at=0.0
        )
        self._access.add_ticket(ticket, lasts_s=lasts_s)
        return secret

    def begin_session(self, token: Token) -> NewSession:
        """Begin a session of a token."""
        cookie, key = self._new_secret(SECRET_LETTERS), self._new_secret(SECRET_LETTERS)
        session = Session(
            cookie_hash=hashed(cookie), key_hash=hashed(key), token_id=token.id, expires_at=0.0
        )
        return NewSession(
            cookie, key, self._access.add_session(session, lasts_s=SESSION_S), token.who
        )

    def end_session(self, cookie: str) -> None:
        """End the session of a cookie."""
        self._access.end_session(hashed(cookie))

    def sessions(self, cookie: str | None, *, limit: int) -> Sequence[OpenSession]:
        """Return the sessions that are open, the latest used first; `cookie` is that of one."""
        mine = None if cookie is None else hashed(cookie)
        found = self._access.sessions(idle_s=IDLE_S, limit=limit)
        return [
            OpenSession(_session_id(session), session, token, is_this=session.cookie_hash == mine)
            for session, token in found
        ]

    def end_session_with_id(self, session_id: str) -> bool:
        """End a session, and return whether one with this id was open."""
        for session, _ in self._access.sessions(idle_s=IDLE_S, limit=_MOST_SESSIONS):
            if _session_id(session) == session_id:
                self._access.end_session(session.cookie_hash)
                return True
        return False

    def _by_session(self, cookie: str, key: str) -> Who | None:
        found = self._access.session(hashed(cookie), idle_s=IDLE_S)
        known = None if found is None else found[0].key_hash
        return found[1].who if is_secret(key, known) and found is not None else None

    def _failed(self, address: str, why: str) -> Refusal:
        """The refusal of wrong credentials, which an address may show only so often."""
        with self._counting:
            wait_s = self._failures.take(SIGN_INS, address, self._clock.monotonic())
        if wait_s:
            headers = {"Retry-After": str(int(wait_s) + 1)}
            return Refusal(429, "too-many", "Too many sign-ins have failed.", headers=headers)
        hint = "Ask for another one; tokens are made with: fanwise token add"
        headers = {"WWW-Authenticate": "Bearer"}
        return Refusal(401, "unauthenticated", why, hint=hint, headers=headers)


def _session_id(session: Session) -> str:
    return session.cookie_hash[:_SESSION_ID_LETTERS]


def sign_in_entry(action: str, who: Who | None, address: str, request_id: str) -> AuditEntry:
    """Return the entry of the audit for a sign-in, which has failed if it is nobody's."""
    return AuditEntry(
        action=action,
        token_id="" if who is None else who.token_id,
        name="" if who is None else who.name,
        address=address,
        target="",
        status=401 if who is None else 200,
        request_id=request_id,
    )
