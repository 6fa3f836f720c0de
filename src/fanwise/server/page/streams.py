"""The stream of a page: its fragment is sent again when it has changed.

A stream holds one fragment's digest, however often the page changes. It looks again when the store
has changed, at most twice a second, and asks again now and then who is looking.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from typing import Final

from aiohttp import web

from fanwise.errors import NotFoundError
from fanwise.server.problems import Refusal
from fanwise.server.routes import Call

_LEAST_S: Final = 0.5
"""The time between two looks at the store."""

_BEAT_S: Final = 15.0
"""The time after which a stream says that it is still there."""


async def stream(call: Call, fragment: Callable[[], str]) -> web.StreamResponse:
    """Send a fragment each time it has changed, until the client has gone."""
    text = await asyncio.to_thread(fragment)
    answer = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",  # else a proxy holds it back
        }
    )
    await answer.prepare(call.request)
    with contextlib.suppress(ConnectionError):
        await _send(call, answer, text, fragment)
    return answer


async def _send(
    call: Call, answer: web.StreamResponse, text: str, fragment: Callable[[], str]
) -> None:
    sent, beat_s = b"", 0.0
    while True:
        digest = _digest(text)
        if digest != sent:
            sent, beat_s = digest, 0.0
            await answer.write(_event("page", text))
        elif beat_s >= _BEAT_S:
            beat_s = 0.0
            await answer.write(b": beat\n\n")
        await asyncio.sleep(_LEAST_S)
        beat_s += _LEAST_S
        try:
            text = await asyncio.to_thread(fragment)
        except (NotFoundError, Refusal):
            await answer.write(_event("gone", ""))
            return


def _digest(text: str) -> bytes:
    """A digest of a fragment but for the time in its first line."""
    _, _, rest = text.partition("\n")
    return hashlib.blake2b(rest.encode(), digest_size=16).digest()


def _event(kind: str, text: str) -> bytes:
    data = "".join(f"data: {line}\n" for line in text.split("\n"))
    return f"event: {kind}\n{data}\n".encode()
