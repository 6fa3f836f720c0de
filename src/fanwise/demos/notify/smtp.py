"""The server's side of SMTP (RFC 5321), as much of it as taking mail needs.

Who and what is taken is for an `Office` to say. Nothing here stores or forwards a message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, Protocol

_LONGEST_LINE = 2_048
MAX_MESSAGE_BYTES = 16 * 2**20
"""Larger messages are refused."""


class Verdict(NamedTuple):
    """An answer: a code of three digits, and words."""

    code: int
    text: str

    @property
    def is_yes(self) -> bool:
        """True for an answer of success."""
        return self.code < 400


class Office(Protocol):
    """Decides what is taken. What it answers is sent as it stands."""

    def opened(self) -> None:
        """A connection has been opened."""

    def recipient(self, address: str) -> Verdict:
        """Decide on mail for this address."""

    def message(self, recipients: list[str], content: bytes) -> Verdict:
        """Decide on a message to the accepted `recipients`."""

    def closed(self) -> None:
        """A connection has been closed."""


Handler = Callable[[str], Awaitable[Verdict]]


class Conversation:
    """One connection. Made for each by `converse`; a subclass may know more verbs."""

    def __init__(
        self, office: Office, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.office = office
        self.reader = reader
        self.writer = writer
        self.extensions = [f"SIZE {MAX_MESSAGE_BYTES}"]
        self._is_open = True
        self._sender: str | None = None
        self._recipients: list[str] = []

    def verbs(self) -> Mapping[str, Handler]:
        """The handlers of the verbs, which get the verb's argument."""
        return {
            "EHLO": self._greet,
            "HELO": self._greet,
            "MAIL": self._mail,
            "RCPT": self._recipient,
            "DATA": self._data,
            "RSET": self._reset,
            "NOOP": self._agree,
            "QUIT": self._quit,
        }

    async def hold(self) -> None:
        """Talk until either side ends it. Raises `OSError` and what broken input raises."""
        verbs = self.verbs()
        await self.say(Verdict(220, "ready"))
        while self._is_open and (line := await self.reader.readline()):
            verb, _, argument = line.decode("ascii", "replace").strip().partition(" ")
            handler = verbs.get(verb.upper(), self._unknown)
            await self.say(await handler(argument))

    async def say(self, verdict: Verdict) -> None:
        """Send an answer; each line of its words is one of it."""
        *lines, last = verdict.text.split("\n")
        answer = "".join(f"{verdict.code}-{line}\r\n" for line in lines)
        self.writer.write(f"{answer}{verdict.code} {last}\r\n".encode())
        await self.writer.drain()

    async def _greet(self, argument: str) -> Verdict:
        self._forget()
        return Verdict(250, "\n".join(["at your service", *self.extensions]))

    async def _mail(self, argument: str) -> Verdict:
        self._forget()
        self._sender = _address(argument, "FROM:")
        if self._sender is None:
            return Verdict(501, "MAIL FROM:<address>")
        return Verdict(250, "sender noted")

    async def _recipient(self, argument: str) -> Verdict:
        address = _address(argument, "TO:")
        if self._sender is None:
            return Verdict(503, "MAIL comes first")
        if not address:
            return Verdict(501, "RCPT TO:<address>")
        verdict = self.office.recipient(address)
        if verdict.is_yes:
            self._recipients.append(address)
        return verdict

    async def _data(self, argument: str) -> Verdict:
        if not self._recipients:
            return Verdict(503, "RCPT comes first")
        await self.say(Verdict(354, "end with a dot on a line of its own"))
        content = bytearray()
        while (line := await self.reader.readline()) != b".\r\n":
            if not line:
                raise EOFError
            if len(content) <= MAX_MESSAGE_BYTES:
                content += line.removeprefix(b".")
        recipients = self._recipients
        self._forget()
        if len(content) > MAX_MESSAGE_BYTES:
            return Verdict(552, "the message is too large")
        return self.office.message(recipients, bytes(content))

    async def _reset(self, argument: str) -> Verdict:
        self._forget()
        return Verdict(250, "forgotten")

    async def _agree(self, argument: str) -> Verdict:
        return Verdict(250, "yes")

    async def _quit(self, argument: str) -> Verdict:
        self._is_open = False
        return Verdict(221, "goodbye")

    async def _unknown(self, argument: str) -> Verdict:
        return Verdict(500, "this verb is unknown")

    def _forget(self) -> None:
        self._sender, self._recipients = None, []


async def converse(
    office: Office,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    kind: type[Conversation] = Conversation,
) -> None:
    """Serve one connection to its end, whatever comes over it."""
    office.opened()
    try:
        await kind(office, reader, writer).hold()
    except (OSError, EOFError, ValueError):  # it broke, ended too early, or sent endless lines
        pass
    finally:
        office.closed()
        writer.close()


async def listen(
    office: Office, port: int = 0, kind: type[Conversation] = Conversation
) -> asyncio.Server:
    """Take connections on this machine alone; port 0 is any that is free. Raises `OSError`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await converse(office, reader, writer, kind)

    return await asyncio.start_server(serve, "127.0.0.1", port, limit=_LONGEST_LINE, backlog=1024)


def _address(argument: str, prefix: str) -> str | None:
    """The address of `FROM:<address> OPTION...`, which is empty for none, or None."""
    if not argument.upper().startswith(prefix):
        return None
    address, bracket, _ = argument[len(prefix) :].lstrip().removeprefix("<").partition(">")
    return address if bracket else None
