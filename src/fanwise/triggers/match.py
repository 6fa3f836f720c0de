"""Events, files and ends of runs: which of them concern a trigger, and how many become one run.

State goes in and comes out; nothing is kept here, and no folder or clock is read. Times are seconds
since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from fanwise.model import INTERRUPTED, SeenFile, Stamp

_UNFINISHED: Final = (".*", "~*", "*.part", "*.tmp", "*.crdownload")
"""Names of files that something is still writing, and hidden ones."""
_FORGET_GONE_S: Final = 7 * 86_400.0


def matches(patterns: Collection[str], name: str) -> bool:
    """True if one of the patterns, in which `*` stands for any characters, is the name."""
    return any(_pattern(each).fullmatch(name) for each in patterns)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)


# Ends of runs


class EndRules(msgspec.Struct, frozen=True, kw_only=True):
    """The ends that concern a trigger of the workflow `own`, by names and statuses.

    The name `*` stands for any workflow, and the status `ended` for any end.
    """

    own: str
    workflows: tuple[str, ...]
    statuses: tuple[str, ...]

    @property
    def is_for_all(self) -> bool:
        """True if it names no workflow: it leaves out what run triggers have started then."""
        return ANY in self.workflows


ANY: Final = "*"
ENDED: Final = "ended"


def end_matches(rules: EndRules, workflow: str, status: str) -> bool:
    """True if the end of a run of a workflow concerns a trigger; one never follows its own runs."""
    is_named = workflow != rules.own and (rules.is_for_all or workflow in rules.workflows)
    has_ended = ENDED in rules.statuses and status != INTERRUPTED
    return is_named and (has_ended or status in rules.statuses)


# Files


class FileRules(msgspec.Struct, frozen=True, kw_only=True):
    """The files that a trigger takes, by their names within its folder.

    A file is ready once its stamp has stayed the same for `settle_s` and over two polls at least.
    """

    glob: str = "*"
    settle_s: float = 10.0
    takes_existing: bool = False


Seen = Mapping[str, SeenFile]


def poll(
    rules: FileRules, seen: Seen | None, listing: Mapping[str, Stamp], now: float
) -> tuple[Seen, tuple[str, ...]]:
    """The files as seen after a poll, and the names of those that are ready now, sorted.

    `listing` has the files of the folder by their names, with `/` after the names of folders within
    it. `seen` is the outcome of the last poll, None at the first. A folder that can't be read is no
    listing: keep what was seen, so that nothing fires again when it has come back.
    """
    is_first, before = seen is None, seen or {}
    after: dict[str, SeenFile] = {}
    ready: list[str] = []
    for name, stamp in sorted(listing.items()):
        if not _is_wanted(rules, name):
            continue
        known = before.get(name)
        if known is None or known.stamp != stamp:
            is_old = is_first and not rules.takes_existing
            after[name] = SeenFile(stamp, now, is_taken=is_old)
            continue
        is_ready = not known.is_taken and now - known.since >= rules.settle_s
        after[name] = msgspec.structs.replace(
            known, is_taken=known.is_taken or is_ready, gone_at=None
        )
        if is_ready:
            ready.append(name)
    for name, known in before.items():
        gone_at = now if known.gone_at is None else known.gone_at
        if name not in listing and now - gone_at < _FORGET_GONE_S:
            after[name] = msgspec.structs.replace(known, gone_at=gone_at)
    return after, tuple(ready)


def file_key(name: str, stamp: Stamp) -> str:
    """The unique key of a file's content. Its form never changes, or files would fire again."""
    return f"file:{stamp.size}:{stamp.mtime_ns}:{stamp.inode}:{name}"


def _is_wanted(rules: FileRules, path: str) -> bool:
    *folders, name = path.split("/")
    hidden = any(each.startswith(".") for each in folders)
    return not hidden and not matches(_UNFINISHED, name) and matches((rules.glob,), name)


# Batches


class BatchRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules by which arrivals become one run.

    A batch closes with its `size`th arrival, `within_s` after its first, or `debounce_s` after its
    last one, whichever comes first; None never closes it.
    """

    size: int | None = None
    within_s: float | None = None
    debounce_s: float | None = None


class Batch(msgspec.Struct, frozen=True):
    """Arrivals that gather under one key: how many, and when the first and the last one came."""

    number: int
    count: int
    opened_at: float
    last_at: float


class Batches(msgspec.Struct, frozen=True):
    """The open batches of a trigger by their keys, and the number that the next one gets."""

    open: Mapping[str, Batch] = {}
    next_number: int = 1


def gather(
    rules: BatchRules, batches: Batches, key: str, at: float
) -> tuple[Batches, int, tuple[int, ...]]:
    """Put an arrival into the open batch of its key, or into a new one.

    Gives the batches, the number of the arrival's batch, and the numbers of those that are closed:
    those that were due before it, and its own if that is full.
    """
    batches, closed = close(rules, batches, at)
    found = batches.open.get(key)
    if found is None:
        batch = Batch(batches.next_number, 1, at, at)
        batches = msgspec.structs.replace(batches, next_number=batches.next_number + 1)
    else:
        last_at = max(found.last_at, at)
        batch = msgspec.structs.replace(found, count=found.count + 1, last_at=last_at)
    still_open = {**batches.open, key: batch}
    if rules.size is not None and batch.count >= rules.size:
        del still_open[key]
        closed = (*closed, batch.number)
    return msgspec.structs.replace(batches, open=still_open), batch.number, closed


def close(rules: BatchRules, batches: Batches, now: float) -> tuple[Batches, tuple[int, ...]]:
    """Close the batches that are due: gives the others, and the numbers of those closed."""
    due = {key for key, batch in batches.open.items() if _deadline(rules, batch) <= now}
    if not due:
        return batches, ()
    closed = sorted(batches.open[key].number for key in due)
    still_open = {key: batch for key, batch in batches.open.items() if key not in due}
    return msgspec.structs.replace(batches, open=still_open), tuple(closed)


def next_deadline(rules: BatchRules, batches: Batches) -> float | None:
    """The time to call `close` next, or None if no open batch waits for a time."""
    first = min((_deadline(rules, each) for each in batches.open.values()), default=float("inf"))
    return None if first == float("inf") else first


def _deadline(rules: BatchRules, batch: Batch) -> float:
    ends = (
        (batch.opened_at, rules.within_s),
        (batch.last_at, rules.debounce_s),
    )
    return min((at + span_s for at, span_s in ends if span_s is not None), default=float("inf"))
