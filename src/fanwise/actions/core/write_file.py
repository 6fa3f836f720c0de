"""`core.write_file`: writes a file, so that nobody ever reads a half of it."""

from __future__ import annotations

from base64 import b64decode
from typing import Annotated, Any

from fanwise.actions.core._shared import BASE64, file_error
from fanwise.actions.core.atomic_file import Mode, replacement
from fanwise.actions.decorator import PATH, action
from fanwise.errors import ActionError
from fanwise.values import encode

_NAME = "core.write_file"


@action(_NAME)
def write(
    path: Annotated[str, PATH],
    content: Any,
    mode: Mode = "overwrite",
    encoding: str = "utf-8",
    parents: bool = True,
) -> dict[str, Any]:
    """Write a file.

    Input:
      path      which file
      content   text, or any other value, which is written as JSON
      mode      overwrite (the default) or create, which put a whole new file in place at once;
                append adds to the end. create fails if the file exists, also when an attempt is
                repeated after it wrote the file but before that was recorded
      encoding  of text; default UTF-8. JSON is always UTF-8. base64 writes the bytes that the text
                stands for
      parents   make missing folders; default true
    Result: {path, bytes}: the absolute path, and how many bytes were written.
    Errors: NotFound, PermissionDenied, IsDirectory, Exists, BadEncoding, FileError. All carry the
    path in their data.
    """
    data = _bytes(content, encoding, path)
    try:
        with replacement(path, parents=parents, mode=mode) as file:
            file.write(data)
    except OSError as error:
        raise file_error(_NAME, error, path) from None
    return {"path": path, "bytes": len(data)}


def _bytes(content: object, encoding: str, path: str) -> bytes:
    is_base64 = encoding.lower() == BASE64
    try:
        if not isinstance(content, str):
            if is_base64:
                raise ValueError
            return encode(content)
        if is_base64:
            return b64decode("".join(content.split()), validate=True)  # others break long lines
        return content.encode(encoding)
    except (LookupError, ValueError):
        raise ActionError(
            f"{_NAME}: the content can't be written in this encoding.",
            type="BadEncoding",
            data={"path": path},
            retry=False,
        ) from None
