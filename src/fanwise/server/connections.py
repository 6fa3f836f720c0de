"""Connections that are accepted: those that send no request in time are broken off.

A request that isn't HTTP is answered by the library, and isn't told of: anyone can send one, and it
may hold a credential.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

HEADERS_S: Final = 20.0
"""The time in which the headers of a connection's first request have to arrive."""


class Connections:
    """The connections of an application on which no request has arrived yet."""

    def __init__(self, app: web.Application, headers_s: float = HEADERS_S) -> None:
        self._headers_s = headers_s
        self._silent: dict[asyncio.BaseProtocol, asyncio.TimerHandle] = {}

        @web.middleware
        async def hear(request: web.Request, handler: Handler) -> web.StreamResponse:
            if (timer := self._silent.pop(request.protocol, None)) is not None:
                timer.cancel()
            return await handler(request)

        app.middlewares.append(hear)

    def accepting(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Return a maker of protocols that are broken off unless a request arrives in time."""
        loop = asyncio.get_running_loop()

        def accept() -> asyncio.Protocol:
            protocol = make()
            self._silent[protocol] = loop.call_later(self._headers_s, self._break_off, protocol)
            return protocol

        return accept

    def _break_off(self, protocol: asyncio.BaseProtocol) -> None:
        del self._silent[protocol]
        transport = getattr(protocol, "transport", None)
        if isinstance(transport, asyncio.Transport):
            transport.abort()


class _Faults(logging.Filter):
    """Lets faults pass, and no request that isn't HTTP."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is to be told."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError)


def faults_of_connections() -> logging.Logger:
    """Return the logger of the library that answers."""
    logger = logging.getLogger(f"{__name__}.faults")
    if not logger.filters:
        logger.addFilter(_Faults())
    return logger
