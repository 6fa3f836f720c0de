"""The stream of a page: its fragment is sent again when it has changed.

A stream holds one fragment's digest, however often the page changes. The page of a run looks at the
number of that run's changes, at most twice a second, and renders only if that has grown; others
render now and then. A stream asks again and again whether its reader still may.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from typing import Final, NamedTuple

from aiohttp import web

from fanwise.errors import NotFoundError
from fanwise.server.cookies import shown_by
from fanwise.server.problems import Refusal
from fanwise.server.routes import Call

_LOOK_S: Final = 0.4
"""The time between two looks at the changes of a run."""

_RENDER_S: Final = 2.0
"""The time after which a page is rendered again that nothing tells of changes."""

_BEAT_S: Final = 15.0
"""The time after which a stream says that it is still there."""

_ASK_S: Final = 30.0
"""The time after which a reader has to be known still."""


class Fragment(NamedTuple):
    """A page as text. It changes with the run of that number alone, unless that is None."""

    text: str
    run_no: int | None


async def stream(call: Call, render: Callable[[], Fragment]) -> web.StreamResponse:
    """Send a fragment each time it has changed, until the client has gone. Raises `Refusal`."""
    with call.parts.open_streams.one_of(call.who.token_id):
        return await _stream(call, render)


async def _stream(call: Call, render: Callable[[], Fragment]) -> web.StreamResponse:
    found = await asyncio.to_thread(_look, call, render, None)
    answer = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",  # else a proxy holds it back
        }
    )
    await answer.prepare(call.request)
    with contextlib.suppress(ConnectionError):
        await _send(call, answer, found, render)
    return answer


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


async def _send(
    call: Call, answer: web.StreamResponse, seen: _Seen, render: Callable[[], Fragment]
) -> None:
    sent, beat_s, asked_s = b"", 0.0, 0.0
    while True:
        digest = _digest(seen.fragment.text)
        if digest != sent:
            sent, beat_s = digest, 0.0
            await answer.write(_event("page", seen.fragment.text))
        elif beat_s >= _BEAT_S:
            beat_s = 0.0
            await answer.write(b": beat\n\n")
        await asyncio.sleep(_LOOK_S)
        beat_s, asked_s = beat_s + _LOOK_S, asked_s + _LOOK_S
        if asked_s >= _ASK_S:
            asked_s = 0.0
            if not await asyncio.to_thread(_is_known, call):
                return
        try:
            seen = await asyncio.to_thread(_look, call, render, seen)
        except (NotFoundError, Refusal):
            await answer.write(_event("gone", ""))
            return


def _is_known(call: Call) -> bool:
    """True if the reader's session or token still holds."""
    shown = shown_by(call.request, call.parts.site)
    with contextlib.suppress(Refusal):
        return call.parts.identity.who(shown) == call.who
    return False


def _digest(text: str) -> bytes:
    """A digest of a fragment but for the time in its first line."""
    _, _, rest = text.partition("\n")
    return hashlib.blake2b(rest.encode(), digest_size=16).digest()


def _event(kind: str, text: str) -> bytes:
    data = "".join(f"data: {line}\n" for line in text.split("\n"))
    return f"event: {kind}\n{data}\n".encode()
