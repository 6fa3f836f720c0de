"""The files of a folder: which of them are ready for a trigger, and how many become one run.

What was seen goes in and comes out; nothing is kept here, and no folder or clock is read. Times are
seconds since 1970.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from fanwise.model import SeenFile, Stamp
from fanwise.triggers.batches import BatchRules
from fanwise.triggers.match import matches

MOST_GATHERED: Final = 10_000
"""Files that become one run at most."""

_UNFINISHED: Final = (".*", "~*", "*.part", "*.tmp", "*.crdownload")
"""Names of files that something is still writing, and hidden ones."""
_FORGET_GONE_S: Final = 7 * 86_400.0


class FileRules(msgspec.Struct, frozen=True, kw_only=True):
    """The files that a trigger takes, by their names within its folder.

    A file is ready once its stamp has stayed the same for `settle_s` and over two polls at least.
    """

    glob: str = "*"
    settle_s: float = 10.0
    takes_existing: bool = False


Seen = Mapping[str, SeenFile]


def is_wanted(rules: FileRules, path: str) -> bool:
    """True if a file concerns a trigger; `path` has `/` after the names of folders."""
    *folders, name = path.split("/")
    hidden = any(each.startswith(".") for each in folders)
    return not hidden and not matches(_UNFINISHED, name) and matches((rules.glob,), name)


def poll(
    rules: FileRules, seen: Seen | None, listing: Mapping[str, Stamp], now: float
) -> tuple[Seen, tuple[str, ...]]:
    """The files as seen after a poll, and the names of those that are ready from now on, sorted.

    `listing` has the files of the folder by their names, with `/` after the names of folders within
    it. `seen` is the outcome of the last poll, None at the first. A folder that can't be read is no
    listing: keep what was seen, so that nothing fires again when it has come back.
    """
    is_first, before = seen is None, seen or {}
    after: dict[str, SeenFile] = {}
    ready: list[str] = []
    for name, stamp in sorted(listing.items()):
        if not is_wanted(rules, name):
            continue
        known = before.get(name)
        if known is None or known.stamp != stamp:
            is_old = is_first and not rules.takes_existing
            after[name] = SeenFile(stamp, now, is_taken=is_old)
            continue
        waits = not known.is_taken and known.ready_at is None
        if waits and now - known.since >= rules.settle_s:
            ready.append(name)
            known = msgspec.structs.replace(known, ready_at=now)
        after[name] = known if known.gone_at is None else _back(known)
    for name, known in before.items():
        gone_at = now if known.gone_at is None else known.gone_at
        if name not in listing and now - gone_at < _FORGET_GONE_S:
            after[name] = msgspec.structs.replace(known, gone_at=gone_at)
    return after, tuple(ready)


def _back(file: SeenFile) -> SeenFile:
    return msgspec.structs.replace(file, gone_at=None)


def file_key(name: str, stamp: Stamp) -> str:
    """The unique key of a file's content. Its form never changes, or files would fire again."""
    return f"file:{stamp.size}:{stamp.mtime_ns}:{stamp.inode}:{name}"


def batch_key(keys: Iterable[str]) -> str:
    """The unique key of files that are handed over together."""
    text = "\n".join(keys)
    return f"files:{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def waiting(seen: Seen) -> Sequence[str]:
    """The names of files that are ready, there, and not handed over, the longest ready first."""
    found = [
        (file.ready_at, name)
        for name, file in seen.items()
        if file.ready_at is not None and not file.is_taken and file.gone_at is None
    ]
    return [name for _, name in sorted(found)]


class Batches(NamedTuple):
    """Batches that are closed, by the names of their files, and the time to close others."""

    closed: Sequence[Sequence[str]]
    next_at: float | None


def close_batches(rules: BatchRules, seen: Seen, now: float) -> Batches:
    """Divide the files that wait into batches that are closed, and those that are still open."""
    size = min(rules.size or MOST_GATHERED, MOST_GATHERED)
    open_batches: dict[str, list[str]] = {}
    closed: list[Sequence[str]] = []
    for name in waiting(seen):
        names = open_batches.setdefault(seen[name].batch, [])
        names.append(name)
        if len(names) == size:
            closed.append(open_batches.pop(seen[name].batch))
    if rules.within_s is None:
        return Batches(closed, None)
    deadlines = {
        batch: opened_at + rules.within_s
        for batch, names in open_batches.items()
        if (opened_at := seen[names[0]].ready_at) is not None
    }
    closed += [open_batches[batch] for batch, at in deadlines.items() if at <= now]
    return Batches(closed, min((at for at in deadlines.values() if at > now), default=None))
