"""Sources that needn't make the items that are done."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.bitmap import Bitmap
from fanwise.model import ErrorInfo, Limits
from fanwise.sources import open_source

_LIMITS = Limits(item_bytes=20)
_LINES = st.sampled_from(['{"a": 1}', "[2]", "", "  ", "no JSON", "3", '"' + 30 * "x" + '"'])


def read(file: Path, kind: str, done: Bitmap | None) -> list[Any]:
    async def items() -> list[Any]:
        source, found = open_source(kind, str(file), _LIMITS, done=done), []
        while chunk := await source.read():
            found += chunk
        source.close()
        return found

    return asyncio.run(items())


@given(
    st.sampled_from(["jsonl", "lines", "csv"]),
    st.lists(_LINES, max_size=40),
    st.sets(st.integers(0, 40)),
)
@settings(deadline=None)
def test_what_is_wanted_keeps_its_place_whatever_is_done(
    kind: str, lines: list[str], done: set[int]
) -> None:
    """Empty lines have no index, malformed and overlong ones have."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "items"
        file.write_text("\n".join(["name", *lines]))
        everything, wanted = read(file, kind, None), read(file, kind, Bitmap(done))
    assert len(wanted) == len(everything)
    assert [each for index, each in enumerate(wanted) if index not in done] == [
        each for index, each in enumerate(everything) if index not in done
    ]
    if kind == "jsonl":  # where it takes time to make an item
        made = [wanted[index] for index in done if index < len(wanted)]
        assert all(each is None or isinstance(each, ErrorInfo) for each in made)
