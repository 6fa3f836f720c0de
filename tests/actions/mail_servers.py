"""Real SMTP servers on the loopback interface, for the tests of core.email.

They speak SMTP as the demo's server does, and run on an event loop in a thread of their own.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, NamedTuple

from fanwise.demos.notify.smtp import Conversation, Handler, Verdict, converse

CERTIFICATE = Path(__file__).with_name("localhost.pem")
LONG_S = 30
"""How long a test waits for what is sure to come."""

YES = Verdict(250, "yes")
TAKEN = Verdict(250, "taken")
HUSH = "hush"


class Mail(NamedTuple):
    """A message that was taken, and the number of the connection on which it came."""

    recipients: list[str]
    content: bytes

    def read(self) -> EmailMessage:
        lines = self.content.replace(b"\r\n", b"\n")
        message = message_from_bytes(lines, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message


class Desk:
    """Keeps what it takes, and refuses what a test wants it to: verdicts by address."""

    def __init__(self, verdicts: Mapping[str, list[Verdict]] | None = None) -> None:
        self.mails: list[Mail] = []
        self.connections = 0
        self.open = 0
        self.verdicts = {name: list(left) for name, left in (verdicts or {}).items()}
        self.changed = threading.Condition()

    def opened(self) -> None:
        with self.changed:
            self.connections += 1
            self.open += 1
            self.changed.notify_all()

    def closed(self) -> None:
        with self.changed:
            self.open -= 1
            self.changed.notify_all()

    def next(self, name: str) -> Verdict:
        """The next verdict for an address or a stage; the last one stays."""
        left = self.verdicts.get(name) or [TAKEN if name == "message" else YES]
        return left.pop(0) if len(left) > 1 else left[0]

    def recipient(self, address: str) -> Verdict:
        return self.next(address)

    def message(self, recipients: list[str], content: bytes) -> Verdict:
        verdict = self.next("message")
        if verdict.is_yes:
            with self.changed:
                self.mails.append(Mail(recipients, content))
                self.changed.notify_all()
        return verdict

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, LONG_S)


class Plain(Conversation):
    """Says no to senders and connections, too, if its desk does, and hangs up at 421.

    Instead of saying "hush" it says nothing any more.
    """

    office: Desk

    def verbs(self) -> Mapping[str, Handler]:
        return {**super().verbs(), "MAIL": self.mail}

    async def mail(self, argument: str) -> Verdict:
        verdict = self.office.next("sender")
        return await self._mail(argument) if verdict.is_yes else verdict

    async def say(self, verdict: Verdict) -> None:
        if verdict.code == 220 and not (said := self.office.next("connection")).is_yes:
            verdict = said
            self._is_open = False
        if verdict.text == HUSH:
            await asyncio.Event().wait()
        await super().say(verdict)
        if verdict.code == 421:
            self._is_open = False


class HangsUpAfterMessage(Plain):
    """Closes the connection when it has answered a message, as after a time without mail."""

    async def say(self, verdict: Verdict) -> None:
        await super().say(verdict)
        self._is_open = self._is_open and verdict != TAKEN


class HangsUpBeforeAnswer(Plain):
    """Takes a message, and closes the connection instead of saying so."""

    async def say(self, verdict: Verdict) -> None:
        if verdict == TAKEN:
            raise EOFError
        await super().say(verdict)


class Secure(Plain):
    """Knows STARTTLS, and after it AUTH with the password "secret"."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.is_tls = self.writer.get_extra_info("sslcontext") is not None
        self.is_in = False
        self.offer()

    def offer(self) -> None:
        self.extensions = ["AUTH PLAIN"] if self.is_tls else ["STARTTLS"]

    def verbs(self) -> Mapping[str, Handler]:
        return {**super().verbs(), "STARTTLS": self.starttls, "AUTH": self.auth}

    async def starttls(self, argument: str) -> Verdict:
        return Verdict(220, "go ahead")

    async def say(self, verdict: Verdict) -> None:
        await super().say(verdict)
        if verdict.text == "go ahead":
            await self.writer.start_tls(server_context())
            self.is_tls = True
            self.offer()

    async def auth(self, argument: str) -> Verdict:
        if not self.is_tls:
            return Verdict(538, "not in the clear")
        _, _, password = b64decode(argument.partition(" ")[2]).decode().split("\0")
        if password == "busy":
            return Verdict(454, "try again later")
        self.is_in = password == "secret"
        return Verdict(235, "welcome") if self.is_in else Verdict(535, "no")

    async def mail(self, argument: str) -> Verdict:
        return await super().mail(argument) if self.is_in else Verdict(530, "log in first")


class InTheClear(Secure):
    """Lets people log in without TLS."""

    def offer(self) -> None:
        self.is_tls = True
        self.extensions = ["AUTH PLAIN"]


def server_context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    return context


@contextmanager
def serving(desk: Desk, kind: type[Conversation] = Plain, *, tls: bool = False) -> Iterator[str]:
    """Run a server while the block lasts, and give its URL."""
    listening: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await converse(desk, reader, writer, kind)

    async def serve() -> None:
        context = server_context() if tls else None
        server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
        stopped = asyncio.Event()
        port = server.sockets[0].getsockname()[1]
        listening.set_result((asyncio.get_running_loop(), stopped, port))
        await stopped.wait()
        server.close()

    with ThreadPoolExecutor() as pool:
        served = pool.submit(asyncio.run, serve())
        loop, stopped, port = listening.result(LONG_S)
        try:
            yield f"{'smtps' if tls else 'smtp'}://127.0.0.1:{port}"
        finally:
            loop.call_soon_threadsafe(stopped.set)
            served.result(LONG_S)
