"""Events, files and ends of runs: which of them concern a trigger.

State goes in and comes out; nothing is kept here, and no folder or clock is read. Times are seconds
since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from fanwise.model import INTERRUPTED, SeenFile, Stamp, is_own_event

_UNFINISHED: Final = (".*", "~*", "*.part", "*.tmp", "*.crdownload")
"""Names of files that something is still writing, and hidden ones."""
_FORGET_GONE_S: Final = 7 * 86_400.0


def matches(patterns: Collection[str], name: str) -> bool:
    """True if one of the patterns, in which `*` stands for any characters, is the name."""
    return any(_pattern(each).fullmatch(name) for each in patterns)


def listens_for(patterns: Collection[str], name: str) -> bool:
    """True if events of that name go to a trigger with these patterns.

    Those that fanwise itself emits go only to patterns that begin as their names do.
    """
    if is_own_event(name):
        patterns = [each for each in patterns if is_own_event(each)]
    return matches(patterns, name)


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
