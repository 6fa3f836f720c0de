"""Requests to webhooks: who knows the secret, and when it was sent."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.errors import SignatureError
from fanwise.triggers.signatures import (
    GitHub,
    Hmac,
    Scheme,
    Standard,
    Token,
    delivery_id,
    verify,
)

NOW = 1_700_000_000
BODY = b'{"ref": "refs/heads/main"}'
SECRET = "It's a Secret to Everybody"


def signed_hex(secret: str, body: bytes, algorithm: str = "sha256") -> str:
    return hmac.new(secret.encode(), body, algorithm).hexdigest()


def standard(secret: bytes, body: bytes, sent_at: int = NOW, name: str = "msg_1") -> dict[str, str]:
    signed = f"{name}.{sent_at}.".encode() + body
    signature = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": name,
        "webhook-timestamp": str(sent_at),
        "webhook-signature": f"v1,{signature}",
    }


SLACK = Hmac(
    header="X-Slack-Signature",
    prefix="v0=",
    signed="v0:{timestamp}:{body}",
    timestamp_header="X-Slack-Request-Timestamp",
)


def slack(secret: str, body: bytes, sent_at: int = NOW) -> dict[str, str]:
    signature = signed_hex(secret, b"v0:%d:%b" % (sent_at, body))
    return {"x-slack-signature": f"v0={signature}", "x-slack-request-timestamp": str(sent_at)}


GOOD: list[tuple[Scheme, dict[str, str]]] = [
    (Token(), {"authorization": f"Bearer {SECRET}"}),
    (Token(), {"authorization": f"bearer {SECRET}"}),
    (Token(), {"x-fanwise-token": SECRET}),
    (GitHub(), {"x-hub-signature-256": f"sha256={signed_hex(SECRET, BODY)}"}),
    (Standard(), standard(SECRET.encode(), BODY)),
    (SLACK, slack(SECRET, BODY)),
    (
        Hmac(header="X-Sign", algorithm="sha1", encoding="base64"),
        {"x-sign": base64.b64encode(hmac.digest(SECRET.encode(), BODY, "sha1")).decode()},
    ),
]


@pytest.mark.parametrize(("scheme", "headers"), GOOD)
def test_a_request_that_is_signed_with_a_secret_is_let_in(
    scheme: Scheme, headers: dict[str, str]
) -> None:
    """With one of two while a secret is rotated; not with another, nor with none."""
    verify(scheme, [SECRET], headers, BODY, NOW)
    verify(scheme, ["new", SECRET], headers, BODY, NOW)
    for secrets, reason in ((["new"], "wrong"), ([], "bad-secret"), ([""], "bad-secret")):
        with pytest.raises(SignatureError) as caught:
            verify(scheme, secrets, headers, BODY, NOW)
        assert caught.value.reason == reason


@pytest.mark.parametrize(("scheme", "headers"), GOOD[3:])
def test_one_other_byte_is_another_body(scheme: Scheme, headers: dict[str, str]) -> None:
    """Raw bytes are signed, not what they mean as JSON."""
    with pytest.raises(SignatureError) as caught:
        verify(scheme, [SECRET], headers, BODY.replace(b" ", b""), NOW)
    assert caught.value.reason == "wrong"


@pytest.mark.parametrize(("scheme", "headers"), GOOD)
def test_a_header_that_is_missing_is_named(scheme: Scheme, headers: dict[str, str]) -> None:
    """Each one that the scheme needs."""
    for name in headers:
        less = {key: value for key, value in headers.items() if key != name}
        with pytest.raises(SignatureError) as caught:
            verify(scheme, [SECRET], less, BODY, NOW)
        assert caught.value.reason == "missing"


@pytest.mark.parametrize("shift_s", [-301, 301])
def test_an_old_request_is_refused(shift_s: int) -> None:
    """And one from the future; five minutes are tolerated."""
    for scheme, headers in (
        (Standard(), standard(SECRET.encode(), BODY)),
        (SLACK, slack(SECRET, BODY)),
    ):
        verify(scheme, [SECRET], headers, BODY, NOW + 300)
        with pytest.raises(SignatureError) as caught:
            verify(scheme, [SECRET], headers, BODY, NOW + shift_s)
        assert caught.value.reason == "stale"


def test_the_time_of_a_request_is_signed_as_well() -> None:
    """A replay with a new timestamp has the wrong signature."""
    for scheme, headers, name in (
        (Standard(), standard(SECRET.encode(), BODY, NOW - 900), "webhook-timestamp"),
        (SLACK, slack(SECRET, BODY, NOW - 900), "x-slack-request-timestamp"),
    ):
        with pytest.raises(SignatureError) as caught:
            verify(scheme, [SECRET], {**headers, name: str(NOW)}, BODY, NOW)
        assert caught.value.reason == "wrong"


def test_github_signs_as_its_documentation_shows() -> None:
    """Its own example."""
    signature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"x-hub-signature-256": f"sha256={signature}"}
    verify(GitHub(), [SECRET], headers, b"Hello, World!", NOW)


def test_standard_webhooks_sign_as_their_documentation_shows() -> None:
    """The example of the specification, whose secret is base64."""
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    verify(Standard(), [secret], headers, body, 1_614_265_330)
    several = f"v1a,AAAA v1,{'A' * 43}= {headers['webhook-signature']}"
    verify(Standard(), [secret], {**headers, "webhook-signature": several}, body, 1_614_265_330)
    broken = f"v1,A {headers['webhook-signature']}"
    verify(Standard(), [secret], {**headers, "webhook-signature": broken}, body, 1_614_265_330)
    with pytest.raises(SignatureError, match="isn't base64"):
        verify(Standard(), ["whsec_!"], headers, body, 1_614_265_330)


@pytest.mark.parametrize(
    ("scheme", "headers"),
    [
        (GitHub(), {"x-hub-signature-256": "sha1=00"}),
        (GitHub(), {"x-hub-signature-256": "sha256=xyz"}),
        (Standard(), {**standard(b"a", BODY), "webhook-signature": "v2,AAAA"}),
        (Standard(), {**standard(b"a", BODY), "webhook-signature": "v1,é"}),
        (Hmac(header="X-Sign", encoding="base64"), {"x-sign": "*"}),
        (SLACK, {**slack("a", BODY), "x-slack-signature": "v1=00"}),
    ],
)
def test_a_malformed_signature_is_told_by_its_header(
    scheme: Scheme, headers: dict[str, str]
) -> None:
    """With the form that it takes, and without its value."""
    with pytest.raises(SignatureError) as caught:
        verify(scheme, [SECRET], headers, BODY, NOW)
    assert caught.value.reason == "malformed"
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("sent_at", ["", "soon", "1e9", "9" * 30, "-5", "١٢٣"])
def test_a_timestamp_is_seconds(sent_at: str) -> None:
    """Anything else is refused, although it was signed."""
    signature = signed_hex(SECRET, f"v0:{sent_at}:".encode() + BODY)
    headers = {"x-slack-signature": f"v0={signature}", "x-slack-request-timestamp": sent_at}
    with pytest.raises(SignatureError) as caught:
        verify(SLACK, [SECRET], headers, BODY, NOW)
    assert caught.value.reason in ("missing", "malformed")


def test_a_body_is_never_a_placeholder() -> None:
    """One that holds {timestamp} is signed as it is."""
    body = b"{timestamp}{body}"
    verify(SLACK, [SECRET], slack(SECRET, body), body, NOW)


def test_a_second_delivery_is_told_by_the_senders_id() -> None:
    """Of those senders that have one."""
    assert delivery_id(Standard(), {"webhook-id": "msg_1"}) == "msg_1"
    assert delivery_id(GitHub(), {"x-github-delivery": "7"}) == "7"
    assert delivery_id(Token(), {"webhook-id": "msg_1"}) is None


schemes = st.sampled_from([Token(), GitHub(), Standard(), SLACK])
header_names = st.sampled_from([name for _, headers in GOOD for name in headers])


@given(schemes, st.dictionaries(header_names, st.text(max_size=30)), st.binary(max_size=30))
def test_no_request_of_a_stranger_is_let_in(
    scheme: Scheme, headers: dict[str, str], body: bytes
) -> None:
    """Whatever its headers hold, and no other error comes out."""
    with pytest.raises(SignatureError):
        verify(scheme, [SECRET], headers, body, NOW)
