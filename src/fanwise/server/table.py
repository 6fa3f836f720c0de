"""The one table of routes: router, roles, documentation and tests come from it."""

from __future__ import annotations

from typing import Final

from fanwise.server import sessions, tokens, versions, vitals
from fanwise.server.page import table as page
from fanwise.server.routes import Route

TABLE: Final[tuple[Route, ...]] = (
    *sessions.ROUTES,
    *tokens.ROUTES,
    *versions.ROUTES,
    *vitals.ROUTES,
    *page.ROUTES,
)
