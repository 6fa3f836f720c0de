"""`core.read_file`: a file's content as text, lines or JSON."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, Literal

import msgspec

from fanwise.actions.core._shared import BASE64, MAX_BYTES, file_error, result_bytes
from fanwise.actions.decorator import PATH, action
from fanwise.errors import ActionError
from fanwise.model import Limits

_NAME = "core.read_file"
_PIECE_BYTES: Final = 1 << 20
_NO_TEXT: Final = "Name its encoding, or base64 for its bytes"


@action(_NAME)
def read(
    path: Annotated[str, PATH],
    format: Literal["text", "lines", "json"] = "text",
    encoding: str = "utf-8-sig",
    max_bytes: Annotated[int | None, MAX_BYTES] = None,
    limits: Limits | None = None,
) -> Any:
    """Read a file.

    Input:
      path       which file
      format     text (the default); lines, without their ends; or json
      encoding   default UTF-8, with or without a byte order mark; base64 gives any bytes as text
                 in Base64, with the format text
      max_bytes  larger files are refused; default limits.result_bytes
    Result: the text, a list of the lines, or the JSON value.
    Errors: NotFound, PermissionDenied, IsDirectory, TooLarge (data: max_bytes), BadEncoding,
    BadJson, FileError. All but TooLarge carry the path in their data.
    """
    bound = result_bytes(max_bytes, limits)
    try:
        with Path(path).open("rb") as file:
            content = _up_to(file, bound + 1)
    except OSError as error:
        raise file_error(_NAME, error, path) from None
    if len(content) > bound:
        raise ActionError(
            f"{_NAME}: the file has more than {bound} bytes. Read it as a stream with "
            "`with-items`, or raise max_bytes and limits.result_bytes.",
            type="TooLarge",
            data={"max_bytes": bound},
            retry=False,
        )
    if encoding.lower() == BASE64:
        if format != "text":
            raise _unreadable("BadEncoding", "bytes in Base64 are read as text only", path)
        return b64encode(content).decode()
    text = _text(content, encoding, path)
    match format:
        case "text":
            return text
        case "lines":
            return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
        case "json":
            return _json(text, path)


def _up_to(file: BinaryIO, size_bytes: int) -> bytes:
    """Read at most so many bytes, in pieces: one read reserves memory for all that it asks for."""
    pieces = []
    while piece := file.read(min(size_bytes, _PIECE_BYTES)):
        pieces.append(piece)
        size_bytes -= len(piece)
    return b"".join(pieces)


def _text(content: bytes, encoding: str, path: str) -> str:
    try:
        text = content.decode(encoding)
    except LookupError:
        raise _unreadable("BadEncoding", "the encoding has no such name", path) from None
    except UnicodeError:
        what = f"the file isn't text in this encoding. {_NO_TEXT}"
        raise _unreadable("BadEncoding", what, path) from None
    if "\0" in text:
        raise _unreadable("BadEncoding", f"the file holds NUL, so it isn't text. {_NO_TEXT}", path)
    return text


def _json(text: str, path: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _unreadable("BadJson", f"the file isn't JSON ({error})", path) from None


def _unreadable(type: str, what: str, path: str) -> ActionError:
    return ActionError(f"{_NAME}: {what}.", type=type, data={"path": path}, retry=False)
