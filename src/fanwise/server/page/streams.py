"""The stream of a page: its fragment is sent again when it has changed.

A stream holds one fragment's digest, however often the page changes. The page of a run looks at the
number of that run's changes, at most twice a second, and renders only if that has grown; others
render now and then.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final, NamedTuple

from aiohttp import web

from fanwise.errors import NotFoundError
from fanwise.server.event_streams import BEAT_S, EventStream, open_stream
from fanwise.server.problems import Refusal
from fanwise.server.routes import Call

_LOOK_S: Final = 0.4
"""The time between two looks at the changes of a run."""

_RENDER_S: Final = 2.0
"""The time after which a page is rendered again that nothing tells of changes."""


class Fragment(NamedTuple):
    """A page as text. It changes with the run of that number alone, unless that is None."""

    text: str
    run_no: int | None


async def stream(call: Call, render: Callable[[], Fragment]) -> web.StreamResponse:
    """Send a fragment each time it has changed, until the client has gone. Raises `Refusal`."""

    async def follow(stream: EventStream, seen: _Seen) -> None:
        await _follow(call, stream, render, seen)

    return await open_stream(call, lambda: _look(call, render, None), follow)


class _Seen(NamedTuple):
    """A fragment with the number of its run's changes, and when it was rendered."""

    fragment: Fragment
    changes: int
    at: float


def _look(call: Call, render: Callable[[], Fragment], before: _Seen | None) -> _Seen:
    """Render a page, unless it can't have changed since. Raises what its view raises."""
    now, changes = call.parts.clock.monotonic(), 0
    if before is not None:
        run_no = before.fragment.run_no
        if run_no is not None:
            changes = call.parts.store.heads([run_no]).runs.get(run_no, 0)
        if changes == before.changes and now - before.at < _RENDER_S:
            return before
    return _Seen(render(), changes, now)


async def _follow(
    call: Call, stream: EventStream, render: Callable[[], Fragment], seen: _Seen
) -> None:
    """Send fragments as they change, until the server, the reader's token or the page is gone."""
    sent, silent_s = b"", 0.0
    while True:
        digest = _digest(seen.fragment.text)
        if digest != sent:
            sent, silent_s = digest, 0.0
            await stream.send("page", seen.fragment.text.encode())
        elif silent_s >= BEAT_S:
            silent_s = 0.0
            await stream.beat()
        await asyncio.sleep(_LOOK_S)
        silent_s += _LOOK_S
        if await stream.ending() is not None:
            return  # the client asks again, and is told
        try:
            seen = await asyncio.to_thread(_look, call, render, seen)
        except (NotFoundError, Refusal):
            await stream.send("gone", b"")
            return


def _digest(text: str) -> bytes:
    """A digest of a fragment but for the time in its first line."""
    _, _, rest = text.partition("\n")
    return hashlib.blake2b(rest.encode(), digest_size=16).digest()
