"""The messages that core.email composes, whatever text it is given."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fanwise.actions.core.email_addresses import parse_mailboxes
from fanwise.actions.core.email_message import Message, make_envelope, make_message
from fanwise.errors import ActionError

HOSTILE = [
    "=?utf-8?q?a=0D=0ABcc=3A_b=40example.org?= " + "x" * 100,
    "=?utf-8?b?DQpCY2M6IGJAZXhhbXBsZS5vcmc=?=",
    'a" <b@example.org>, "c',
    "a\\",
    ",;:()[]@" * 30,
    "é" * 1_000,
    "x" * 2_000,
    " x " * 500,
]
TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300),
)
NAMES = ["Content-Type", "MIME-Version", "Content-Transfer-Encoding"]
NAMES += ["From", "To", "Subject", "Date", "Message-ID", "X-Note"]


def compose(name: str, subject: str, text: str) -> Message:
    envelope = make_envelope(
        sender="news@example.org",
        to=f"{name} <ada@example.org>",
        cc=None,
        bcc=None,
        reply_to=None,
    )
    return make_message(
        envelope,
        subject=subject,
        text=text,
        html=None,
        headers={"X-Note": subject},
        attachments=[],
        max_bytes=0,
        key="run/send[1]/1",
    )


@settings(deadline=None)
@given(name=TEXTS, subject=TEXTS, text=TEXTS)
@example(name=HOSTILE[0], subject=HOSTILE[0], text="\n\nBcc: b@example.org\n\n.")
def test_no_text_adds_a_header_or_a_recipient(name: str, subject: str, text: str) -> None:
    """What is composed has the headers that it should, in lines that every server takes."""
    try:
        message = compose(name, subject, text)
    except ActionError:  # it holds a line break, say
        return
    assert message.recipients == ["ada@example.org"]
    head, _, _ = message.content.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0].decode() for line in re.split(rb"\r\n(?![ \t])", head)]
    assert sorted(names) == sorted(NAMES)
    assert message.content.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", message.content)
    assert max(map(len, message.content.split(b"\r\n"))) <= 998


@settings(deadline=None)
@given(words=st.lists(st.text("aé=?_x7Ж", min_size=1, max_size=40), max_size=30))
def test_subject_and_text_arrive_as_they_are(words: list[str]) -> None:
    """A reader sees the letters that were sent, however long the lines are."""
    subject = " ".join(words)
    if "=?" in subject:  # which a reader takes for an encoded word
        return
    lines = subject.replace(" x", "\n.x")
    content = compose("Ada", subject, lines).content.replace(b"\r\n", b"\n")
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert str(message["Subject"]) == subject
    assert message.get_content().removesuffix("\n") == lines.removesuffix("\n")


@pytest.mark.parametrize(
    ("written", "name", "address"),
    [
        ("ada@example.org", "", "ada@example.org"),
        (" <ada+news@example.org> ", "", "ada+news@example.org"),
        ("Ada <ada@example.org>", "Ada", "ada@example.org"),
        ('"Lovelace, Ada" <ada@example.org>', "Lovelace, Ada", "ada@example.org"),
        ("Zoë <zoe@bücher.example>", "Zoë", "zoe@xn--bcher-kva.example"),
        ("root@localhost", "", "root@localhost"),
    ],
)
def test_an_address_is_read_with_its_name(written: str, name: str, address: str) -> None:
    """With or without one; domains become what servers understand."""
    assert parse_mailboxes("to", written) == [(name, address)]
