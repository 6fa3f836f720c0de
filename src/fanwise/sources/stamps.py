"""Stamps of files, by which a resumed run notices that a file has changed meanwhile.

Of a file's content up to 64 blocks of 4 KB are hashed, the first and the last among them, so a
stamp costs the same for any size. What changes between these blocks, and neither the size nor the
time of the last change, isn't noticed. Of files that match a pattern the names are hashed: items
may change what is in them.
"""

from __future__ import annotations

import os
import stat
from hashlib import blake2b
from typing import Final

from fanwise.model import FileFingerprint
from fanwise.sources.errors import unreadable
from fanwise.sources.globs import matching

_BLOCK_BYTES: Final = 4096
_MOST_BLOCKS: Final = 64


def stamp(kind: str, path: str) -> FileFingerprint | None:
    """The stamp of what a stream of this kind reads at `path`.

    It is None for a pipe or the like, which is read once. Raises `AttemptError` if the file can't
    be read.
    """
    if kind == "files":
        return _names_stamp(path)
    try:
        status = os.stat(path)  # noqa: PTH116  # paths are text here
        if not stat.S_ISREG(status.st_mode):
            return None
        return FileFingerprint(status.st_size, status.st_mtime, _sample(path, status.st_size))
    except OSError as error:
        raise unreadable(path, error) from None


def _names_stamp(pattern: str) -> FileFingerprint:
    digest, size_bytes = blake2b(digest_size=16), 0
    for path in matching(pattern):
        name = os.fsencode(path) + b"\0"
        digest.update(name)
        size_bytes += len(name)
    return FileFingerprint(size_bytes, 0.0, digest.hexdigest())


def _sample(path: str, size_bytes: int) -> str:
    digest = blake2b(digest_size=16)
    last = max(0, size_bytes - _BLOCK_BYTES)
    steps = min(_MOST_BLOCKS - 1, -(-last // _BLOCK_BYTES))
    with open(path, "rb") as file:  # noqa: PTH123
        for step in range(steps + 1):
            file.seek(last * step // steps if steps else 0)
            digest.update(file.read(_BLOCK_BYTES))
    return digest.hexdigest()
