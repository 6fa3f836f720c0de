"""Stamps of files, by which a resumed run notices that a file has changed meanwhile.

Of a file's content up to 64 blocks of 4 KB are hashed, the first and the last among them, so a
stamp costs the same for any size. What changes between these blocks, and neither the size nor the
time of the last change, isn't noticed.
"""

from __future__ import annotations

import os
import stat
from hashlib import blake2b
from typing import Final

from fanwise.model import FileFingerprint
from fanwise.sources.errors import unreadable

_BLOCK_BYTES: Final = 4096
_MOST_BLOCKS: Final = 64


def stamp(path: str) -> FileFingerprint | None:
    """The stamp of the file at `path`, or None if it is a pipe or the like, which is read once.

    Raises `AttemptError` if the file can't be read.
    """
    try:
        status = os.stat(path)  # noqa: PTH116  # paths are text here
        if not stat.S_ISREG(status.st_mode):
            return None
        return FileFingerprint(status.st_size, status.st_mtime, _sample(path, status.st_size))
    except OSError as error:
        raise unreadable(path, error) from None


def _sample(path: str, size_bytes: int) -> str:
    digest = blake2b(digest_size=16)
    last = max(0, size_bytes - _BLOCK_BYTES)
    steps = min(_MOST_BLOCKS - 1, -(-last // _BLOCK_BYTES))
    with open(path, "rb") as file:  # noqa: PTH123
        for step in range(steps + 1):
            file.seek(last * step // steps if steps else 0)
            digest.update(file.read(_BLOCK_BYTES))
    return digest.hexdigest()
