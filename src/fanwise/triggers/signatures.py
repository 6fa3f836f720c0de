"""Signatures of webhook requests: whether a request comes from someone who knows the secret.

Everything is computed over the raw bytes of the body and compared in constant time, with each of
the secrets (two of them while one is rotated). Messages never tell a secret or a signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Literal, TypeAlias

import msgspec

from fanwise.errors import SignatureError

TOLERANCE_S: Final = 300.0
_STANDARD_PREFIX: Final = "whsec_"
_MOST_SIGNATURES: Final = 16


class Token(msgspec.Struct, frozen=True):
    """The secret itself, as `Authorization: Bearer SECRET` or `X-Fanwise-Token: SECRET`."""


class GitHub(msgspec.Struct, frozen=True):
    """GitHub's way: `X-Hub-Signature-256: sha256=HEX` over the body."""


class Standard(msgspec.Struct, frozen=True):
    """The Standard Webhooks way: id, timestamp and body are signed, and an old request refused."""

    tolerance_s: float = TOLERANCE_S


class Hmac(msgspec.Struct, frozen=True, kw_only=True):
    """A way of one's own. `signed` is the text that is signed, with `{timestamp}` and `{body}`.

    Without a `timestamp_header` nothing tells an old request from a new one.
    """

    header: str
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    signed: str = "{body}"
    timestamp_header: str | None = None
    tolerance_s: float = TOLERANCE_S


Scheme: TypeAlias = Token | GitHub | Standard | Hmac


def verify(
    scheme: Scheme, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float
) -> None:
    """Raise `SignatureError` unless the request was signed with one of `secrets`.

    `headers` have names in lower case. An old timestamp is told only once the signature is right.
    """
    match scheme:
        case Token():
            # By hashes, since a comparison tells the length of what it compares.
            given = hashlib.sha256(_token(headers)).digest()
            _require([given], secrets, lambda secret: hashlib.sha256(secret.encode()).digest())
        case GitHub():
            given = _hex(_header(headers, "x-hub-signature-256"), "sha256=")
            _require([given], secrets, lambda secret: _sign(secret.encode(), body, "sha256"))
        case Standard():
            _verify_standard(scheme, secrets, headers, body, now)
        case Hmac():
            _verify_hmac(scheme, secrets, headers, body, now)


def delivery_id(scheme: Scheme, headers: Mapping[str, str]) -> str | None:
    """The sender's own id of a request, by which a second delivery is told; None if it has none."""
    match scheme:
        case GitHub():
            return headers.get("x-github-delivery")
        case Standard():
            return headers.get("webhook-id")
    return None


def _token(headers: Mapping[str, str]) -> bytes:
    kind, _, bearer = headers.get("authorization", "").partition(" ")
    token = bearer.strip() if kind.lower() == "bearer" else headers.get("x-fanwise-token")
    if not token:
        raise SignatureError(
            "the request has no token.",
            reason="missing",
            hint="Send it as Authorization: Bearer TOKEN, or as X-Fanwise-Token.",
        )
    return token.encode(errors="surrogateescape")


def _verify_standard(
    scheme: Standard, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float
) -> None:
    identifier, sent_at = _header(headers, "webhook-id"), _header(headers, "webhook-timestamp")
    listed = _header(headers, "webhook-signature").split()[:_MOST_SIGNATURES]
    given = []
    for each in listed:
        if each.startswith("v1,"):
            with suppress(SignatureError):  # another one of the list may be the right one
                given.append(_base64(each.removeprefix("v1,"), "webhook-signature"))
    if not given:
        raise _malformed("webhook-signature", "v1,BASE64")
    signed = f"{identifier}.{sent_at}.".encode(errors="surrogateescape") + body
    _require(given, secrets, lambda secret: _sign(_standard_key(secret), signed, "sha256"))
    _require_fresh("webhook-timestamp", sent_at, scheme.tolerance_s, now)


def _standard_key(secret: str) -> bytes:
    """The key of a secret in the form `whsec_BASE64`; another secret is its own key."""
    if not secret.startswith(_STANDARD_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_STANDARD_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError(
            "the secret begins with whsec_ and isn't base64 after it.",
            reason="bad-secret",
            hint="Copy it again from its sender.",
        ) from None


def _verify_hmac(
    scheme: Hmac, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float
) -> None:
    written = _header(headers, scheme.header)
    given = (
        _hex(written, scheme.prefix, scheme.header)
        if scheme.encoding == "hex"
        else _base64(_without(written, scheme.prefix, scheme.header), scheme.header)
    )
    sent_at = "" if scheme.timestamp_header is None else _header(headers, scheme.timestamp_header)
    signed = _signed(scheme.signed, sent_at, body)
    _require([given], secrets, lambda secret: _sign(secret.encode(), signed, scheme.algorithm))
    if scheme.timestamp_header is not None:
        _require_fresh(scheme.timestamp_header, sent_at, scheme.tolerance_s, now)


def _signed(form: str, sent_at: str, body: bytes) -> bytes:
    """The bytes that are signed; what the timestamp or the body holds is never a placeholder."""
    parts = form.split("{body}")
    stamp = sent_at.encode(errors="surrogateescape")
    return body.join(stamp.join(map(str.encode, part.split("{timestamp}"))) for part in parts)


def _sign(key: bytes, signed: bytes, algorithm: str) -> bytes:
    return hmac.new(key, signed, getattr(hashlib, algorithm)).digest()


def _require(
    given: Iterable[bytes], secrets: Sequence[str], expected: Callable[[str], bytes]
) -> None:
    """Compare all with all, however early two are equal."""
    wanted = [expected(secret) for secret in secrets if secret]
    if not wanted:
        raise SignatureError(
            "the webhook's secret is empty.", reason="bad-secret", hint="Set it, then try again."
        )
    equal = [hmac.compare_digest(mine, theirs) for mine in wanted for theirs in given]
    if not any(equal):
        raise SignatureError(
            "the request's signature is wrong.",
            reason="wrong",
            hint="Sender and receiver need the same secret, and the body as it was sent.",
        )


def _require_fresh(header: str, sent_at: str, tolerance_s: float, now: float) -> None:
    if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= 12):
        raise _malformed(header, "seconds since 1970")
    if abs(now - int(sent_at)) > tolerance_s:
        raise SignatureError(
            f"the request was signed more than {tolerance_s:g} s ago, or ahead.",
            reason="stale",
            hint="Send it again, and compare the clocks of sender and receiver.",
        )


def _header(headers: Mapping[str, str], name: str) -> str:
    found = headers.get(name.lower())
    if not found:
        raise SignatureError(f"the request has no header {name}.", reason="missing")
    return found


def _without(text: str, prefix: str, header: str) -> str:
    if not text.startswith(prefix):
        raise _malformed(header, f"text that begins with {prefix}")
    return text.removeprefix(prefix)


def _hex(text: str, prefix: str, header: str = "x-hub-signature-256") -> bytes:
    try:
        return bytes.fromhex(_without(text, prefix, header))
    except ValueError:
        raise _malformed(header, f"{prefix}HEX") from None


def _base64(text: str, header: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _malformed(header, "base64") from None


def _malformed(header: str, takes: str) -> SignatureError:
    return SignatureError(f"the request's header {header} takes {takes}.", reason="malformed")
