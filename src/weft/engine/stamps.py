"""Whether the file that a task reads is still what it was when the task began to read it."""

from __future__ import annotations

from datetime import UTC, datetime

from weft.errors import UsageError
from weft.model import FileStamp


def require_unchanged(
    run_id: str, task: str, file: str, was: FileStamp, now: FileStamp | None
) -> None:
    """Raise `UsageError` if the file of which items are recorded isn't what it was."""
    if now != was:
        raise UsageError(
            f"{file} has changed since {task} began to read its items from it: "
            f"it was {_text(was)}, and is {_text(now)}.",
            hint=f"Put back what it was, or go on all the same: weft resume {run_id} --force",
        )


def _text(stamp: FileStamp | None) -> str:
    if stamp is None:
        return "no regular file"
    changed = datetime.fromtimestamp(stamp.modified_at, UTC).isoformat(timespec="milliseconds")
    return f"{stamp.size_bytes:,} bytes from {changed} with hash {stamp.sample[:8]}"
