"""The log of the demo's mail server: a line of JSON for each thing that it has done.

A line is in the file before the server answers, so that what a client was told is there also after
the server has died.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """`opened` and `closed` are connections; an address was `refused`, or its mail was `taken`."""

    what: Literal["opened", "closed", "refused", "taken"]
    address: str = ""
    code: int = 0
    message_id: str = ""


class MailLog:
    """Adds entries to a file."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, *entries: Entry) -> None:
        """Write entries, whole lines at once. Raises `OSError`."""
        os.write(self._file, b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))


def read_log(path: Path) -> Iterator[Entry]:
    """The entries of a log. Raises `OSError`."""
    for line in path.read_bytes().splitlines():
        yield msgspec.json.decode(line, type=Entry)


class MailCounts(msgspec.Struct, frozen=True):
    """The totals of a log.

    `taken` counts messages by the address they were for, `put_off` and `refused` refusals by
    address: those for a while, and those for good. `most_open` is how many connections were open at
    one moment.
    """

    taken: Counter[str]
    put_off: Counter[str]
    refused: Counter[str]
    connections: int
    most_open: int


def count_mail(entries: Iterable[Entry]) -> MailCounts:
    """Count the entries of a log."""
    taken: Counter[str] = Counter()
    put_off: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    connections = now_open = most_open = 0
    for entry in entries:
        match entry.what:
            case "taken":
                taken[entry.address] += 1
            case "refused":
                (put_off if entry.code < 500 else refused)[entry.address] += 1
            case "opened":
                connections += 1
                now_open += 1
                most_open = max(most_open, now_open)
            case "closed":
                now_open -= 1
    return MailCounts(taken, put_off, refused, connections, most_open)
