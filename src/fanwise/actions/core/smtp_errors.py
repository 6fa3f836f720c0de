"""Failures between `core.email` and a server, as typed errors.

Messages name no host, no address and nothing of a message: values can be secrets. The data of a
refusal has the server's own words, which may name the address at fault.
"""

from __future__ import annotations

import os
import smtplib
import socket
import ssl
from collections.abc import Sequence
from typing import NamedTuple

from fanwise.actions.core._shared import decoded, tls_reason
from fanwise.errors import ActionError
from fanwise.values import JsonObject

CLOSING = 421
"""A server's code for closing the connection."""

_LONGEST_TEXT = 500
_STAGES = {
    "connection": "the connection",
    "sender": "the sender",
    "recipients": "every recipient",
    "message": "the message",
}


class Reply(NamedTuple):
    """A server's answer: a code of three digits, or -1 if it isn't SMTP, and its words."""

    code: int
    text: str

    @classmethod
    def of(cls, code: int, text: bytes | str) -> Reply:
        """Take over an answer of `smtplib`."""
        words = text if isinstance(text, str) else decoded(text)
        return cls(code, words[:_LONGEST_TEXT])

    @property
    def kind(self) -> int:
        """The first digit of the code."""
        return self.code // 100


class ConnectionLostError(ActionError):
    """The connection has ended, and it is certain that the server didn't take the message."""


def refusal(stage: str, reply: Reply, refused: Sequence[JsonObject] = ()) -> ActionError:
    """The error of a server that says no; `refused` has its answer for each recipient."""
    if not 400 <= reply.code < 600:
        return ConnectionLostError(
            "core.email: the server's answer isn't what SMTP asks for.", type="ConnectionFailed"
        )
    if reply.code < 500:
        kind, until = "TemporarilyRefused", "for now"
    else:
        kind, until = "Refused", "for good"
    made = ConnectionLostError if reply.code == CLOSING else ActionError
    return made(
        f"core.email: the server refuses {_STAGES[stage]} {until}, with code {reply.code}.",
        type=kind,
        data={"stage": stage, "code": reply.code, "reply": reply.text, "refused": list(refused)},
        retry=reply.code < 500,
    )


def not_connected(error: Exception) -> ActionError:
    """The error of a connection that can't be made, or of a login that is refused."""
    match _cause(error):
        case TimeoutError():
            return _timeout()
        case ssl.SSLError() as cause:
            return _failure("TlsFailed", tls_reason(cause))
        case socket.gaierror():
            return _failure("ConnectionFailed", "the host's name can't be resolved")
        case smtplib.SMTPAuthenticationError(smtp_code=code):
            return ActionError(
                f"core.email: the server refuses the login, with code {code}.",
                type="LoginFailed",
                data={"code": code},
                retry=400 <= code < 500,
            )
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=text):
            return refusal("connection", Reply.of(code, text))
        case smtplib.SMTPServerDisconnected():
            return _failure("ConnectionFailed", "the server closed the connection too early")
        case smtplib.SMTPException():
            return not_offered("LoginFailed", "any way to log in that fanwise knows")
        case OSError(errno=int(number)):
            return _failure("ConnectionFailed", os.strerror(number).lower())
        case UnicodeError():
            return _failure("BadUrl", "the server's host can't be looked up", retry=False)
        case _:
            return _failure("ConnectionFailed", "the connection failed")


def not_offered(type: str, what: str) -> ActionError:
    """The error of a server without a required feature."""
    return _failure(type, f"the server doesn't offer {what}", retry=False)


def broken_off(error: Exception) -> ActionError:
    """The error of an exchange that ended before the message had been sent as a whole."""
    if isinstance(_cause(error), TimeoutError):
        return _timeout()
    return ConnectionLostError(
        "core.email: the server closed the connection too early.", type="ConnectionFailed"
    )


def unconfirmed() -> ActionError:
    """The error of a message that was sent and never answered."""
    return _failure(
        "Unconfirmed",
        "the message was sent, but the server's answer to it never came; it may have taken it",
    )


def _cause(error: Exception) -> BaseException:
    """The error behind a disconnection of `smtplib`, or the error itself."""
    behind = error.__context__
    if isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(behind, OSError):
        return behind
    return error


def _timeout() -> ActionError:
    return _failure("Timeout", "it took longer than it may")


def _failure(type: str, what: str, *, retry: bool = True) -> ActionError:
    return ActionError(f"core.email: {what}.", type=type, retry=retry)
