"""Looks at the folders of triggers, each in a thread of its own.

A folder on a network may not answer for minutes. Then its own trigger waits and no other one.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from fanwise.model import Stamp
from fanwise.ports import Clock
from fanwise.triggers.files import FileRules, is_wanted

MOST_FILES: Final = 100_000
_SILENT_S: Final = 60.0
_MOST_INODE: Final = 2**63 - 1

Start = Callable[[Callable[[], None]], None]
"""Starts work that may take long, and doesn't wait for it."""


def in_a_thread(work: Callable[[], None]) -> None:
    """Start work in a thread that the end of the process doesn't wait for."""
    threading.Thread(target=work, daemon=True, name="fanwise-folder").start()


class Look(msgspec.Struct, frozen=True):
    """The files of a folder by their names, or the `trouble` for which they aren't known.

    With files there is a `trouble` if some of them can't be handed over.
    """

    files: Mapping[str, Stamp] | None = None
    trouble: str = ""


class FolderLook(msgspec.Struct, frozen=True):
    """The looks at a folder: where it is, what is looked for, and how often."""

    path: str
    rules: FileRules
    is_recursive: bool
    each_s: float


class Folders:
    """Looks at folders when it is time, and keeps what was found until it is taken."""

    def __init__(self, clock: Clock, start: Start = in_a_thread) -> None:
        self._clock = clock
        self._start = start
        self._begun: dict[FolderLook, float] = {}
        self._found: dict[FolderLook, Look] = {}
        self._busy: set[FolderLook] = set()

    def is_known(self, wanted: FolderLook) -> bool:
        """Say whether there is a look to be taken, after beginning one if it is time."""
        now, begun = self._clock.monotonic(), self._begun.get(wanted)
        if wanted in self._busy:
            return begun is not None and now - begun >= _SILENT_S
        if begun is None or now - begun >= wanted.each_s:
            self._begun[wanted] = now
            self._busy.add(wanted)
            self._start(lambda: self._look(wanted))
        return wanted in self._found

    def take(self, wanted: FolderLook) -> Look | None:
        """The latest look that nobody has taken, or None."""
        if (found := self._found.pop(wanted, None)) is not None:
            return found
        if wanted in self._busy and self._clock.monotonic() - self._begun[wanted] >= _SILENT_S:
            return Look(trouble=f"{wanted.path} has not answered for a minute.")
        return None

    def _look(self, wanted: FolderLook) -> None:
        try:
            self._found[wanted] = look(wanted)
        finally:
            self._busy.discard(wanted)


def look(wanted: FolderLook) -> Look:
    """The files of a folder as they are now."""
    files: dict[str, Stamp] = {}
    unnamed = 0
    try:
        for name, entry in _entries(wanted.path, "", is_recursive=wanted.is_recursive):
            if not is_wanted(wanted.rules, name):
                continue
            if not _is_text(name):
                unnamed += 1
                continue
            if len(files) == MOST_FILES:
                trouble = f"{wanted.path} has more than {MOST_FILES:,} files to be taken."
                return Look(trouble=f"{trouble} Narrow the glob, or clear it.")
            if (stamp := _stamp(entry)) is not None:
                files[name] = stamp
    except OSError as error:
        return Look(trouble=f"{wanted.path} can't be read: {error.strerror or 'an error'}.")
    if unnamed:
        many = (
            "a file whose name isn't" if unnamed == 1 else f"{unnamed:,} files whose names aren't"
        )
        return Look(files, f"{wanted.path} has {many} UTF-8, and can't be handed over.")
    return Look(files)


def _entries(
    folder: str, within: str, *, is_recursive: bool
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """The entries of a folder that are no folders. Raises `OSError`."""
    with os.scandir(folder) as found:
        for entry in found:
            name = within + entry.name
            if not entry.is_dir(follow_symlinks=False):
                yield name, entry
            elif is_recursive and not entry.name.startswith("."):
                yield from _entries(entry.path, f"{name}/", is_recursive=True)


def _stamp(entry: os.DirEntry[str]) -> Stamp | None:
    """The stamp of a file; None for what is no file, or gone meanwhile."""
    try:
        found = entry.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ino & _MOST_INODE)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in name
