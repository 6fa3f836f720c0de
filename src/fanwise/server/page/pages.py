"""A page as a route: its fragment as it is now, or a stream of it, each time it has changed.

What a page shows is read in a thread, by a view that knows neither HTTP nor HTML.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Final

import msgspec

from fanwise.model import Role, RunRecord
from fanwise.server.page.rendering import Place, render
from fanwise.server.page.streams import Fragment, stream
from fanwise.server.routes import Answer, Call, Fields, Given, Route

HTML: Final = "text/html; charset=utf-8"
_STREAM: Final = "text/event-stream"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a page. `title` is that of its window, `values` those of its template.

    `live` is the query that a stream of it has beside the page's own, None for a page that nothing
    changes while it is looked at. It is shown again when one of the runs with the numbers
    `run_nos` has changed, when a run was made if it shows `new_runs`, and for all else in steady
    intervals while it `ages`.
    """

    title: str
    values: Mapping[str, object]
    live: str | None = None
    run_nos: Collection[int] = ()
    new_runs: bool = True
    ages: bool = True

    @classmethod
    def of_run(cls, title: str, run: RunRecord, values: Mapping[str, object]) -> Shown:
        """Return the content of a page about one run, which doesn't age once that is over."""
        return cls(
            title=title,
            values=values,
            live="",
            run_nos=(run.run_no,),
            new_runs=False,
            ages=not run.status.is_final,
        )


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
        return Answer(found.text.encode(), HTML, headers={"ETag": found.tag})

    def _fragment(self, call: Call) -> Fragment:
        shown = self.view(call)
        place = Place(base_of(call), call.parts.clock.now(), call.who.role)
        head = {"title": shown.title, "live": shown.live, "room": self.room}
        text = render(self.template, place, {**shown.values, "page": head})
        return Fragment(text, frozenset(shown.run_nos), new_runs=shown.new_runs, ages=shown.ages)


def base_of(call: Call) -> str:
    """Return the path in front of all paths of the server, with a slash at its end."""
    return f"{call.parts.site.prefix}/"
