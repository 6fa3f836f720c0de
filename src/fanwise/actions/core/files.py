"""The operating system's errors as typed errors, for all actions with files."""

from __future__ import annotations

from fanwise.errors import ActionError


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
