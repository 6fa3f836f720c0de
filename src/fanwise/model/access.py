"""Access to a server: roles, and who makes a request."""

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
