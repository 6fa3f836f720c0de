"""From a task's `with-items` to the source of its items, and to the file that it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from fanwise.bitmap import Bitmap
from fanwise.context import WorkflowContext
from fanwise.engine.evaluate import bounded
from fanwise.errors import AttemptError, SourceChangedError, TemplateError
from fanwise.model import ErrorInfo, FileFingerprint, Limits
from fanwise.plan import PlannedItems, Value
from fanwise.ports import Notice, Source, Sources
from fanwise.source_kinds import SOURCE_KINDS
from fanwise.values import Json

Locate = Callable[[str, Value], str]
"""Gives the absolute form of a path, for the value that gave the path."""


def open_items(
    items: PlannedItems,
    context: WorkflowContext,
    sources: Sources,
    limits: Limits,
    locate: Locate,
    *,
    batch_size: int | None,
    most: int | None,
    done: Bitmap | None = None,
    notice: Notice | None = None,
    left_out: Callable[[int, Sequence[ErrorInfo]], None] | None = None,
) -> Source:
    """The source of a task's items: single items or batches, and no more than `most` of them.

    Items whose index is in `done` aren't used. `notice` is told what looks like a mistake. With
    `left_out` records that can't be read are left out, and it is told of them. Raises
    `AttemptError`.
    """
    try:
        # In batches, and where records are left out, `done` has other indexes than the records.
        passed = done if batch_size is None and left_out is None else None
        source = _open(items, context, sources, limits, locate, passed, notice)
    except TemplateError:
        raise  # it names its place itself
    except AttemptError as error:
        raise error.at(items.place) from None
    if left_out is not None:
        source = sources.sound(source, left_out)
    if batch_size is not None:
        source = sources.batched(source, batch_size)
    return source if most is None else sources.first(source, most)


def items_file(items: PlannedItems, context: WorkflowContext, locate: Locate) -> str | None:
    """The absolute path of the file that a task's items are read from, or None without a file.

    It is a pattern if the items are files. Raises `AttemptError`.
    """
    if not items.is_path:
        return None
    path = items.parts[""].evaluate(context, None)
    return locate(path, items.parts[""]) if isinstance(path, str) else None


def _open(
    items: PlannedItems,
    context: WorkflowContext,
    sources: Sources,
    limits: Limits,
    locate: Locate,
    done: Bitmap | None,
    notice: Notice | None,
) -> Source:
    if items.kind == "list":
        return sources.open_list(_stream(items.parts[""], context, limits))
    if items.kind == "zip":
        parts = {name: _stream(part, context, limits) for name, part in items.parts.items()}
        return sources.zipped(parts)
    options: dict[str, Json] = {
        name: part.evaluate(context, None) for name, part in items.parts.items()
    }
    given = options.pop("")
    if items.is_path and isinstance(given, str):
        given = locate(given, items.parts[""])
    return sources.open_source(items.kind, given, limits, options=options, done=done, notice=notice)


def _stream(value: Value, context: WorkflowContext, limits: Limits) -> Any:
    """A list, or an iterator where filters go through a list that isn't in memory."""
    if isinstance(value.raw, str) and value.templates:
        return value.templates[0].stream(context)
    return bounded(value.evaluate(context, None), value.place, limits)


def require_unchanged(
    sources: Sources, run_id: str, task: str, kind: str, file: str, was: FileFingerprint
) -> None:
    """Raise `SourceChangedError` unless the file still has the fingerprint `was`. May block.

    A file that can't be read any more counts as changed. `kind` is that of the source.
    """
    try:
        now = sources.stamp(kind, file)
    except AttemptError as error:
        raise SourceChangedError(
            f"{error.message.removesuffix('.')}, and {task} has read only some of its items.",
            run_id=run_id,
            task=task,
            file=file,
            hint="Put the file back, then go on.",
        ) from None
    if now == was:
        return
    if not SOURCE_KINDS[kind].has_records:
        raise SourceChangedError(
            f"{file} matches other files than when {task} began to go through them.",
            run_id=run_id,
            task=task,
            file=file,
            hint="Put back the files that were moved, renamed or removed, and take away those that "
            "are new; or start a new run.",
        )
    raise SourceChangedError(
        f"{file} has changed since {task} began to read its items from it: "
        f"it was {_fingerprint_text(was)}, and is {_fingerprint_text(now)}.",
        run_id=run_id,
        task=task,
        file=file,
        hint="Put back what it was, or go on all the same, with --force.",
    )


def _fingerprint_text(found: FileFingerprint | None) -> str:
    if found is None:
        return "no regular file"
    changed = datetime.fromtimestamp(found.modified_at, UTC).isoformat(timespec="milliseconds")
    return f"{found.size_bytes:,} bytes from {changed} with hash {found.sample[:8]}"
