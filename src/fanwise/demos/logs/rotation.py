"""Cuts a log into the files that a rotation leaves: access.log, access.log.1, access.log.2.gz.

The higher its number, the older a file. Each but the newest has been taken while the server wrote
its last line, so that it ends in the middle of that line; the next one begins with the whole line.
No line is lost, and each cut leaves one that is no log line. Holds one chunk of the log at a time.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import IO

_CHUNK_BYTES = 2**20
_PLAIN_FILES = 2  # The newest two aren't compressed yet, as with logrotate's `delaycompress`.


def rotate(whole: Path, log: Path, files: int) -> int:
    """Cut `whole` into so many files, of which `log` is the newest, and remove it.

    Gives how many lines were cut: fewer than `files - 1` if the log has too few.
    """
    size, start, cuts = whole.stat().st_size, 0, 0
    with whole.open("rb") as source:
        for number in range(files - 1, 0, -1):
            source.seek(start + (size - start) // (number + 1))
            source.readline()
            line_start = source.tell()
            half = len(source.readline()) // 2
            if not half:  # It is the log's end.
                continue
            _copy(source, start, line_start + half, _file(log, number))
            start = line_start
            cuts += 1
        _copy(source, start, size, log)
    whole.unlink()
    return cuts


def _file(log: Path, number: int) -> Path:
    ending = "" if number < _PLAIN_FILES else ".gz"
    return log.with_name(f"{log.name}.{number}{ending}")


def _copy(source: IO[bytes], start: int, stop: int, target: Path) -> None:
    source.seek(start)
    with (
        gzip.open(target, "wb", compresslevel=1)
        if target.suffix == ".gz"
        else target.open("wb") as to
    ):
        while start < stop and (chunk := source.read(min(_CHUNK_BYTES, stop - start))):
            to.write(chunk)
            start += len(chunk)
