"""Records of files as triggers have seen them."""

from __future__ import annotations

import msgspec


class Stamp(msgspec.Struct, frozen=True):
    """The facts by which a rewritten file is told from the same one."""

    size: int
    mtime_ns: int
    inode: int


class SeenFile(msgspec.Struct, frozen=True):
    """A file as the polls have seen it. `since` is when it was first seen with this stamp.

    `is_taken` says that this content has been handed over, or was there before the trigger.
    `gone_at` is when a poll first missed it, or None while it is there. Since `ready_at` it waits
    in the open batch of the key `batch`.
    """

    stamp: Stamp
    since: float
    is_taken: bool = False
    gone_at: float | None = None
    ready_at: float | None = None
    batch: str = ""
