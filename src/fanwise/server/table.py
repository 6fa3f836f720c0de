"""The one table of routes: router, roles, documentation and tests come from it."""

from __future__ import annotations

from typing import Final

from fanwise.server import (
    asking,
    bulk,
    comparing,
    control,
    emitting,
    engines,
    events,
    hooks,
    items,
    logs,
    pictures,
    repairing,
    reports,
    runs,
    sessions,
    tasks,
    tiles,
    tokens,
    triggers,
    validating,
    versions,
    vitals,
    waits,
    workflows,
)
from fanwise.server.page import table as page
from fanwise.server.routes import Route

TABLE: Final[tuple[Route, ...]] = (
    *reports.ROUTES,
    *runs.ROUTES,
    *control.ROUTES,
    *repairing.ROUTES,
    *bulk.ROUTES,
    *tasks.ROUTES,
    *tiles.ROUTES,
    *items.ROUTES,
    *logs.ROUTES,
    *pictures.ROUTES,
    *comparing.ROUTES,
    *workflows.ROUTES,
    *validating.ROUTES,
    *triggers.ROUTES,
    *waits.ROUTES,
    *asking.ROUTES,
    *engines.ROUTES,
    *events.ROUTES,
    *emitting.ROUTES,
    *hooks.ROUTES,
    *sessions.ROUTES,
    *tokens.ROUTES,
    *versions.ROUTES,
    *vitals.ROUTES,
    *page.ROUTES,
)
