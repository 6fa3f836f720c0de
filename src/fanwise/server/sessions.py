"""Signing in and out, the one who asks, and tickets for downloads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote

import msgspec

from fanwise.model import Role, Token
from fanwise.reports.objects import iso_time
from fanwise.server.cookies import expired_cookie, session_cookie, shown_by
from fanwise.server.forwarding import address_of
from fanwise.server.identity import DOWNLOAD_TICKET_S, OpenSession, sign_in_entry
from fanwise.server.problems import Refusal
from fanwise.server.routes import Answer, Call, Fields, Route, json_answer


class SignIn(Fields, frozen=True, kw_only=True):
    """A sign-in by a token."""

    token: str


class TicketSignIn(Fields, frozen=True, kw_only=True):
    """A sign-in by the ticket of a link, which works once."""

    ticket: str


class SessionStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A session: its key has to be sent as `X-Fanwise-Key` with each request."""

    key: str
    name: str
    role: Role
    expires_at: str | None


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """The one who asks: the token's name and role, and patterns of workflows; none for all."""

    name: str
    role: Role
    workflows: tuple[str, ...]


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A session of a browser, with the id and the name of its token. It ends with that.

    `is_this` is true of the session that the request itself shows.
    """

    id: str
    token_id: str
    name: str
    role: Role
    made_at: str | None
    used_at: str | None
    expires_at: str | None
    is_this: bool


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions that are open, the latest used first."""

    sessions: list[SessionView]


class SessionsQuery(Fields, frozen=True, kw_only=True):
    """The number of sessions that are wanted at most."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 100


class TicketFor(Fields, frozen=True, kw_only=True):
    """The path, with its query, that a ticket is for."""

    path: str


class TicketMade(msgspec.Struct, frozen=True, kw_only=True):
    """The path with a ticket, to be opened once within a minute."""

    path: str


def sign_in(call: Call) -> Answer:
    """Sign in with a token.

    The answer sets a cookie and has the session's key; requests have to show both.
    """
    text = call.body(SignIn).token
    return _begin(call, "sign-in", lambda address: call.parts.identity.token_of(text, address))


def sign_in_by_ticket(call: Call) -> Answer:
    """Sign in with the ticket of a link that `fanwise serve` has shown.

    It is as a sign-in with a token, and the ticket works once.
    """
    secret, identity = call.body(TicketSignIn).ticket, call.parts.identity
    return _begin(call, "sign-in", lambda address: identity.use_ticket(secret, "", address))


def _begin(call: Call, action: str, find: Callable[[str], Token]) -> Answer:
    """Begin a session of a token, and note in the audit what has become of it."""
    address, note = address_of(call.request, call.parts.site), call.parts.store.note_audit
    try:
        token = find(address)
    except Refusal as refusal:
        if refusal.problem.status != HTTPStatus.TOO_MANY_REQUESTS:
            note(sign_in_entry(action, None, address, call.request_id))
        raise
    begun = call.parts.identity.begin_session(token)
    note(sign_in_entry(action, begun.who, address, call.request_id))
    started = SessionStarted(
        key=begun.key,
        name=begun.who.name,
        role=begun.who.role,
        expires_at=iso_time(begun.session.expires_at),
    )
    cookie = session_cookie(call.request, call.parts.site, begun.cookie)
    return json_answer(started, headers={"Set-Cookie": cookie})


def sign_out(call: Call) -> Answer:
    """End the session of this browser."""
    shown = shown_by(call.request, call.parts.site)
    if shown.cookie is not None:
        call.parts.identity.end_session(shown.cookie)
    cookie = expired_cookie(call.request, call.parts.site)
    return Answer(b"", status=204, headers={"Set-Cookie": cookie})


def list_sessions(call: Call) -> Answer:
    """List the sessions that are open; to end all of a token, revoke it."""
    shown = [
        SessionView(
            id=each.id,
            token_id=each.token.id,
            name=each.token.name,
            role=each.token.role,
            made_at=iso_time(each.session.made_at),
            used_at=iso_time(each.session.used_at),
            expires_at=iso_time(each.session.expires_at),
            is_this=each.is_this,
        )
        for each in open_sessions(call, call.query(SessionsQuery).limit)
    ]
    return json_answer(Sessions(sessions=shown))


def open_sessions(call: Call, limit: int) -> Sequence[OpenSession]:
    """Return the sessions that are open, the latest used first, at most so many."""
    cookie = shown_by(call.request, call.parts.site).cookie
    return call.parts.identity.sessions(cookie, limit=limit)


def end_session(call: Call) -> Answer:
    """End a session of a browser at once, and its streams within a minute."""
    if not call.parts.identity.end_session_with_id(call.names["id"]):
        raise Refusal(404, "not-found", "There is no open session with this id.")
    return Answer(b"", status=204)


def get_me(call: Call) -> Answer:
    """Tell who asks, and the role."""
    who = call.who
    return json_answer(Me(name=who.name, role=who.role, workflows=who.workflows))


def make_ticket(call: Call) -> Answer:
    """Make a ticket, by which a browser can download a path.

    A link can't show a token or a key, and this one works once within a minute.
    """
    target = call.body(TicketFor).path
    if not target.startswith("/api/") or "ticket=" in target:
        raise Refusal(400, "bad-request", "A ticket is for a path of the API, with its query.")
    secret = call.parts.identity.new_ticket(call.who.token_id, target, DOWNLOAD_TICKET_S)
    mark = "&" if "?" in target else "?"
    return json_answer(TicketMade(path=f"{target}{mark}ticket={quote(secret)}"), status=201)


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/v1/session",
        handler=sign_in,
        is_open="It is how one signs in.",
        body=SignIn,
        answer=SessionStarted,
        refuses=(401,),
    ),
    Route(
        method="POST",
        path="/api/v1/session/ticket",
        handler=sign_in_by_ticket,
        is_open="It is how one signs in.",
        body=TicketSignIn,
        answer=SessionStarted,
        refuses=(401,),
    ),
    Route(
        method="DELETE",
        path="/api/v1/session",
        handler=sign_out,
        role=Role.READ,
        status=204,
        audit="sign-out",
    ),
    Route(
        method="GET",
        path="/api/v1/sessions",
        handler=list_sessions,
        role=Role.ADMIN,
        query=SessionsQuery,
        answer=Sessions,
    ),
    Route(
        method="DELETE",
        path="/api/v1/sessions/{id}",
        handler=end_session,
        role=Role.ADMIN,
        status=204,
        audit="end-session",
    ),
    Route(method="GET", path="/api/v1/me", handler=get_me, role=Role.READ, answer=Me),
    Route(
        method="POST",
        path="/api/v1/tickets",
        handler=make_ticket,
        role=Role.READ,
        body=TicketFor,
        answer=TicketMade,
        status=201,
    ),
)
