"""The errors of sources as a whole. None is worth another try: the same source fails again."""

from __future__ import annotations

from fanwise.errors import AttemptError


def source_error(type: str, message: str, *, hint: str = "") -> AttemptError:
    """An `AttemptError` of this type, which a workflow sees as the task's error."""
    error = AttemptError(message, hint=hint)
    error.type = type
    error.retryable = False
    return error


def unreadable(path: str, error: OSError) -> AttemptError:
    """The error of a file that can't be read."""
    match error:
        case FileNotFoundError() | NotADirectoryError():
            kind, why = "NotFound", "there is no such file"
        case PermissionError():
            kind, why = "PermissionDenied", "permission is denied"
        case IsADirectoryError():
            kind, why = "IsDirectory", "it is a folder"
        case _:
            kind, why = "FileError", (error.strerror or "it failed").lower()
    return source_error(kind, f"{path} can't be read: {why}.")
