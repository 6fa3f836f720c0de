"""Bodies of `core.http` from files: one file as it is, or a form with files (multipart).

Files are read while they are sent, never as a whole, and opened again where a redirect repeats the
request.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TypeAlias

from aiohttp import FormData

from fanwise.actions.core._shared import file_error

Content: TypeAlias = bytes | IO[bytes] | FormData


def file_content(path: str) -> Callable[[], Content]:
    """Return a maker of the body that is the file's content."""
    return lambda: _opened(path)


def form_content(
    fields: Sequence[tuple[str, str]], files: Sequence[tuple[str, str]]
) -> Callable[[], Content]:
    """Return a maker of a multipart body with these fields, and files by the names of fields."""

    def make() -> Content:
        form = FormData(default_to_multipart=True)
        for name, value in fields:
            form.add_field(name, value)
        for name, path in files:
            kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
            form.add_field(name, _opened(path), filename=Path(path).name, content_type=kind)
        return form

    return make


def _opened(path: str) -> IO[bytes]:
    try:
        return Path(path).open("rb")  # aiohttp closes it once it is sent
    except OSError as error:
        raise file_error("core.http", error, path) from None
