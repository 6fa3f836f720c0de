"""`core.email`: one message through an SMTP server.

`email_message` composes it and `smtp_pool` sends it; both load modules that no other action needs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fanwise.actions.core._shared import MAX_BYTES, require_time, result_bytes
from fanwise.actions.decorator import DURATION, Written, action
from fanwise.catalog import ActionContext
from fanwise.errors import InputError

_SHARE_OF_TIMEOUT = 0.95


_NAME = "core.email"
_TIME = Written(partial(require_time, _NAME))


def _require_server(server: str) -> None:
    from fanwise.actions.core.smtp_server import parse_server

    parse_server(server, username=None, password=None, starttls=None, verify_tls=True)


@action(_NAME, some_of=("text", "html"), together=("username", "password"))
def send_message(
    server: Annotated[str, Written(_require_server)],
    sender: str,
    to: str | list[Any] | None,
    subject: str,
    text: str | None = None,
    html: str | None = None,
    cc: str | list[Any] | None = None,
    bcc: str | list[Any] | None = None,
    reply_to: str | list[Any] | None = None,
    headers: dict[str, Any] | None = None,
    attachments: list[Any] | None = None,
    username: str | None = None,
    password: str | None = None,
    starttls: bool | None = None,
    verify_tls: bool = True,
    timeout: Annotated[float, DURATION, _TIME] = 30.0,
    max_bytes: Annotated[int | None, MAX_BYTES] = None,
    context: ActionContext | None = None,
) -> dict[str, Any]:
    """Send an e-mail through an SMTP server.

    Connections are kept open between items and closed when the run ends. One that the server has
    closed meanwhile is replaced, and the message sent on the new one. The Message-ID follows from
    the idempotency key: another attempt at the same item sends the same one, so that a message
    which arrives twice can be recognised.

    Input:
      server       smtp://host:port, or smtps:// for TLS from the first byte; without a port 25, 465
      sender       an address, "ada@example.org" or "Ada Lovelace <ada@example.org>"
      to, cc, bcc  an address, or a list of them; null and "" are none. bcc is not in the message
      subject      one line
      text, html   the body; at least one of them, and with both readers choose
      reply_to     an address, or a list of them
      headers      further headers as a map; numbers become text, null leaves one out
      attachments  paths of files; relative ones start at the workflow's folder
      username     logs in with it and `password`, which needs TLS unless starttls is false
      starttls     whether a connection of smtp:// changes to TLS: true insists on it, false never
                   does; default: if the server offers it
      verify_tls   whether the server's certificate is checked; default true
      timeout      a duration for everything; default 30s, and never beyond the task's `timeout`
      max_bytes    of all attachments together; default limits.result_bytes
    Result: {message_id, accepted, refused, code, reply}
      accepted     the addresses to which the server will deliver it
      refused      those that it refused, as a list of {address, code, reply}
      code, reply  the server's answer to the message
    Errors:
      InputError           no body, half of a login, or attachments isn't a list of paths
      BadAddress           an address isn't one, or there is none to send to; never retried
      BadRequest           another input makes no message; never retried
      BadUrl               `server` isn't the URL of a server; never retried
      TemporarilyRefused   refused with a code from 400 to 499: later it may be taken
      Refused              refused for good; never retried. The data of both: {stage, code, reply,
                           refused}; the stage is connection, sender, recipients or message
      LoginFailed          data: {code}; retried only if the server says that it may help
      ConnectionFailed     no connection, or it broke before the server can have taken the message
      TlsFailed            TLS failed, isn't offered, or the certificate is refused
      Timeout              it took longer than `timeout`; the server hasn't taken the message
      Unconfirmed          the connection broke, or time was up, when the message had been sent and
                           the answer was due: the server may have taken it. Sending it again may
                           deliver it twice
      TooLarge             data: {max_bytes}; never retried
      NotFound, PermissionDenied, IsDirectory, FileError   of an attachment
    """
    from fanwise.actions.core.email_message import make_envelope, make_message
    from fanwise.actions.core.smtp_pool import ConnectionPool
    from fanwise.actions.core.smtp_server import parse_server
    from fanwise.actions.resources import run_resource

    require_time(_NAME, timeout)
    ends_at = _ends_at(timeout, context)
    place = parse_server(
        server, username=username, password=password, starttls=starttls, verify_tls=verify_tls
    )
    message = make_message(
        make_envelope(sender=sender, to=to, cc=cc, bcc=bcc, reply_to=reply_to),
        subject=subject,
        text=text,
        html=html,
        headers=headers or {},
        attachments=_located(attachments or [], context),
        max_bytes=result_bytes(max_bytes, None if context is None else context.limits),
        key=None if context is None else context.idempotency_key,
    )
    with run_resource(ConnectionPool) as pool:
        receipt = pool.send(place, message, ends_at)
    return {"message_id": message.message_id, **receipt._asdict()}


def _ends_at(timeout_s: float, context: ActionContext | None) -> float:
    """The end of the attempt on the clock of `time.monotonic`.

    It comes a little before the task's own `timeout`, which can't stop a thread, so that the error
    still says whether the message can have been sent.
    """
    if context is not None and context.deadline is not None:
        timeout_s = min(timeout_s, _SHARE_OF_TIMEOUT * (context.deadline - time.time()))
    return time.monotonic() + timeout_s


def _located(paths: Sequence[object], context: ActionContext | None) -> list[str]:
    texts = [path for path in paths if isinstance(path, str)]
    if len(texts) != len(paths):
        raise InputError('input "attachments" of core.email must be a list of paths.')
    return [str(Path(context.folder if context else "") / text) for text in texts]
