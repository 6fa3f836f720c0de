"""Whether the file that a task reads is still what it was when the task began to read it."""

from __future__ import annotations

from datetime import UTC, datetime

from fanwise.engine.parts import RunServices
from fanwise.errors import AttemptError, UsageError
from fanwise.model import FileFingerprint


def require_file(run: RunServices, task: str, file: str | None, was: FileFingerprint) -> None:
    """Raise `UsageError` if the file of which items are recorded isn't what it `was`. May block.

    One that can't be read any more isn't. A run may take changed files; then it never raises.
    """
    if file is None or run.takes_changed_files:
        return
    try:
        now = run.parts.sources.stamp(file)
    except AttemptError as error:
        raise UsageError(
            f"{error.message.removesuffix('.')}, and {task} has read only some of its items.",
            hint="Put the file back, then go on.",
        ) from None
    if now != was:
        raise UsageError(
            f"{file} has changed since {task} began to read its items from it: "
            f"it was {_text(was)}, and is {_text(now)}.",
            hint="Put back what it was, or go on all the same, with --force.",
        )


def _text(stamp: FileFingerprint | None) -> str:
    if stamp is None:
        return "no regular file"
    changed = datetime.fromtimestamp(stamp.modified_at, UTC).isoformat(timespec="milliseconds")
    return f"{stamp.size_bytes:,} bytes from {changed} with hash {stamp.sample[:8]}"
