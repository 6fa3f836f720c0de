"""Answers that are sent bit by bit: pages that are read in threads while others are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote

from aiohttp import web

from fanwise.server.routes import Call

SANDBOX: Final = "default-src 'none'; sandbox"
"""The policy of raw data: whatever it holds, no browser runs it."""


def attachment(name: str) -> Mapping[str, str]:
    """Return the headers by which a browser saves data under a name instead of showing it."""
    return {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": SANDBOX,
    }


async def send_pages(
    call: Call, pages: Iterator[bytes], *, type: str, name: str
) -> web.StreamResponse:
    """Send pages as they are read, as a file to be saved.

    Each page is a look of its own at the store, so a slow reader holds nothing up. If a page can't
    be read the connection is broken off, so that nobody takes the part for the whole.
    """
    first = await asyncio.to_thread(next, pages, None)  # before the status is sent
    response = web.StreamResponse(headers={"Content-Type": type, **attachment(name)})
    await response.prepare(call.request)
    page = first
    try:
        while page is not None:
            await response.write(page)
            page = await asyncio.to_thread(next, pages, None)
    except BaseException:
        if call.request.transport is not None:
            call.request.transport.abort()
        raise
    await response.write_eof()
    return response
