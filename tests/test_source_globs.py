"""Files as items: those that match, each once, in an order that every process sees."""

from __future__ import annotations

import asyncio
import glob
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.errors import AttemptError, LimitError
from fanwise.model import Limits
from fanwise.sources import FilesSource, open_source, stamp
from fanwise.sources.globs import matching

LIMITS = Limits()
NAMES = st.sampled_from(["a", "b", "a.x", "a-x", ".h", "[a]"])
SEGMENTS = st.sampled_from(["a", "*", "?", "**", "*.x", "[ab]", "[!a]", ".*", "a*"])


def make(folder: Path, *files: str) -> None:
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)


def read(pattern: str, limits: Limits = LIMITS) -> tuple[list[Any], list[str]]:
    """The items of a pattern, and the notices of its source."""
    notices: list[str] = []

    async def main() -> list[Any]:
        source = open_source("files", pattern, limits, notice=notices.append)
        items: list[Any] = []
        while chunk := await source.read():
            items += chunk
        assert source.total == len(items)
        source.close()
        return items

    return asyncio.run(main()), notices


@given(st.sets(st.lists(NAMES, min_size=1, max_size=3).map(tuple)), st.lists(SEGMENTS, min_size=1))
@settings(deadline=None)
def test_it_finds_what_pythons_glob_finds(paths: set[tuple[str, ...]], segments: list[str]) -> None:
    """Each file that matches comes once, sorted by the bytes of its path."""
    with TemporaryDirectory() as folder:
        for path in paths:
            file = Path(folder, *path)
            if not any(parent.is_file() for parent in file.parents) and not file.exists():
                make(Path(folder), "/".join(path))
        pattern = "/".join([folder, *segments])
        found = glob.glob(pattern, recursive=True)  # noqa: PTH207 - the reference
        wanted = sorted({path for path in found if Path(path).is_file()}, key=os.fsencode)
        try:
            assert list(matching(pattern)) == wanted
        except AttemptError:  # a folder that the pattern names isn't there
            assert not wanted


def test_an_item_says_what_a_file_is(tmp_path: Path) -> None:
    """Its path is absolute; `relative` begins where the pattern does, so that it can be kept."""
    make(tmp_path, "data/x.txt", "data/2026/b.tar.gz", "data/a.csv")
    os.utime(tmp_path / "data/2026/b.tar.gz", (1e9, 1e9))
    items, notices = read(f"{tmp_path}/data/**/*.*")
    assert [item["relative"] for item in items] == ["2026/b.tar.gz", "a.csv", "x.txt"]
    assert items[0] == {
        "path": f"{tmp_path}/data/2026/b.tar.gz",
        "relative": "2026/b.tar.gz",
        "name": "b.tar.gz",
        "stem": "b.tar",
        "size": 18,
        "modified_at": "2001-09-09T01:46:40.000+00:00",
    }
    assert not notices
    assert read(f"{tmp_path}/data/a.csv")[0][0]["relative"] == "a.csv"


def test_no_file_is_noticed_and_no_folder_is_an_error(tmp_path: Path) -> None:
    """A job without work succeeds; a folder with a slip in its name doesn't."""
    items, (notice,) = read(f"{tmp_path}/*.csv")
    assert not items
    assert notice == f"no file matches {tmp_path}/*.csv."
    with pytest.raises(AttemptError, match="dta can't be read: there is no such"):
        read(f"{tmp_path}/dta/*.csv")


def test_links_are_followed_but_no_circle(tmp_path: Path) -> None:
    """A link to a file is a file; `**` goes through no link, so a tree has an end."""
    make(tmp_path, "real/a")
    (tmp_path / "real/again").symlink_to(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real/a")
    (tmp_path / "dead").symlink_to(tmp_path / "nothing")
    assert [item["relative"] for item in read(f"{tmp_path}/**")[0]] == ["link", "real/a"]
    assert [item["relative"] for item in read(f"{tmp_path}/*/*/*")[0]] == ["real/again/a"]


def test_a_name_that_is_no_text_fails_its_item(tmp_path: Path) -> None:
    """No message holds bytes that can't be shown."""
    (tmp_path / "a").touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).touch()
    (_, bad), _ = read(f"{tmp_path}/*")
    assert bad.type == "BadName"
    assert "\\udcff" in bad.message


def test_a_file_that_is_gone_fails_its_item(tmp_path: Path) -> None:
    """It was there when the files were listed."""
    make(tmp_path, *(f"{number:04}" for number in range(1_500)))

    async def main() -> Any:
        source = FilesSource(f"{tmp_path}/*", Limits())
        await source.read()
        (tmp_path / "1400").unlink()
        return [*await source.read()]

    gone = asyncio.run(main())[-100]
    assert (gone.type, str(tmp_path / "1400") in gone.message) == ("NotFound", True)


def test_the_list_of_files_has_a_bound(tmp_path: Path) -> None:
    """The error names the pattern and the setting."""
    make(tmp_path, "a", "b", "c")
    with pytest.raises(LimitError, match=r"have more than 50 bytes.*limits.input_bytes"):
        read(f"{tmp_path}/{'*'}", Limits(input_bytes=50))


def test_the_stamp_of_files_is_that_of_their_names(tmp_path: Path) -> None:
    """Items may write into their files; a file more or less is a change."""
    make(tmp_path, "a", "b")
    before = stamp("files", f"{tmp_path}/*")
    (tmp_path / "a").write_text("changed")
    assert stamp("files", f"{tmp_path}/*") == before
    (tmp_path / "c").touch()
    assert stamp("files", f"{tmp_path}/*") != before
