"""Shapes of messages: what may differ between items is a place, and all else stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.shapes import MESSAGE_LENGTH, agreed, shown, split

messages = st.text(st.sampled_from("ab 1.7'\":/-x\n\0é") | st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("took 12 ms", "took 7.5 ms"),
        ("no server 'a b'", "no server 'c'"),
        ('no server "a"', 'no server "it\'s"'),
        ("GET https://a.example/x?y=1 failed", "GET http://b/z failed"),
        ("id 6fa459ea-ee8a-3ca4-894e-db77e160355e", "id 16fd2706-8baf-433b-82eb-8c7fada847da"),
        ("at 0x7f3a", "at 0xdeadbeef"),
        ("commit 9fceb02d", "commit 1a2b3c4d5e"),
        ("server web-01 down", "server web-2 down"),
        ("two  lines\nhere", "two lines here"),
    ],
)
def test_messages_that_differ_in_values_have_one_shape(one: str, other: str) -> None:
    """Numbers, quoted text, addresses and ids are places."""
    assert split(one)[0] == split(other)[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("not found", "not allowed"),
        ("it can't start", "it doesn't start"),
        ("decade", "facade"),
        ("status 404", "status 500"),
        ("exit code 1", "exit code 2"),
        ("N", "1"),
    ],
)
def test_messages_that_say_different_things_have_different_shapes(one: str, other: str) -> None:
    """Words are kept, also those with an apostrophe or of hexadecimal letters; and statuses."""
    assert split(one)[0] != split(other)[0]


@given(messages)
def test_a_shape_with_its_parts_is_the_message(message: str) -> None:
    """In one line, and no longer than the bound; without parts it has words in their places."""
    shape, parts = split(message)
    text = " ".join(message[:MESSAGE_LENGTH].replace("\0", "").split())
    assert shown(shape, parts) == text
    assert len(shape) == 2 * len(parts) + 1
    assert split(text) == (shape, parts)


@given(st.lists(messages, min_size=1, max_size=4))
def test_parts_agree_whatever_the_order(found: list[str]) -> None:
    """A text stays in its place only if all messages have it there."""
    parts = [
        split(f"port {len(message)} of '{'a' * len(message)}' is shut")[1] for message in found
    ]
    forth, back = parts[0], parts[-1]
    for each in parts:
        forth = agreed(forth, each)
    for each in reversed(parts):
        back = agreed(back, each)
    assert forth == back
    assert (None in forth) == (len(set(parts)) > 1)


def test_only_what_differs_is_a_word() -> None:
    """The port is the same everywhere, so it is told."""
    (shape, one), (_, other) = split("port 80 of 'a'"), split("port 80 of 'b'")
    assert shown(shape, agreed(one, other)) == "port 80 of TEXT"
