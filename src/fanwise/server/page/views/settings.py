"""The server itself: store, engines, limits in use, tokens, sessions, and who has changed what."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from fanwise.model import Role
from fanwise.reports.limits import limits_in_use, named_limits_in_use
from fanwise.server.page.pages import Page, Shown
from fanwise.server.routes import Call
from fanwise.server.sessions import open_sessions

_MOST_ENTRIES: Final = 50
_MOST_SESSIONS: Final = 50


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
        "tokens": [each for each in store.tokens() if each.revoked_at is None],
        "sessions": open_sessions(call, _MOST_SESSIONS),
        "audit": store.audit(limit=_MOST_ENTRIES),
    }
    return Shown(title="Settings", values=values, live="")


PAGE: Final = Page(
    path="/settings", room="settings", template="settings.html", view=view, role=Role.ADMIN
)
