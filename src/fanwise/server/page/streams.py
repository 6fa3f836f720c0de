"""The stream of a page: its fragment is sent again when it has changed.

It is rendered when the runs have changed that it shows, so a page of what is over costs nothing. A
stream holds one fragment's tag, however often the page changes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final

from aiohttp import web

from fanwise.errors import NotFoundError
from fanwise.server.event_streams import BEAT_S, EventStream, open_stream
from fanwise.server.looks import Look, Looked
from fanwise.server.problems import Refusal
from fanwise.server.routes import Call
from fanwise.server.watch import known

_LEAST_S: Final = 0.2
"""The shortest time between two renderings."""

_SHARE: Final = 10
"""The time between two renderings, in spans that one takes: a tenth of a core, at most."""

_AGE_S: Final = 5.0
"""The time after which a page is rendered again that changes with more than its runs."""


class Fragment:
    """A page as text, with the runs that it changes with; see `Shown`.

    Its `tag` is the same as long as nothing but the time differs in what it shows.
    """

    def __init__(self, text: str, run_nos: frozenset[int], *, new_runs: bool, ages: bool) -> None:
        self.text = text
        self.run_nos = run_nos
        self.new_runs = new_runs
        self.ages = ages
        _, _, rest = text.partition("\n")
        self.tag = f'"{hashlib.blake2b(rest.encode(), digest_size=16).hexdigest()}"'


async def stream(call: Call, render: Callable[[], Fragment]) -> web.StreamResponse:
    """Send a fragment each time it has changed, until the client has gone. Raises `Refusal`.

    A client that has it already names its tag in `If-None-Match`. Streams of one address share what
    is rendered, if their readers have one name and may see and do the same.
    """
    who = call.who
    key = (call.request.path_qs, who.name, who.role, who.workflows)
    with call.parts.looks.shared(key, render, lambda fragment: fragment.run_nos) as look:

        async def follow(stream: EventStream, first: Looked[Fragment]) -> None:
            await _follow(call, stream, look, first)

        return await open_stream(call, look.from_now, follow)


async def _follow(
    call: Call, stream: EventStream, look: Look[Fragment], looked: Looked[Fragment]
) -> None:
    """Send fragments as they change, until the server, the reader's token or the page is gone."""
    watch, sent = call.parts.watch, call.request.headers.get("If-None-Match", "")
    took_s = 0.0  # the first rendering may have compiled templates
    if looked.found.tag == sent:
        await stream.beat()  # it is there
    while True:
        fragment = looked.found
        if fragment.tag != sent:
            sent = fragment.tag
            await stream.send("page", fragment.text.encode())
        heads = known(looked.before, fragment.run_nos)
        patience_s = _AGE_S if fragment.ages else BEAT_S
        found = await watch.await_change(heads, patience_s, with_new=fragment.new_runs)
        if found == heads:
            await stream.beat()
        else:
            await asyncio.sleep(max(_LEAST_S, _SHARE * took_s))
        if await stream.ending() is not None:
            return  # the client asks again, and is told
        if found == heads and not fragment.ages:
            continue
        try:
            looked = await look.again()
        except (NotFoundError, Refusal):
            await stream.send("gone", b"")
            return
        took_s = looked.took_s
