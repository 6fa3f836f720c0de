"""Whole new files, put in place at once: readers see the old content or the new, never a half.

The new content is written beside its target and moved there. It has the rights of the file that it
replaces before its first byte, so a private file is private all the while. The name of the
temporary file is short, whatever the target's; a process that is killed leaves it behind.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, Literal, TypeAlias

Mode: TypeAlias = Literal["overwrite", "append", "create"]
"""The ways to write a file."""


@contextmanager
def replacement(path: str, *, parents: bool, mode: Mode = "overwrite") -> Iterator[IO[bytes]]:
    """Open a file to write, which is that at `path` in the end.

    `path` may be a link. `create` refuses a file that exists, and `append` adds to it, as is done
    to a pipe or a device, which no file may replace. With `parents` missing folders are made.
    Raises `OSError`.
    """
    target = Path(os.path.realpath(path))
    if parents:
        target.parent.mkdir(parents=True, exist_ok=True)
    if mode == "create":
        opened: AbstractContextManager[IO[bytes]] = new_file(target, os.link)
    elif mode == "append" or (target.exists() and not target.is_file() and not target.is_dir()):
        opened = target.open("ab")
    else:
        opened = new_file(target)
    with opened as file:
        yield file


@contextmanager
def new_file(target: Path, place: Callable[[Path, Path], None] = os.replace) -> Iterator[IO[bytes]]:
    """Open a file to write, which `place` moves or links to `target` at the end of the block.

    Nothing is left of it if the block raises. Raises `OSError`.
    """
    temporary = target.with_name(f".{os.urandom(8).hex()}.tmp")
    try:
        before = target.stat()
    except FileNotFoundError:
        before = None
    try:
        descriptor = os.open(
            temporary,
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC,
            0o666 if before is None else 0o600,  # less the umask
        )
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a Path opens no descriptor
            if before is not None:
                with suppress(PermissionError):  # only root gives files away
                    os.fchown(descriptor, before.st_uid, before.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
            yield file
        place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
