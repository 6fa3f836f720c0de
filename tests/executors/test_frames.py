"""Messages between an engine and its workers, as bytes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.errors import Excerpt
from fanwise.executors.failures import decode_error, encode_error
from fanwise.executors.frames import (
    Attempts,
    Ended,
    Outcome,
    SentAttempt,
    Unframer,
    decode_from_worker,
    decode_to_worker,
    encode_message,
    framed,
)
from fanwise.model import ErrorInfo


@given(st.lists(st.binary(max_size=50)), st.integers(1, 20))
def test_a_stream_gives_its_messages_however_it_is_cut(messages: list[bytes], size: int) -> None:
    """In their order, each whole."""
    stream = b"".join(map(framed, messages))
    unframer = Unframer()
    parts = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [message for part in parts for message in unframer.feed(part)] == messages


def test_messages_come_back_as_they_were() -> None:
    """In both directions."""
    sent = Attempts(3, [SentAttempt(7, None, 1, b""), SentAttempt(8, 0, 2, b'{"a":1}')])
    assert decode_to_worker(encode_message(sent)) == sent
    back = Ended(3, [Outcome(7, 1.5, 0.25, b"[1]"), Outcome(8, 1.5, 0.25)])
    assert decode_from_worker(encode_message(back)) == back


def test_what_is_no_message_is_refused() -> None:
    """Bytes become these types or nothing."""
    for data in (b"", b"\x80", msgspec.msgpack.encode({"type": "close"}), b"cos\nsystem\n"):
        with pytest.raises(msgspec.DecodeError):
            decode_to_worker(data)


def test_an_excerpt_travels_with_the_text_around_it() -> None:
    """So that a secret across its end is still found; plain data is left as it is."""
    whole = Excerpt("the token is SECRET", 15)
    error = ErrorInfo("T", "m", {"stderr": [whole], "n": {"a": (1, None)}}, "trace")
    back = decode_error(encode_error(error))
    (excerpt,) = back.data["stderr"]
    assert isinstance(excerpt, Excerpt)
    assert (excerpt, excerpt.cut("the token is ***")) == ("the token is SE", "the token is **")
    assert back.data["n"] == {"a": [1, None]}
    assert (back.type, back.message, back.traceback) == ("T", "m", "trace")
