"""A secret is found in whatever form it is written on."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fanwise.engine.masking import MASK, Masker
from fanwise.errors import Excerpt

KEY = 'p@ss w/rd+"q"&=ä\\\'%41'
PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\n  QDb7aVfJ4mK1x8cZ\nab\n-----END KEY-----"

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON with slashes escaped": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "a query": quote_plus,
    "a path": lambda text: quote(text, safe=""),
    "a path in small letters": lambda text: quote(text, safe="/@+:").replace("%C3", "%c3"),
    "Python": lambda text: repr(text)[1:-1],
    "ascii": lambda text: ascii(text)[1:-1],
    "HTML": html.escape,
    "HTML by numbers": lambda text: html.escape(text, quote=False).replace('"', "&#34;"),
}

secrets = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("\"'\\/+%&= \n\tä")),
    min_size=1,
    max_size=30,
).filter(lambda secret: secret.strip() and secret != MASK)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@given(secret=secrets, before=st.text(max_size=5), after=st.text(max_size=5))
def test_no_form_of_a_secret_is_left(
    form: Callable[[str], str], secret: str, before: str, after: str
) -> None:
    """Whatever stands around it."""
    written = form(secret)
    masked = Masker([secret]).text(f"{before}<{written}>{after}")
    assert MASK in masked
    assert f"<{written}>" not in masked


@given(
    secret=st.text(st.characters(codec="utf-8"), min_size=6, max_size=30).filter(str.strip),
    before=st.binary(max_size=10),
    after=st.binary(max_size=10),
    encode=st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
)
@example(secret="12345 ", before=b"", after=b"", encode=base64.b64encode)
def test_a_secret_is_found_in_base64(
    secret: str, before: bytes, after: bytes, encode: Callable[[bytes], bytes]
) -> None:
    """As in basic authentication, wherever it lies among the bytes."""
    text = encode(before + secret.encode() + after).decode()
    masked = Masker([secret]).text(f"Authorization: Basic {text}")
    assert MASK in masked
    assert text.strip("=") not in masked


def test_each_line_of_a_secret_is_one() -> None:
    """But for the frame of a key and lines too short to mean anything."""
    masker = Masker([PEM])
    for line in ("MIIEvQIBADANBgkq", "QDb7aVfJ4mK1x8cZ"):
        assert masker.text(f"key: {line}") == f"key: {MASK}"
    assert masker.text("-----BEGIN KEY-----") == "-----BEGIN KEY-----"
    assert masker.text("ab") == "ab"
    assert masker.text(" ".join(PEM.split())) == MASK


def test_an_excerpt_is_cut_after_it_is_masked() -> None:
    """Of a secret that lies across the cut nothing is left, at either end."""
    secret = "LONGSECRETabcdefghijklmnopqrstuvwxyz0123456789"
    masker = Masker([secret])
    head = Excerpt("x" * 470 + secret + "y" * 90, 500)
    tail = Excerpt("x" * 90 + secret + "y" * 470, 500, from_end=True)
    assert (len(head), len(tail)) == (500, 500)
    assert masker.mask({"head": head, "tail": [tail]}) == {
        "head": "x" * 470 + MASK + "y" * 27,
        "tail": ["x" * 27 + MASK + "y" * 470],
    }
    assert Masker([]).mask(head) == "x" * 470 + secret[:30]


def test_json_text_is_looked_through_as_it_is() -> None:
    """A secret that JSON escapes is found there as well."""
    masker = Masker([KEY])
    assert masker.holds_none(b'{"a": "hello"}')
    assert not masker.holds_none(json.dumps({"a": [KEY]}).encode())
    assert not masker.holds_none(json.dumps({KEY: 1}, ensure_ascii=False).encode())
    assert Masker([]).holds_none(json.dumps(KEY).encode())


def test_an_excerpt_is_plain_text_also_in_a_run_without_secrets() -> None:
    """It can be recorded then: JSON knows no excerpts."""
    (masked,) = Masker([]).mask([Excerpt("x" * 9, 5)])
    assert (type(masked), masked) == (str, "xxxxx")
