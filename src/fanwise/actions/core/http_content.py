"""Bodies of `core.http` from files: one file as it is, or a form with files (multipart).

Files are read while they are sent, never as a whole, and opened again where a redirect repeats the
request.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Final, TypeAlias
from urllib.parse import quote

from aiohttp import FormData

from fanwise.actions.core._shared import file_error

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

Content: TypeAlias = bytes | IO[bytes] | FormData


def file_content(path: str) -> Callable[[], Content]:
    """Return a maker of the body that is the file's content."""
    return lambda: _opened(path)


def form_content(
    fields: Sequence[tuple[str, str]], files: Sequence[tuple[str, str]]
) -> Callable[[], Content]:
    """Return a maker of a multipart body with these fields, and files by the names of fields."""

    def make() -> Content:
        # Names in UTF-8, as browsers send them. aiohttp's other way is `name*`, which RFC 7578
        # rules out, and at which its own writer stops.
        form = FormData(quote_fields=False, default_to_multipart=True)
        for name, value in fields:
            form.add_field(_one_line(name), value)
        for name, path in files:
            kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
            file = _one_line(Path(path).name)
            form.add_field(_one_line(name), _opened(path), filename=file, content_type=kind)
        return form

    return make


def _one_line(name: str) -> str:
    """Return a name with its control characters percent-encoded: no header may hold them."""
    return _CONTROL.sub(lambda found: quote(found[0]), name)


def _opened(path: str) -> IO[bytes]:
    try:
        return Path(path).open("rb")  # aiohttp closes it once it is sent
    except OSError as error:
        raise file_error("core.http", error, path) from None
