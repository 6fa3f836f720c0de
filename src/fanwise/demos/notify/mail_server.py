"""The mailboxes of the demo behind a real SMTP server, in a process of its own.

    python -m fanwise.demos.notify.mail_server --messages 5000 --seed 7 --log mail.log

It prints its URL on one line when it listens, on this machine alone. It ends when its standard
input closes, or on SIGTERM or Ctrl-C. With `--die-after N` it dies when it has taken N messages, in
the middle of whatever it does.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Literal

import msgspec

from fanwise.demos.notify.people import Person, make_people
from fanwise.demos.notify.smtp import Verdict, listen
from fanwise.demos.process import (
    announce,
    parse_amount,
    parse_port,
    serve_to_the_end,
    stop_signal,
)


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


class Mailboxes:
    """The mailboxes of people. Implements `smtp.Office`."""

    def __init__(self, people: Sequence[Person], log: MailLog, die_after: int | None) -> None:
        self._people = {person.email: person for person in people}
        self._log = log
        self._tries: Counter[str] = Counter()
        self._left = die_after

    def opened(self) -> None:
        """Note it."""
        self._log.add(Entry("opened"))

    def closed(self) -> None:
        """Note it."""
        self._log.add(Entry("closed"))

    def recipient(self, address: str) -> Verdict:
        """Say whether there is such a mailbox, and whether it takes mail now."""
        verdict = self._judge(address)
        if not verdict.is_yes:
            self._log.add(Entry("refused", address, verdict.code))
        return verdict

    def _judge(self, address: str) -> Verdict:
        person = self._people.get(address)
        if person is None or person.is_gone:
            return Verdict(550, "5.1.1 there is no such mailbox")
        self._tries[address] += 1
        if self._tries[address] <= person.busy_tries:
            return Verdict(450, "4.2.1 the mailbox is busy, try again later")
        return Verdict(250, "recipient noted")

    def message(self, recipients: list[str], content: bytes) -> Verdict:
        """Take a message."""
        message_id = str(BytesHeaderParser().parsebytes(content)["Message-ID"])
        self._log.add(*[Entry("taken", each, 250, message_id) for each in recipients])
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                os._exit(1)
        return Verdict(250, "taken")


async def serve(people: Sequence[Person], port: int, log: Path, die_after: int | None) -> None:
    """Serve until SIGTERM or SIGINT. Raises `OSError` if the port or the log can't be opened."""
    stopped = stop_signal()
    server = await listen(Mailboxes(people, MailLog(log), die_after), port)
    host, bound_port = server.sockets[0].getsockname()
    announce(f"smtp://{host}:{bound_port}")
    await stopped.wait()
    server.close()  # and not as a block, which waits for connections that clients keep open


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="The mailboxes of the notification demo.")
    parser.add_argument("--port", type=parse_port, default=0, help="0 takes any that is free")
    parser.add_argument("--messages", type=parse_amount, default=5000, help="users who want news")
    parser.add_argument("--seed", type=int, default=7, help="decides who they are")
    parser.add_argument("--log", type=Path, required=True, help="where to write what is taken")
    parser.add_argument(
        "--die-after", type=parse_amount, help="die when so many messages are taken"
    )
    options = parser.parse_args()
    people = make_people(options.messages, options.seed)
    serve_to_the_end(serve(people, options.port, options.log, options.die_after))


if __name__ == "__main__":
    main()
