"""The port `Access` over a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from fanwise.model import AuditEntry, Role, Session, Ticket, Token
from fanwise.stores import access_statements
from fanwise.stores.database import NEWEST, Database, Writer
from fanwise.stores.rows import Row
from fanwise.values import encode

_SESSION_COLUMNS: Final = 6
_read_names = msgspec.json.Decoder(tuple[str, ...]).decode


class SqlAccess:
    """The port `Access` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_token(self, token: Token, *, lasts_s: float | None = None) -> None:
        """Record a new token; see `Access.add_token`."""
        self._database.controlling(
            lambda writer: writer.execute(
                access_statements.ADD_TOKEN,
                id=token.id,
                name=token.name,
                secret_hash=token.secret_hash,
                role=token.role.value,
                workflows=_names(token.workflows),
                lasts_s=lasts_s,
            )
        )

    def tokens(self) -> Sequence[Token]:
        """Return all tokens; see `Access.tokens`."""
        return [_to_token(row) for row in self._database.read(access_statements.TOKENS)]

    def token(self, token_id: str) -> Token | None:
        """Return a valid token, or None."""
        found = self._database.read(access_statements.VALID_TOKEN, token_id=token_id)
        return _to_token(found[0]) if found else None

    def note_token_use(self, token_id: str) -> None:
        """Note that a token is used; see `Access.note_token_use`."""
        self._database.controlling(
            lambda writer: writer.execute(access_statements.NOTE_USE, token_id=token_id)
        )

    def revoke_token(self, token_id: str) -> bool:
        """Revoke a token; see `Access.revoke_token`."""

        def revoke(writer: Writer) -> bool:
            was_valid = writer.change(access_statements.REVOKE, token_id=token_id) > 0
            writer.execute(access_statements.END_SESSIONS, token_id=token_id)
            writer.execute(access_statements.END_TICKETS, token_id=token_id)
            return was_valid

        return self._database.controlling(revoke)

    def add_session(self, session: Session, *, lasts_s: float) -> Session:
        """Record a new session; see `Access.add_session`."""

        def add(writer: Writer) -> Session:
            (row,) = writer.read(
                access_statements.ADD_SESSION,
                cookie_hash=session.cookie_hash,
                key_hash=session.key_hash,
                token_id=session.token_id,
                lasts_s=lasts_s,
            )
            return _to_session(row)

        return self._database.controlling(add)

    def session(self, cookie_hash: str, *, idle_s: float) -> tuple[Session, Token] | None:
        """Return a valid session with its token; see `Access.session`."""
        found = self._database.read(
            access_statements.SESSION, cookie_hash=cookie_hash, idle_s=idle_s
        )
        for row in found:
            if row[-1]:
                self._database.controlling(
                    lambda writer: writer.execute(
                        access_statements.USE_SESSION, cookie_hash=cookie_hash
                    )
                )
            return _to_session_and_token(row)
        return None

    def sessions(self, *, idle_s: float, limit: int = 100) -> Sequence[tuple[Session, Token]]:
        """Return valid sessions with their tokens; see `Access.sessions`."""
        found = self._database.read(access_statements.SESSIONS, idle_s=idle_s, limit=limit)
        return [_to_session_and_token(row) for row in found]

    def end_session(self, cookie_hash: str) -> None:
        """End a session."""
        self._database.controlling(
            lambda writer: writer.execute(access_statements.END_SESSION, cookie_hash=cookie_hash)
        )

    def add_ticket(self, ticket: Ticket, *, lasts_s: float) -> None:
        """Record a new ticket; see `Access.add_ticket`."""
        self._database.controlling(
            lambda writer: writer.execute(
                access_statements.ADD_TICKET,
                secret_hash=ticket.secret_hash,
                token_id=ticket.token_id,
                target=ticket.target,
                lasts_s=lasts_s,
            )
        )

    def take_ticket(self, secret_hash: str) -> tuple[Ticket, Token] | None:
        """Use up a ticket; see `Access.take_ticket`."""

        def take(writer: Writer) -> tuple[Ticket, Token] | None:
            for row in writer.read(access_statements.TAKE_TICKET, secret_hash=secret_hash):
                hashed, token_id, target, expires_at = row
                ticket = Ticket(
                    secret_hash=hashed, token_id=token_id, target=target, expires_at=expires_at
                )
                for found in writer.read(access_statements.VALID_TOKEN, token_id=token_id):
                    return ticket, _to_token(found)
            return None

        return self._database.controlling(take)

    def note_audit(self, entry: AuditEntry) -> None:
        """Add an entry to the audit; see `Access.note_audit`."""
        self._database.controlling(
            lambda writer: writer.execute(
                access_statements.NOTE_AUDIT,
                action=entry.action,
                token_id=entry.token_id,
                name=entry.name,
                address=entry.address,
                target=entry.target,
                status=entry.status,
                fields=_names(entry.fields),
                request_id=entry.request_id,
            )
        )

    def audit(self, *, before: int | None = None, limit: int = 100) -> Sequence[AuditEntry]:
        """Return the latest entries; see `Access.audit`."""
        found = self._database.read(
            access_statements.AUDIT, before=NEWEST if before is None else before, limit=limit
        )
        return [_to_entry(row) for row in found]

    def forget_audit(self, older_than_s: float) -> None:
        """Delete what is over; see `Access.forget_audit`."""

        def forget(writer: Writer) -> None:
            writer.execute(access_statements.FORGET_AUDIT, older_than_s=older_than_s)
            writer.execute(access_statements.FORGET_SESSIONS)
            writer.execute(access_statements.FORGET_TICKETS)

        self._database.controlling(forget)


def _names(names: Sequence[str]) -> str:
    return encode(list(names)).decode()


def _to_token(row: Row) -> Token:
    token_id, name, secret_hash, role, workflows, made_at, expires_at, used_at, revoked_at = row
    return Token(
        id=token_id,
        name=name,
        secret_hash=secret_hash,
        role=Role(role),
        workflows=_read_names(workflows),
        made_at=made_at,
        expires_at=expires_at,
        used_at=used_at,
        revoked_at=revoked_at,
    )


def _to_session_and_token(row: Row) -> tuple[Session, Token]:
    """The row of a session with its token; its last column says whether its use is to be noted."""
    return _to_session(row[:_SESSION_COLUMNS]), _to_token(row[_SESSION_COLUMNS:-1])


def _to_session(row: Row) -> Session:
    cookie_hash, key_hash, token_id, expires_at, made_at, used_at = row
    return Session(
        cookie_hash=cookie_hash,
        key_hash=key_hash,
        token_id=token_id,
        expires_at=expires_at,
        made_at=made_at,
        used_at=used_at,
    )


def _to_entry(row: Row) -> AuditEntry:
    audit_no, at, action, token_id, name, address, target, status, fields, request_id = row
    return AuditEntry(
        audit_no=audit_no,
        at=at,
        action=action,
        token_id=token_id,
        name=name,
        address=address,
        target=target,
        status=status,
        fields=_read_names(fields),
        request_id=request_id,
    )
