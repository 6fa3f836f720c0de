"""A page as a route: its fragment as it is now, or a stream of it, each time it has changed.

What a page shows is read in a thread, by a view that knows neither HTTP nor HTML.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from fanwise.model import Role
from fanwise.server.page.rendering import Place, render
from fanwise.server.page.streams import Fragment, stream
from fanwise.server.routes import Answer, Call, Fields, Given, Route

HTML: Final = "text/html; charset=utf-8"
_STREAM: Final = "text/event-stream"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a page. `title` is that of its window, `values` those of its template.

    `live` is the query that a stream of it has beside the page's own, None for a page that nothing
    changes while it is looked at. One that shows nothing but a run has its number, `run_no`.
    """

    title: str
    values: Mapping[str, object]
    live: str | None = None
    run_no: int | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page: its path, the entry of the menu that it belongs to, its template and its view."""

    path: str
    room: str
    template: str
    view: Callable[[Call], Shown]
    query: type[Fields] | None = None
    role: Role = Role.READ

    def route(self) -> Route:
        """The route of the page's fragment."""
        return Route(
            method="GET",
            path=f"/page{self.path}",
            handler=self._serve,
            role=self.role,
            query=self.query,
        )

    async def _serve(self, call: Call) -> Given:
        """Give the page as a fragment, or as a stream of it each time it has changed."""
        if call.request.headers.get("Accept") == _STREAM:
            return await stream(call, lambda: self._fragment(call))
        found = await asyncio.to_thread(self._fragment, call)
        return Answer(found.text.encode(), HTML)

    def _fragment(self, call: Call) -> Fragment:
        shown = self.view(call)
        place = Place(base_of(call), call.parts.clock.now(), call.who.role)
        head = {"title": shown.title, "live": shown.live, "room": self.room}
        return Fragment(render(self.template, place, {**shown.values, "page": head}), shown.run_no)


def base_of(call: Call) -> str:
    """Return the path in front of all paths of the server, with a slash at its end."""
    return f"{call.parts.site.prefix}/"
