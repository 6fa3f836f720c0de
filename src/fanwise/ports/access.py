"""Access to a server: tokens, sessions, tickets and the audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fanwise.model import AuditEntry, Session, Ticket, Token


class Access(Protocol):
    """Tokens, sessions, tickets and the audit. Any thread may call these; they block."""

    def add_token(self, token: Token, *, lasts_s: float | None = None) -> None:
        """Record a new token, which is made now, and lasts so long if that is given.

        A token whose id is there already is left as it is.
        """

    def tokens(self) -> Sequence[Token]:
        """Return all tokens, the oldest first, also those that aren't valid any more."""

    def token(self, token_id: str) -> Token | None:
        """Return a token that is valid now, or None."""

    def note_token_use(self, token_id: str) -> None:
        """Note that a token is used now, if that was noted more than an hour ago."""

    def revoke_token(self, token_id: str) -> bool:
        """Revoke a token, and end its sessions and tickets; return whether it was valid."""

    def add_session(self, session: Session, *, lasts_s: float) -> Session:
        """Record a new session, which is made now and lasts so long; return it as it is then."""

    def session(self, cookie_hash: str, *, idle_s: float) -> tuple[Session, Token] | None:
        """Return a session and its token if both are valid, and it was used for `idle_s` ago.

        Notes its use, within a minute.
        """

    def sessions(self, *, idle_s: float, limit: int = 100) -> Sequence[tuple[Session, Token]]:
        """Return valid sessions with their tokens, the latest used first; see `session`."""

    def end_session(self, cookie_hash: str) -> None:
        """End a session."""

    def add_ticket(self, ticket: Ticket, *, lasts_s: float) -> None:
        """Record a new ticket, which lasts so long."""

    def take_ticket(self, secret_hash: str) -> tuple[Ticket, Token] | None:
        """Use up a ticket, and return it with its token if both are valid. Of two one gets it."""

    def note_audit(self, entry: AuditEntry) -> None:
        """Add an entry to the audit, at the present time."""

    def audit(self, *, before: int | None = None, limit: int = 100) -> Sequence[AuditEntry]:
        """Return the latest entries, the newest first; with `before` those with smaller numbers."""

    def forget_audit(self, older_than_s: float) -> None:
        """Delete entries that are older, and what is left of sessions and tickets that are over."""
