"""The core pack's small actions and those on files."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.actions.core.atomic_file import new_file
from fanwise.actions.core.basic import do_nothing, give_back, give_up, wait
from fanwise.actions.core.read_file import read
from fanwise.actions.core.write_file import write
from fanwise.actions.decorator import spec_of
from fanwise.errors import ActionError, InputError


def error_of(function: Any, *given: Any, **named: Any) -> ActionError:
    with pytest.raises(ActionError) as caught:
        function(*given, **named)
    assert "\n" not in str(caught.value)
    return caught.value


class TestSmall:
    def test_echo(self) -> None:
        """core.echo gives back what it gets."""
        assert asyncio.run(give_back(a=1, b=[2])) == {"a": 1, "b": [2]}

    def test_noop(self) -> None:
        """core.noop results in null."""
        assert asyncio.run(do_nothing()) is None  # type: ignore[func-returns-value]

    def test_sleep_takes_a_duration(self) -> None:
        """As a number of seconds or as text, and none that is negative."""
        asyncio.run(wait(0))
        spec = spec_of(wait)
        assert spec is not None
        check = spec.fields["seconds"].check
        assert check is not None
        assert [check(value) for value in (0, 2.5, "1m30s")] == [0.0, 2.5, 90.0]
        for value in (-1, "soon", None, True):
            with pytest.raises(InputError, match=r'"seconds" of core\.sleep must be a duration'):
                check(value)

    def test_fail(self) -> None:
        """core.fail fails as it is told to."""
        with pytest.raises(ActionError) as caught:
            asyncio.run(give_up("no stock", type="Empty", data={"n": 0}, retry=True))
        error = caught.value
        assert (str(error), error.type, error.data) == ("no stock", "Empty", {"n": 0})
        assert error.retryable


class TestRead:
    def test_formats(self, tmp_path: Path) -> None:
        """A file is read as text, lines or JSON."""
        path = tmp_path / "a.txt"
        path.write_bytes(b"\xef\xbb\xbf[1,\r\n2]\n")
        assert read(str(path)) == "[1,\r\n2]\n"
        assert read(str(path), format="lines") == ["[1,", "2]"]
        assert read(str(path), format="json") == [1, 2]
        path.write_bytes("é".encode("latin-1"))
        assert read(str(path), encoding="latin-1") == "é"

    def test_a_bound_far_above_the_file_takes_no_memory(self, tmp_path: Path) -> None:
        """A file is read up to its end; the largest bound there is reserves nothing."""
        path = tmp_path / "long.txt"
        path.write_text("x" * 3_000_000)
        assert len(read(str(path), max_bytes=10**15)) == 3_000_000
        assert error_of(read, str(path), max_bytes=2_999_999).type == "TooLarge"

    @given(st.binary(), st.integers(1, 9))
    @settings(deadline=None)
    def test_any_bytes_go_through_base64(
        self, tmp_path_factory: Any, content: bytes, line: int
    ) -> None:
        """What is read as Base64 is written again byte by byte, also if its lines were broken."""
        path = tmp_path_factory.getbasetemp() / "bytes"
        path.write_bytes(content)
        text = read(str(path), encoding="base64")
        broken = "\n".join(text[at : at + line] for at in range(0, len(text), line))
        path.unlink()
        assert write(str(path), broken, encoding="base64")["bytes"] == len(content)
        assert path.read_bytes() == content

    @pytest.mark.parametrize("content", ["a", "a===", "é", "%%%%", {"a": 1}, None])
    def test_what_is_no_base64_is_not_written(self, tmp_path: Path, content: Any) -> None:
        """No file is made of it."""
        error = error_of(write, str(tmp_path / "f"), content, encoding="base64")
        assert (error.type, list(tmp_path.iterdir())) == ("BadEncoding", [])

    @pytest.mark.parametrize(
        ("content", "named", "kind"),
        [
            (b"[1]", {"encoding": "base64", "format": "json"}, "BadEncoding"),
            (b"\xff", {}, "BadEncoding"),
            (b"a\0b", {}, "BadEncoding"),
            (b"a", {"encoding": "klingon"}, "BadEncoding"),
            (b"{", {"format": "json"}, "BadJson"),
            (b"[" * 100_000, {"format": "json"}, "BadJson"),
            (b"12345", {"max_bytes": 4}, "TooLarge"),
        ],
    )
    def test_content_that_cannot_be_read(
        self, tmp_path: Path, content: bytes, named: dict[str, Any], kind: str
    ) -> None:
        """Each kind of bad content has its error type, and isn't retried."""
        path = tmp_path / "a.txt"
        path.write_bytes(content)
        error = error_of(read, str(path), **named)
        assert error.type == kind
        assert not error.retryable

    @pytest.mark.parametrize("content", [b"\xff", b"a\0b"])
    def test_what_is_no_text_is_told_how_to_be_read(self, tmp_path: Path, content: bytes) -> None:
        """Bytes are read as Base64."""
        path = tmp_path / "a.bin"
        path.write_bytes(content)
        message = str(error_of(read, str(path)))
        assert message.endswith("Name its encoding, or base64 for its bytes.")

    def test_a_file_of_just_the_bound_is_read(self, tmp_path: Path) -> None:
        """max_bytes itself is allowed."""
        path = tmp_path / "a.txt"
        path.write_text("1234")
        assert read(str(path), max_bytes=4) == "1234"

    def test_an_endless_file_is_too_large(self) -> None:
        """A device that never ends is read up to the bound."""
        assert error_of(read, "/dev/zero", max_bytes=1000).type == "TooLarge"

    def test_files_that_cannot_be_opened(self, tmp_path: Path) -> None:
        """Missing files and folders are typed errors that carry the path as data only."""
        missing = str(tmp_path / "secret")
        error = error_of(read, missing)
        assert (error.type, error.data) == ("NotFound", {"path": missing})
        assert missing not in str(error)
        assert error_of(read, str(tmp_path)).type == "IsDirectory"


class TestWrite:
    def test_text_and_json(self, tmp_path: Path) -> None:
        """Text is written as it is, any other value as JSON; missing folders are made."""
        path = tmp_path / "new/deep/a.txt"
        assert write(str(path), "é\r\n") == {"path": str(path), "bytes": 4}
        assert path.read_bytes() == "é\r\n".encode()
        write(str(path), {"a": [1]})
        assert json.loads(path.read_text()) == {"a": [1]}

    def test_append_and_create(self, tmp_path: Path) -> None:
        """Append adds; create refuses to write twice and leaves what is there."""
        path = tmp_path / "a.txt"
        write(str(path), "one", mode="create")
        write(str(path), "two", mode="append")
        assert error_of(write, str(path), "three", mode="create").type == "Exists"
        assert path.read_text() == "onetwo"
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize(("mode", "kind"), [("overwrite", "IsDirectory"), ("create", "Exists")])
    def test_nothing_is_left_beside_the_file(self, tmp_path: Path, mode: Any, kind: str) -> None:
        """A write that fails leaves no other file."""
        folder = tmp_path / "a"
        folder.mkdir()
        assert error_of(write, str(folder), "x", mode=mode).type == kind
        assert list(tmp_path.iterdir()) == [folder]

    def test_permissions_and_links_stay(self, tmp_path: Path) -> None:
        """Overwriting keeps the file's permissions, and writes through a symbolic link."""
        path, link = tmp_path / "a.txt", tmp_path / "link"
        path.write_text("old")
        path.chmod(0o640)
        link.symlink_to(path)
        write(str(link), "new")
        assert link.is_symlink()
        assert path.read_text() == "new"
        assert stat.S_IMODE(path.stat().st_mode) == 0o640

    def test_a_new_file_gets_the_permissions_of_the_umask(self, tmp_path: Path) -> None:
        """A new file is as readable as any other that the user makes."""
        write(str(tmp_path / "a"), "x")
        (tmp_path / "b").write_text("x")
        assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode

    def test_a_pipe_is_written_to_and_not_replaced(self, tmp_path: Path) -> None:
        """Pipes and devices stay what they are."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        write(str(pipe), "x")
        assert os.read(reader, 10) == b"x"
        os.close(reader)
        assert pipe.is_fifo()

    def test_files_that_cannot_be_written(self, tmp_path: Path) -> None:
        """What can't be written is a typed error."""
        assert error_of(write, str(tmp_path / "no/a"), "x", parents=False).type == "NotFound"
        assert error_of(write, str(tmp_path / "a"), "é", encoding="ascii").type == "BadEncoding"


class TestNewFiles:
    def test_every_name_that_the_file_system_takes_can_be_written(self, tmp_path: Path) -> None:
        """The temporary file beside it has a short name."""
        path = tmp_path / ("ü" * 127)  # 254 bytes
        write(str(path), "x")
        assert path.read_text() == "x"

    def test_a_private_file_is_private_while_it_is_written(self, tmp_path: Path) -> None:
        """The new content has the old file's rights before its first byte."""
        path = tmp_path / "private"
        path.touch(mode=0o600)
        with new_file(path) as file:
            (other,) = [each for each in tmp_path.iterdir() if each != path]
            assert other.stat().st_mode & 0o777 == 0o600
            path.chmod(0o640)
            file.write(b"x")
        assert path.read_text() == "x"

    def test_a_file_keeps_its_rights(self, tmp_path: Path) -> None:
        """Those of a new one are the usual ones."""
        path = tmp_path / "script"
        write(str(path), "x")
        assert path.stat().st_mode & 0o777 == 0o666 & ~umask()
        path.chmod(0o750)
        write(str(path), "y")
        assert path.stat().st_mode & 0o777 == 0o750


def umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now
