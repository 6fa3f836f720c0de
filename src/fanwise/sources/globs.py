"""The files that match a pattern, as items: maps of their path, names, size and time.

In a pattern `*` and `?` stand for any characters of a name, `[abc]` for one of some, and `**` for
any folders. As in a shell a name that begins with a dot has to be matched by one that does. Links
are followed, but not by `**`, so that no tree is without an end. Files come in the order of their
paths' bytes, which is the same in every process.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from fnmatch import translate
from functools import lru_cache
from typing import Final

from fanwise.bitmap import Bitmap
from fanwise.errors import LimitError
from fanwise.model import ErrorInfo, Limits
from fanwise.ports import Notice
from fanwise.sources.errors import unreadable
from fanwise.values import CHUNK_ITEMS, FrozenDict

_ANY_FOLDERS: Final = "**"


class FilesSource:
    """The files that match a pattern, which are listed by the first read.

    What an item says of a file is what it is like when the item is read.
    """

    def __init__(
        self,
        pattern: str,
        limits: Limits,
        done: Bitmap | None = None,
        *,
        notice: Notice | None = None,
    ) -> None:
        self.total: int | None = None
        self._pattern = pattern
        self._limit_bytes = limits.input_bytes
        self._notice = notice
        self._paths: Sequence[str] | None = None
        self._next = 0

    async def read(self) -> Sequence[object]:
        """The next files; empty at the end. Raises `AttemptError` for a folder that can't be."""
        if self._paths is None:
            self._paths = await asyncio.to_thread(self._listed)
            self.total = len(self._paths)
            if not self._paths and self._notice is not None:
                self._notice(f"no file matches {self._pattern}.")
        paths = self._paths[self._next : self._next + CHUNK_ITEMS]
        self._next += len(paths)
        base = len(os.path.join(_split(self._pattern)[0], ""))  # noqa: PTH118 - paths are text
        return await asyncio.to_thread(lambda: [_item(path, path[base:]) for path in paths])

    def close(self) -> None:
        """Let go of the list."""
        self._paths = ()

    def _listed(self) -> Sequence[str]:
        paths, size_bytes = [], 0
        for path in matching(self._pattern):
            size_bytes += len(path)
            if size_bytes > self._limit_bytes:
                raise LimitError(
                    f"the paths of the files that match {self._pattern} have more than "
                    f"{self._limit_bytes:,} bytes.",
                    setting="limits.input_bytes",
                    hint="Go through some of the folders at a time, or raise limits.input_bytes.",
                )
            paths.append(path)
        return paths


def matching(pattern: str) -> Iterator[str]:
    """The paths of the files that match an absolute pattern, sorted by their bytes.

    Raises `AttemptError` for a folder that can't be read.
    """
    folder, segments = _split(pattern)
    return _walk(folder, segments, _reached(segments, {0}), is_top=True)


def _split(pattern: str) -> tuple[str, tuple[str, ...]]:
    """The folder in which a pattern begins to choose, and the patterns of the names below it."""
    parts = pattern.split("/")
    if parts[-1] == _ANY_FOLDERS:
        parts.append("*")
    chooses = (at for at, part in enumerate(parts) if re.search(r"[*?[]", part))
    first = min(next(chooses, len(parts)), len(parts) - 1)
    return "/".join(parts[:first]) or "/", tuple(parts[first:])


def _walk(
    folder: str, segments: tuple[str, ...], at: frozenset[int], *, is_top: bool = False
) -> Iterator[str]:
    """The files below a folder; `at` are the segments that may match the names in it."""
    for name, is_folder, is_link in _entries(folder, is_top=is_top):
        path = os.path.join(folder, name)  # noqa: PTH118
        fits = {place for place in at if _fits(segments[place], name)}
        if not is_folder:
            if len(segments) - 1 in fits and os.path.isfile(path):  # noqa: PTH113
                yield path
            continue
        below = {place + 1 for place in fits if place + 1 < len(segments)}
        if not (is_link or name.startswith(".")):
            below |= {place for place in at if segments[place] == _ANY_FOLDERS}
        if below:
            yield from _walk(path, segments, _reached(segments, below))


def _reached(segments: Sequence[str], at: set[int]) -> frozenset[int]:
    """The segments that may match next, since `**` may stand for no folder at all."""
    found = set()
    for place in at:
        found.add(place)
        while segments[place] == _ANY_FOLDERS:
            place += 1
            found.add(place)
    return frozenset(found)


def _entries(folder: str, *, is_top: bool) -> Sequence[tuple[str, bool, bool]]:
    """The names in a folder, and for each whether it is a folder and a link.

    They are sorted so that the paths of all files below come in the order of their bytes.
    """
    try:
        with os.scandir(folder) as entries:
            found = [(each.name, each.is_dir(), each.is_symlink()) for each in entries]
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not is_top:
            return ()  # removed meanwhile
        raise unreadable(folder, error) from None
    return sorted(found, key=lambda each: os.fsencode(f"{each[0]}/" if each[1] else each[0]))


def _fits(segment: str, name: str) -> bool:
    if segment == _ANY_FOLDERS or (name.startswith(".") and not segment.startswith(".")):
        return False
    return _compiled(segment).match(name) is not None


@lru_cache
def _compiled(segment: str) -> re.Pattern[str]:
    return re.compile(translate(segment))


def _item(path: str, relative: str) -> FrozenDict | ErrorInfo:
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = path.encode("ascii", "backslashreplace").decode()
        return ErrorInfo("BadName", f"the name of the file {shown} isn't UTF-8. Rename it.")
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        fault = unreadable(path, error)
        return ErrorInfo(fault.type, fault.message)
    name = os.path.basename(path)  # noqa: PTH119
    changed = datetime.fromtimestamp(status.st_mtime, UTC)
    return FrozenDict(
        path=path,
        relative=relative,
        name=name,
        stem=os.path.splitext(name)[0],  # noqa: PTH122
        size=status.st_size,
        modified_at=changed.isoformat(timespec="milliseconds"),
    )
