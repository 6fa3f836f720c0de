"""The parts that several actions of the core pack share: bounds, texts, errors of files and TLS."""

from __future__ import annotations

from functools import partial
from typing import Final

from fanwise.actions.decorator import Written
from fanwise.charsets import charset
from fanwise.errors import ActionError, InputError
from fanwise.model import Limits

BASE64: Final = "base64"
"""The encoding by which a text stands for any bytes."""


_MOST: Final = 10**15  # more than any disk or patience holds, and an index on any machine


def require_bound(field: str, given: int) -> None:
    """Raise `InputError` unless a bound that a task gave is from 0 to `_MOST`."""
    if not 0 <= given <= _MOST:
        raise InputError(f'input "{field}" must be a whole number from 0 to {_MOST}.')


MAX_BYTES: Final = Written(partial(require_bound, "max_bytes"))
"""Marks a bound of bytes, which `result_bytes` reads."""


def require_time(action: str, given: float) -> None:
    """Raise `InputError` for a timeout of 0, in which nothing can happen."""
    if not given:
        raise InputError(f'input "timeout" of {action} must be a duration over 0, such as 30s.')


def result_bytes(given: int | None, limits: Limits | None) -> int:
    """The bound that a task gave, else `limits.result_bytes`. Raises `InputError`."""
    if given is not None:
        require_bound("max_bytes", given)
        return given
    return (limits or Limits()).result_bytes


def decoded(data: bytes, encoding: str = "utf-8") -> str:
    """Return the text, with U+FFFD for bytes that aren't text in this encoding and for NUL.

    An encoding that isn't a charset is read as UTF-8.
    """
    return data.decode(charset(encoding) or "utf-8", "replace").replace("\0", "\ufffd")


def file_error(action: str, error: OSError, path: str) -> ActionError:
    """The error of an action on a file. Its `data` holds the path, its message doesn't."""
    match error:
        case FileNotFoundError() | NotADirectoryError():
            kind, what = "NotFound", "there is no such file or folder"
        case PermissionError():
            kind, what = "PermissionDenied", "permission is denied"
        case IsADirectoryError():
            kind, what = "IsDirectory", "the path is a folder's"
        case FileExistsError():
            kind, what = "Exists", "the file exists already"
        case _:
            kind, what = "FileError", (error.strerror or "it failed").lower()
    return ActionError(f"{action}: {what}.", type=kind, data={"path": path})


def tls_reason(error: BaseException | None) -> str:
    """Describe the failure, with the reason of a refused certificate, and without the host."""
    # After a comma OpenSSL names the host.
    reason: str = getattr(error, "verify_message", "").partition(",")[0]
    return f"the certificate is refused: {reason}" if reason else "TLS failed"
