"""The server itself: its store, the engines that drive runs, and the limits that are in use."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from fanwise.model import Role
from fanwise.reports.limits import limits_in_use, named_limits_in_use
from fanwise.server.page.pages import Page, Shown
from fanwise.server.routes import Call


def view(call: Call) -> Shown:
    """Show what an admin looks after."""
    store = call.parts.store
    values = {
        "version": version("fanwise"),
        "place": store.place,
        "size": store.size(),
        "engines": store.engines(),
        "limits": limits_in_use(store, call.parts.runs),
        "named_limits": named_limits_in_use(store),
    }
    return Shown(title="Settings", values=values, live="")


PAGE: Final = Page(
    path="/settings", room="settings", template="settings.html", view=view, role=Role.ADMIN
)
