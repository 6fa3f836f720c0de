"""By its stamp a file is known to have changed, and what a stamp doesn't notice is known, too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanwise.errors import AttemptError
from fanwise.sources import stamp

BLOCK = 4096
SAMPLED_WHOLE = 64 * BLOCK
WRITTEN_AT = 1_753_000_000.25


def write(path: Path, content: bytes, at: float = WRITTEN_AT) -> None:
    path.write_bytes(content)
    os.utime(path, (at, at))


def test_a_file_that_nobody_touches_keeps_its_stamp(tmp_path) -> None:
    """Also under another name, since names aren't part of it."""
    path = tmp_path / "a.csv"
    write(path, b"id\n1\n2\n")
    before = stamp("csv", str(path))
    assert before is not None
    assert (before.size_bytes, before.modified_at) == (7, WRITTEN_AT)
    assert stamp("csv", str(path)) == before
    path.rename(tmp_path / "b.csv")
    assert stamp("csv", str(tmp_path / "b.csv")) == before


def test_a_file_is_noticed_to_be_longer_or_written_later(tmp_path) -> None:
    """A line at its end, or the same content once more."""
    path = tmp_path / "a.csv"
    write(path, b"id\n1\n2\n")
    before = stamp("csv", str(path))
    write(path, b"id\n1\n2\n3\n")
    longer = stamp("csv", str(path))
    write(path, b"id\n1\n2\n", at=WRITTEN_AT + 0.001)
    assert len({before, longer, stamp("csv", str(path))}) == 3


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(1, 3 * BLOCK) | st.integers(1, SAMPLED_WHOLE), st.data())
def test_any_change_of_a_small_file_is_noticed(tmp_path, size: int, data: st.DataObject) -> None:
    """Up to 64 blocks of 4 KB, although its size and its time are as they were."""
    path, content = tmp_path / "a", bytearray(size)
    write(path, content)
    before = stamp("csv", str(path))
    content[data.draw(st.integers(0, size - 1))] ^= 1
    write(path, content)
    assert stamp("csv", str(path)) != before


def test_of_a_large_file_changes_are_noticed_in_a_sample_of_its_blocks(tmp_path) -> None:
    """The first and the last block are in it; what changes between two of them isn't noticed."""
    path, size = tmp_path / "a", 2 * SAMPLED_WHOLE
    write(path, bytes(size))
    before = stamp("csv", str(path))

    def is_noticed(at: int) -> bool:
        content = bytearray(size)
        content[at] = 1
        write(path, content)
        return stamp("csv", str(path)) != before

    assert is_noticed(0)
    assert is_noticed(size - 1)
    noticed = sum(is_noticed(at) for at in range(BLOCK // 2, size, BLOCK))
    assert 60 <= noticed < size // BLOCK


def test_an_empty_file_has_a_stamp(tmp_path) -> None:
    """It has no blocks, and may be longer the next time."""
    write(tmp_path / "a", b"")
    empty = stamp("csv", str(tmp_path / "a"))
    assert empty is not None
    assert empty.size_bytes == 0


def test_what_is_read_only_once_has_no_stamp(tmp_path) -> None:
    """A pipe; it isn't opened, since that would wait for whoever writes it."""
    os.mkfifo(tmp_path / "pipe")
    assert stamp("csv", str(tmp_path / "pipe")) is None


def test_a_file_that_is_gone_is_an_error_that_names_it(tmp_path) -> None:
    """As when its items are read."""
    with pytest.raises(AttemptError, match=f"{tmp_path}/a.*(not exist|[Nn]o such)"):
        stamp("csv", str(tmp_path / "a"))
