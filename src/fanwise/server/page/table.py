"""The pages, and the routes of their shell, fragments and files."""

from __future__ import annotations

from typing import Final

from fanwise.server.page import api_page
from fanwise.server.page.shell import shell_routes
from fanwise.server.page.views import (
    compare,
    definition,
    drawn,
    home,
    item,
    logs,
    run,
    runs,
    settings,
    task,
    triggers,
    waiting,
    workflows,
)
from fanwise.server.routes import Route

PAGES: Final = (
    *(view.PAGE for view in (home, runs, run, logs, definition, task, item)),
    *(task.TIMES, drawn.GRAPH, drawn.TIMELINE),
    *(workflows.ALL, workflows.ONE, workflows.START),
    *(view.PAGE for view in (triggers, waiting, compare, settings)),
)

ROUTES: Final[tuple[Route, ...]] = (
    *(page.route() for page in PAGES),
    *shell_routes(PAGES),
    *api_page.ROUTES,
)
