"""Tokens: made, listed and revoked; and the audit of what was done with them."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from fanwise.errors import UsageError
from fanwise.model import AuditEntry, Role
from fanwise.reports.objects import iso_time, token_object
from fanwise.server.problems import Refusal
from fanwise.server.routes import Answer, Call, Fields, Route, json_answer
from fanwise.server.token_making import new_token_text


class NewToken(Fields, frozen=True, kw_only=True):
    """A token to be made: for which workflows (all without patterns), and for how long."""

    name: str
    role: Role
    workflows: tuple[str, ...] = ()
    expires_in: str | None = None


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token, without its secret."""

    id: str
    name: str
    role: Role
    workflows: tuple[str, ...]
    made_at: str | None
    expires_at: str | None
    used_at: str | None
    revoked_at: str | None


class TokenMade(msgspec.Struct, frozen=True, kw_only=True):
    """A new token, whose text is told this once."""

    id: str
    token: str


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """All tokens, the oldest first."""

    tokens: list[TokenView]


class AuditQuery(Fields, frozen=True, kw_only=True):
    """A page of the audit: entries with smaller numbers than `before`."""

    before: int | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class AuditView(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the audit. `fields` names the fields that were given, never their values."""

    no: int
    at: str | None
    action: str
    token_id: str
    name: str
    address: str
    target: str
    status: int
    fields: tuple[str, ...]
    request_id: str


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the audit, the newest entry first; `next` is the `before` of the next page."""

    entries: list[AuditView]
    next: int | None


def list_tokens(call: Call) -> Answer:
    """List all tokens, also those that were revoked."""
    return json_answer({"tokens": [token_object(each) for each in call.parts.store.tokens()]})


def make_token(call: Call) -> Answer:
    """Make a token. Its text is in the answer, and nowhere else."""
    body = call.body(NewToken)
    text = new_token_text(
        call.parts.store,
        body.name,
        body.role,
        workflows=body.workflows,
        expires_in=body.expires_in,
    )
    return json_answer(TokenMade(id=text.token_id, token=str(text)), status=201)


def revoke_token(call: Call) -> Answer:
    """Revoke a token: it, its sessions and its streams end."""
    token_id = call.names["id"]
    if not call.parts.store.revoke_token(token_id):
        raise Refusal(404, "not-found", "There is no valid token with this id.")
    return Answer(b"", status=204)


def get_audit(call: Call) -> Answer:
    """Tell who has changed what, the newest first; also what was refused."""
    query = call.query(AuditQuery)
    found = call.parts.store.audit(before=query.before, limit=query.limit)
    following = found[-1].audit_no if len(found) == query.limit else None
    return json_answer(Audit(entries=[_entry_view(each) for each in found], next=following))


def _entry_view(entry: AuditEntry) -> AuditView:
    return AuditView(
        no=entry.audit_no,
        at=iso_time(entry.at),
        action=entry.action,
        token_id=entry.token_id,
        name=entry.name,
        address=entry.address,
        target=entry.target,
        status=entry.status,
        fields=entry.fields,
        request_id=entry.request_id,
    )


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/tokens",
        handler=list_tokens,
        role=Role.ADMIN,
        answer=Tokens,
    ),
    Route(
        method="POST",
        path="/api/v1/tokens",
        handler=make_token,
        role=Role.ADMIN,
        body=NewToken,
        answer=TokenMade,
        status=201,
        errors=(UsageError,),
        audit="make-token",
    ),
    Route(
        method="DELETE",
        path="/api/v1/tokens/{id}",
        handler=revoke_token,
        role=Role.ADMIN,
        status=204,
        audit="revoke-token",
    ),
    Route(
        method="GET",
        path="/api/v1/audit",
        handler=get_audit,
        role=Role.ADMIN,
        query=AuditQuery,
        answer=Audit,
    ),
)
