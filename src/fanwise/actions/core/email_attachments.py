"""The files that `core.email` attaches, read whole and up to a bound."""

from __future__ import annotations

import os
from collections.abc import Sequence
from email.encoders import encode_base64
from email.mime.base import MIMEBase
from mimetypes import guess_type
from pathlib import Path

from fanwise.actions.core._shared import file_error
from fanwise.actions.core.email_addresses import CONTROL
from fanwise.errors import ActionError

_ANY_BYTES = ("application", "octet-stream")


def attachment_parts(paths: Sequence[str], max_bytes: int) -> list[MIMEBase]:
    """Make a part of the message of each file. Raises `ActionError`."""
    parts = []
    left = max_bytes
    for path in paths:
        content = _read(path, left)
        if len(content) > left:
            raise ActionError(
                f"core.email: the attachments have more than {max_bytes} bytes. Attach less, or "
                "raise max_bytes and limits.result_bytes.",
                type="TooLarge",
                data={"max_bytes": max_bytes},
                retry=False,
            )
        left -= len(content)
        parts.append(_part(Path(path).name, content))
    return parts


def _read(path: str, at_most: int) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(at_most + 1)
    except OSError as error:
        raise file_error("core.email", error, path) from None


def _part(name: str, content: bytes) -> MIMEBase:
    guessed, encoding = guess_type(name)
    kind = tuple((guessed or "").split("/"))
    # The type guessed is that of a compressed file's content; messages mustn't be in base64.
    if len(kind) != 2 or encoding or kind[0] in ("message", "multipart"):
        kind = _ANY_BYTES
    part = MIMEBase(*kind)
    part.set_payload(content)
    encode_base64(part)
    name = CONTROL.sub("_", os.fsencode(name).decode("utf-8", "replace"))
    filename = name if name.isascii() else ("utf-8", "", name)
    part.add_header("Content-Disposition", "attachment", filename=filename)
    return part
