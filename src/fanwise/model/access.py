"""Access to a server: roles, tokens, sessions and tickets, and the audit of what was done.

Of each secret only a hash is kept. Times are seconds since the epoch by the store's clock.
"""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase

import msgspec


class Role(StrEnum):
    """A role of those who use a server: each may do what the ones before it may."""

    READ = "read"
    RUN = "run"
    ADMIN = "admin"

    def covers(self, role: Role) -> bool:
        """Say whether this role may do what `role` may."""
        order = list(Role)
        return order.index(self) >= order.index(role)


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """The one who makes a request: the token's id, its name and role.

    `workflows` are patterns such as `report-*` of the names that it may see; empty for all.
    """

    token_id: str
    name: str
    role: Role
    workflows: tuple[str, ...] = ()

    def sees(self, workflow: str) -> bool:
        """Say whether the workflow with this name may be seen."""
        return not self.workflows or any(fnmatchcase(workflow, each) for each in self.workflows)


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as recorded. `used_at` is its latest use, within an hour."""

    id: str
    name: str
    secret_hash: str
    role: Role
    workflows: tuple[str, ...] = ()
    made_at: float = 0.0
    expires_at: float | None = None
    used_at: float | None = None
    revoked_at: float | None = None

    def is_valid(self, now: float) -> bool:
        """Say whether the token may be used."""
        is_over = self.expires_at is not None and self.expires_at <= now
        return self.revoked_at is None and not is_over

    @property
    def who(self) -> Who:
        """The one who has the token."""
        return Who(token_id=self.id, name=self.name, role=self.role, workflows=self.workflows)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session of a browser, which shows a cookie and a key; it ends with its token.

    It ends at `expires_at`, and once it hasn't been used for a while; `used_at` is its latest use,
    within a minute.
    """

    cookie_hash: str
    key_hash: str
    token_id: str
    expires_at: float
    made_at: float = 0.0
    used_at: float = 0.0


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A permission to be used once: to sign in, with an empty `target`, or to get that path."""

    secret_hash: str
    token_id: str
    target: str
    expires_at: float


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A request that changed something, or was to: by whom, what and with which status.

    `fields` are the names of the fields that it gave, never their values.
    """

    action: str
    token_id: str
    name: str
    address: str
    target: str
    status: int
    fields: tuple[str, ...] = ()
    request_id: str = ""
    at: float = 0.0
    audit_no: int = 0
