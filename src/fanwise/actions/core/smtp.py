"""One connection to an SMTP server, and sending messages on it.

Each wait is bounded by the remaining time, given as its end on the clock of `time.monotonic`. An
error says whether the server can have taken the message.
"""

# Sending takes smtplib's single commands, since the error depends on the last byte sent: before the
# end of the content the server has no message, and sending it again is safe; after the end only the
# server's answer decides. aiosmtplib 5.1 raises the same SMTPServerDisconnected and the same
# SMTPReadTimeoutError on both sides of the end, takes only the code 250 for a yes, and has no pool.

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from fanwise.actions.core.email_message import Message
from fanwise.actions.core.smtp_errors import (
    CLOSING,
    Reply,
    broken_off,
    not_connected,
    not_offered,
    refusal,
    unconfirmed,
)
from fanwise.actions.core.smtp_server import Server
from fanwise.values import JsonObject

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# The first digit of an answer's code says what it means; servers choose the others freely.
_DONE, _GO_ON, _NOT_NOW, _NEVER = 2, 3, 4, 5
_LINE_STARTS_WITH_DOT = re.compile(rb"^\.", re.MULTILINE)
_GOODBYE_S = 1.0


class Receipt(NamedTuple):
    """A server's answer to a message, with the accepted and the refused recipients."""

    accepted: Sequence[str]
    refused: Sequence[JsonObject]
    code: int
    reply: str


class Connection:
    """An open connection, logged in, for one thread at a time. Raises `ActionError`.

    `is_ready` says whether another message can be sent on it.
    """

    def __init__(self, server: Server, ends_at: float) -> None:
        self.server = server
        self.is_ready = False
        kind = _TlsClient if server.is_tls else _Client
        try:
            self._client = kind(server, ends_at)
            try:
                self._get_in()
            except BaseException:
                self._client.close()
                raise
        except (OSError, UnicodeError) as error:  # smtplib's own errors are OSErrors, too
            raise not_connected(error) from None
        self.is_ready = True

    def _get_in(self) -> None:
        client, server = self._client, self.server
        client.ehlo_or_helo_if_needed()
        if not server.is_tls and server.starttls is not False:
            if client.has_extn("starttls"):
                client.starttls(context=_tls_context(verify=server.verify_tls))
                client.ehlo_or_helo_if_needed()
            elif server.needs_starttls:
                raise not_offered("TlsFailed", "STARTTLS")
        if server.username is not None and server.password is not None:
            if not client.has_extn("auth"):
                raise not_offered("LoginFailed", "a login")
            client.login(server.username, server.password)

    def deliver(self, message: Message, ends_at: float) -> Receipt:
        """Send a message. Raises `ActionError`: `ConnectionLostError` if a new connection helps."""
        self.is_ready = False
        self._client.ends_at = ends_at
        try:
            accepted, refused = self._hand_over(message)
        except OSError as error:
            raise broken_off(error) from None
        try:
            reply = Reply.of(*self._client.getreply())
        except OSError:
            raise unconfirmed() from None
        if reply.kind not in (_DONE, _NOT_NOW, _NEVER):
            raise unconfirmed()
        self.is_ready = reply.code != CLOSING
        if reply.kind != _DONE:
            raise refusal("message", reply)
        return Receipt(accepted, refused, *reply)

    def _hand_over(self, message: Message) -> tuple[list[str], list[JsonObject]]:
        """Send all up to the content's end. Return the accepted and the refused recipients."""
        client = self._client
        size = [f"size={len(message.content)}"] if client.has_extn("size") else []
        self._expect("sender", client.mail(message.sender, size))
        accepted: list[str] = []
        refused: list[JsonObject] = []
        replies: list[Reply] = []
        for address in message.recipients:
            reply = Reply.of(*client.rcpt(address))
            if reply.kind == _DONE:
                accepted.append(address)
            else:
                replies.append(reply)
                refused.append({"address": address, "code": reply.code, "reply": reply.text})
        if not accepted:
            # A recipient refused for now may be accepted later, and such codes are the lowest.
            self._refuse("recipients", min(replies), refused)
        self._expect("message", client.docmd("DATA"), kind=_GO_ON)
        client.send(_data(message.content))
        return accepted, refused

    def _expect(self, stage: str, answer: tuple[int, bytes], *, kind: int = _DONE) -> None:
        reply = Reply.of(*answer)
        if reply.kind != kind:
            self._refuse(stage, reply)

    def _refuse(self, stage: str, reply: Reply, refused: Sequence[JsonObject] = ()) -> NoReturn:
        if reply.code != CLOSING:
            with suppress(OSError):  # A connection that breaks now doesn't change the answer.
                self.is_ready = Reply.of(*self._client.rset()).kind == _DONE
        raise refusal(stage, reply, refused)

    def close(self) -> None:
        """Close it at once. The server is told, but its answer isn't waited for."""
        if self.is_ready:
            self.is_ready = False
            self._client.ends_at = monotonic() + _GOODBYE_S
            with suppress(OSError):
                self._client.putcmd("QUIT")
        self._client.close()


class _Client(smtplib.SMTP):
    """The standard library's client, never waiting beyond `ends_at`."""

    def __init__(self, server: Server, ends_at: float, **options: Any) -> None:
        self.ends_at = ends_at
        try:
            super().__init__(
                server.host,
                server.port,
                local_hostname=_own_name(),
                timeout=self._left_s(),
                **options,
            )
        except BaseException:
            self.close()
            raise

    def send(self, s: ReadableBuffer | str) -> None:
        """Send text or bytes."""
        self._bound()
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """Wait for an answer."""
        self._bound()
        return super().getreply()

    def _bound(self) -> None:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected
        self.sock.settimeout(self._left_s())

    def _left_s(self) -> float:
        left_s = self.ends_at - monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s


class _TlsClient(_Client, smtplib.SMTP_SSL):
    """The same with TLS from the first byte."""

    def __init__(self, server: Server, ends_at: float) -> None:
        super().__init__(server, ends_at, context=_tls_context(verify=server.verify_tls))


def _tls_context(*, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@lru_cache(maxsize=1)  # It may ask a name server.
def _own_name() -> str:
    """The name by which this machine introduces itself, chosen by `smtplib`."""
    return smtplib.SMTP().local_hostname


def _data(content: bytes) -> bytes:
    """The content as sent: a line with a sole dot ends it, so dots at line starts are doubled."""
    return _LINE_STARTS_WITH_DOT.sub(b"..", content).removesuffix(b"\r\n") + b"\r\n.\r\n"
