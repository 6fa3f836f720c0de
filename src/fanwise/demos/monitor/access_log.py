"""An access log in the Combined Log Format, as web servers write it and log tools read it.

    127.0.0.1 - - [05/Mar/2026:09:07:02 +0100] "GET /stats HTTP/1.1" 200 512 "-" "curl/8.5" 0.003

The seconds that the answer took stand at the end, as many have nginx and Apache add them. Text that
comes from a client is escaped as Apache does it, so a client can't forge a line. The size is that
of the body in bytes. A request whose connection was closed without an answer has status 444 and no
size, as in nginx.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path

from aiohttp.abc import AbstractAccessLogger
from aiohttp.web import BaseRequest, StreamResponse

NO_ANSWER = 444
"""The status that stands for a connection closed without an answer."""

_ESCAPES = [chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in range(256)]
_ESCAPES[ord('"')] = '\\"'
_ESCAPES[ord("\\")] = "\\\\"


def combined_line(
    *,
    host: str,
    received: datetime,
    request: str,
    status: int,
    size_bytes: int,
    referer: str | None,
    user_agent: str | None,
    seconds: float,
) -> str:
    """One line, without its end. `received` knows its time zone; `request` is the request line."""
    return (
        f"{host} - - [{received:%d/%b/%Y:%H:%M:%S %z}] {_quoted(request)} {status} "
        f"{size_bytes or '-'} {_quoted(referer or '-')} {_quoted(user_agent or '-')} {seconds:.3f}"
    )


def _quoted(text: str) -> str:
    escaped = "".join([_ESCAPES[byte] for byte in text.encode("utf-8", "surrogateescape")])
    return f'"{escaped}"'


class CombinedLogger(AbstractAccessLogger):
    """Writes a line for each request that aiohttp has answered."""

    def log(self, request: BaseRequest, response: StreamResponse, time: float) -> None:
        """Write the line; `time` is how long the answer took, in seconds."""
        version = request.version
        answered = response.status != NO_ANSWER
        self.logger.info(
            combined_line(
                host=request.remote or "-",
                received=datetime.now().astimezone() - timedelta(seconds=time),
                request=f"{request.method} {request.raw_path} HTTP/{version.major}.{version.minor}",
                status=response.status,
                size_bytes=(response.content_length or 0) if answered else 0,
                referer=request.headers.get("Referer"),
                user_agent=request.headers.get("User-Agent"),
                seconds=time,
            )
        )


def open_log(path: Path) -> logging.Logger:
    """A logger of its own that adds whole lines to the file at `path`."""
    logger = logging.Logger("access")
    logger.addHandler(logging.FileHandler(path, encoding="ascii"))
    return logger
