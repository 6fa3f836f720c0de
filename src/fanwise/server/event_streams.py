"""A stream of events to one reader, for as long as the reader may look.

A reader is asked for again from time to time: once a token is revoked or a session is over, its
streams end. A client that takes nothing is cut off, so no stream stands still where nobody asks.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from enum import StrEnum
from typing import Final, TypeVar

from aiohttp import web

from fanwise.errors import FanwiseError
from fanwise.server.cookies import shown_by
from fanwise.server.credentials import hashed
from fanwise.server.problems import Refusal
from fanwise.server.routes import Call

BEAT_S: Final = 15.0
"""The time after which a stream says that it is still there."""

_ASK_S: Final = 30.0
"""The time after which a reader is asked for again; a stream gets to it within a beat."""

_TAKE_S: Final = 10.0
"""The time that a client has to take an event."""

_First = TypeVar("_First")


class Ending(StrEnum):
    """The reason for which the server ends a stream."""

    RESTART = "restart"
    SIGNED_OUT = "signed-out"


def frame_of(kind: str, data: bytes) -> bytes:
    """Return an event as the lines of a stream."""
    lines = b"".join(b"data: %s\n" % line for line in data.split(b"\n"))
    return b"event: %s\n%s\n" % (kind.encode(), lines)


class EventStream:
    """One stream of events, to the client that has asked for it."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._asked_at = call.parts.clock.monotonic()
        self._sending_since = math.inf
        self.response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "X-Accel-Buffering": "no",  # else a proxy holds it back
            }
        )

    async def send(self, kind: str, data: bytes) -> None:
        """Send an event."""
        await self.send_frame(frame_of(kind, data))

    async def send_frame(self, frame: bytes) -> None:
        """Send an event as `frame_of` gives it."""
        self._sending_since = self._call.parts.clock.monotonic()
        await self.response.write(frame)
        self._sending_since = math.inf

    async def beat(self) -> None:
        """Say that the stream is still there."""
        await self.send_frame(b": beat\n\n")

    @property
    def has_reader(self) -> bool:
        """False once the client has gone, or takes nothing."""
        waits_s = self._call.parts.clock.monotonic() - self._sending_since
        return self._call.request.transport is not None and waits_s < _TAKE_S

    async def ending(self) -> Ending | None:
        """Return why the stream has to end now, or None. Raises `StoreError`."""
        parts = self._call.parts
        if parts.watch.is_closed:
            return Ending.RESTART
        now = parts.clock.monotonic()
        if now - self._asked_at < _ASK_S:
            return None
        if not await self._call.in_thread(_is_known):
            return Ending.SIGNED_OUT
        self._asked_at = now
        return None


async def open_stream(
    call: Call,
    read: Callable[[], Awaitable[_First]],
    follow: Callable[[EventStream, _First], Coroutine[None, None, None]],
) -> web.StreamResponse:
    """Open a stream, in which `follow` sends events until it returns or the client has gone.

    `read` gives what `follow` begins with; an error of it is the answer. Raises `Refusal` for too
    many streams.
    """
    with call.parts.open_streams.one_of(call.who.token_id, _session_of(call)):
        first = await read()
        stream = EventStream(call)
        await stream.response.prepare(call.request)
        with suppress(ConnectionError, FanwiseError):  # the client has gone, or asks again
            with call.parts.open_streams.while_read(stream):
                await follow(stream, first)
            if not stream.has_reader and call.request.transport is not None:
                call.request.transport.abort()
        return stream.response


def _session_of(call: Call) -> str:
    """The session that asks, or the token if it asks by itself."""
    shown = shown_by(call.request, call.parts.site)
    if shown.bearer is not None or shown.cookie is None:
        return call.who.token_id
    return hashed(shown.cookie)


def _is_known(call: Call) -> bool:
    """True if the reader's token or session still holds, and allows the same."""
    try:
        return call.parts.identity.who(shown_by(call.request, call.parts.site)) == call.who
    except Refusal:
        return False
