"""Composing the message of `core.email`, without any connection.

The policy is `compat32` of the standard library's `email`: the newer ones decode encoded words in
their input, and some versions of Python then write a line break of such a word into the headers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.charset import QP, Charset
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import compat32
from email.utils import format_datetime, make_msgid
from typing import TYPE_CHECKING, Any, NamedTuple

from fanwise.actions.core.email_addresses import CONTROL, Mailbox, bad_address, parse_mailboxes
from fanwise.actions.core.email_attachments import attachment_parts
from fanwise.errors import ActionError

if TYPE_CHECKING:
    from email.message import Message as MessagePart

    Part = MessagePart[Any, Any]

_POLICY = compat32.clone(linesep="\r\n", cte_type="7bit", mangle_from_=False)
_UTF_8 = Charset("utf-8")
_UTF_8.body_encoding = QP
_LINE_BREAK = re.compile("\r\n?")
_HEADER_NAME = re.compile("[!-9;-~]+")  # RFC 5322, 3.6.8
_OURS = re.compile(
    "from|to|cc|bcc|reply-to|subject|date|message-id|mime-version|content-.*", re.IGNORECASE
)
_LONGEST_WORD = 900
"""In characters; lines can be folded between words only, and have 998 at most."""


class Message(NamedTuple):
    """A message ready to be sent: sender, recipients and content."""

    sender: str
    recipients: Sequence[str]
    message_id: str
    content: bytes


class Envelope(NamedTuple):
    """The sender of a message, its recipients, and the addresses for replies."""

    sender: Mailbox
    to: Sequence[Mailbox]
    cc: Sequence[Mailbox]
    bcc: Sequence[Mailbox]
    reply_to: Sequence[Mailbox]


def make_envelope(
    *, sender: object, to: object, cc: object, bcc: object, reply_to: object
) -> Envelope:
    """Parse the addresses of the input. Raises `ActionError`."""
    senders = parse_mailboxes("sender", sender)
    if len(senders) != 1:
        raise bad_address("sender must be one address")
    envelope = Envelope(
        senders[0],
        parse_mailboxes("to", to),
        parse_mailboxes("cc", cc),
        parse_mailboxes("bcc", bcc),
        parse_mailboxes("reply_to", reply_to),
    )
    if not (envelope.to or envelope.cc or envelope.bcc):
        raise bad_address("to, cc and bcc name no address")
    return envelope


def make_message(
    envelope: Envelope,
    *,
    subject: str,
    text: str | None,
    html: str | None,
    headers: Mapping[str, object],
    attachments: Sequence[str],
    max_bytes: int,
    key: str | None,
) -> Message:
    """Compose the message of the input. Raises `ActionError` for input that makes no message.

    The same `key` gives the same Message-ID; without a key, each message has its own.
    """
    message = _body(text, html)
    if attachments:
        message = _multipart("mixed", [message, *attachment_parts(attachments, max_bytes)])
    message_id = _message_id(key, envelope.sender)
    message["From"] = str(envelope.sender)
    for name, mailboxes in (
        ("To", envelope.to),
        ("Cc", envelope.cc),
        ("Reply-To", envelope.reply_to),
    ):
        if mailboxes:
            message[name] = ", ".join(map(str, mailboxes))
    message["Subject"] = _header("the subject", subject)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = message_id
    for name, value in headers.items():
        if value is not None:
            message[_checked_name(name)] = _header(f"header {name}", value)
    recipients = [each.address for each in (*envelope.to, *envelope.cc, *envelope.bcc)]
    content = message.as_bytes()
    return Message(envelope.sender.address, list(dict.fromkeys(recipients)), message_id, content)


def _body(text: str | None, html: str | None) -> Part:
    parts = [_text_part(text, "plain")] if text is not None else []
    if html is not None:
        parts.append(_text_part(html, "html"))
    return parts[0] if len(parts) == 1 else _multipart("alternative", parts)


def _text_part(text: str, kind: str) -> Part:
    # Quoted-printable holds any character in short lines of ASCII, which every server takes.
    part = MIMENonMultipart("text", kind, policy=_POLICY)
    part.set_payload(_LINE_BREAK.sub("\n", text), _UTF_8)
    return part


def _multipart(kind: str, parts: Sequence[Part]) -> Part:
    return MIMEMultipart(kind, None, parts, policy=_POLICY)


def _checked_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        raise _bad_request("a header's name has a character that isn't allowed in one")
    if _OURS.fullmatch(name):
        raise _bad_request(f"header {name} can't be given, since the other inputs make it")
    return name


def _header(what: str, value: object) -> Header:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _bad_request(f"{what} must be text or a number")
    text = str(value)
    if CONTROL.search(text):
        raise _bad_request(f"{what} holds a line break or another control character")
    is_plain = text.isascii() and len(max(text.split(), key=len, default="")) <= _LONGEST_WORD
    return Header(text, "us-ascii" if is_plain else _UTF_8)


def _message_id(key: str | None, sender: Mailbox) -> str:
    domain = sender.address.rpartition("@")[2]
    if key is None:
        return make_msgid(domain=domain)
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{domain}>"


def _bad_request(what: str) -> ActionError:
    return ActionError(f"core.email: {what}.", type="BadRequest", retry=False)
