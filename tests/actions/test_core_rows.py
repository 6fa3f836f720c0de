"""core.write_csv and core.write_jsonl: rows of any number, whole files."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.actions.core.write_rows import write_csv, write_jsonl
from fanwise.actions.decorator import spec_of
from fanwise.catalog import Elements
from fanwise.errors import ActionError, InputError
from fanwise.model import Limits
from fanwise.sources import open_source
from fanwise.values import freeze

KEYS = st.lists(st.text(st.sampled_from('ab;"\n'), min_size=1), min_size=1, unique=True)
TEXTS = st.text(st.sampled_from('a,;"\r\n\té|'), max_size=6)


def items(path: Path, kind: str, **options: Any) -> list[Any]:
    """What `with-items` makes of a file."""

    async def main() -> list[Any]:
        source, found = open_source(kind, str(path), Limits(), options=options), []
        while chunk := await source.read():
            found += chunk
        source.close()
        return found

    return asyncio.run(main())


def error_of(path: Path, rows: Any, **options: Any) -> ActionError:
    with pytest.raises(ActionError) as caught:
        write_csv(str(path), rows, **options)
    assert "\n" not in str(caught.value)
    assert not caught.value.retryable
    assert not list(path.parent.iterdir())
    return caught.value


@given(
    KEYS.flatmap(lambda keys: st.lists(st.fixed_dictionaries(dict.fromkeys(keys, TEXTS)))),
    st.sampled_from([",", ";", "tab", "|", "."]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
@settings(deadline=None)
def test_what_is_written_is_read_back(
    tmp_path_factory: Any, rows: list[dict[str, str]], delimiter: str, encoding: str
) -> None:
    """Whatever the names and the fields hold, the delimiter and the encoding are."""
    path = tmp_path_factory.getbasetemp() / "rows"
    given_ = freeze(rows)
    wrote = write_csv(str(path), given_, delimiter=delimiter, encoding=encoding)
    assert wrote == {"path": str(path), "rows": len(rows), "bytes": path.stat().st_size}
    assert items(path, "csv", delimiter=delimiter, encoding=encoding) == rows
    assert write_jsonl(str(path), given_)["rows"] == len(rows)
    assert items(path, "jsonl") == rows


def test_values_that_are_no_text(tmp_path: Path) -> None:
    """Null is nothing and no row, a map within a row is JSON; a key that is missing is nothing."""
    path = tmp_path / "new" / "f"
    rows = [None, {"a": 1.5, "b": None, "c": {"x": [1, "y"]}}, {"a": True}, None]
    assert write_csv(str(path), rows)["rows"] == 2
    assert path.read_text() == 'a,b,c\n1.5,,"{""x"":[1,""y""]}"\ntrue,,\n'
    assert write_jsonl(str(path), [None, 1, "é\n"]) == {"path": str(path), "rows": 3, "bytes": 14}
    assert [json.loads(line) for line in path.read_text().splitlines()] == [None, 1, "é\n"]


def test_columns_choose_and_name(tmp_path: Path) -> None:
    """Of maps they are the keys, of lists the names in the header; no rows have a header, too."""
    path = tmp_path / "f"
    write_csv(str(path), [{"a": 1, "b": 2, "c": 3}], columns=["c", "a", "z"])
    assert path.read_text() == "c,a,z\n3,1,\n"
    write_csv(str(path), [[1, 2], [3, 4]], columns=["x", "y"], delimiter=";")
    assert path.read_text() == "x;y\n1;2\n3;4\n"
    write_csv(str(path), [[1, 2], [3]])
    assert path.read_text() == "1,2\n3\n"
    write_csv(str(path), [{"a": 1}], header=False)
    assert path.read_text() == "1\n"
    write_csv(str(path), [], columns=["x", "y"])
    assert path.read_text() == "x,y\n"
    write_csv(str(path), [[""], [None]])
    assert path.read_text() == '""\n""\n'


@pytest.mark.parametrize(
    ("rows", "options", "type", "what"),
    [
        ([{"a": 1}, {"a": 2, "b": 3}], {}, "BadRow", "row 1 has a key that the first row hasn't"),
        ([{"a": 1}, [1]], {}, "BadRow", "row 1 isn't of the same kind"),
        ([[1], {"a": 1}], {}, "BadRow", "row 1 isn't of the same kind"),
        (["text"], {}, "BadRow", "row 0 isn't a map or a list"),
        ([[1, 2]], {"columns": ["a"]}, "BadRow", "row 0 has 2 fields, not 1"),
        ([], {"delimiter": "||"}, "BadRequest", "delimiter takes one character"),
        ([], {"encoding": "rot13"}, "BadEncoding", "no such name"),
        ([["é"]], {"encoding": "ascii"}, "BadEncoding", "can't be written in this encoding"),
    ],
)
def test_what_cant_be_written(
    tmp_path: Path, rows: Any, options: Any, type: str, what: str
) -> None:
    """The error names the row and not its values, and no file is made."""
    error = error_of(tmp_path / "f", rows, **options)
    assert (error.type, what in error.message) == (type, True)


def test_a_file_stays_as_it_was_if_its_rows_fail(tmp_path: Path) -> None:
    """The old file is there until the new one is whole; nothing else is left."""
    path = tmp_path / "f"
    path.write_text("old")

    def rows() -> Iterator[object]:
        yield [1]
        raise ActionError("no more")

    with pytest.raises(ActionError, match="no more"):
        write_csv(str(path), Elements(rows))
    assert (path.read_text(), [*tmp_path.iterdir()]) == ("old", [path])


@pytest.mark.parametrize("write", [write_csv, write_jsonl])
def test_memory_does_not_depend_on_the_number_of_rows(tmp_path: Path, write: Any) -> None:
    """A row is gone once it is written."""

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            write(str(tmp_path / "f"), Elements(lambda: iter({"a": n} for n in range(count))))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(100_000) < peak(20_000) + 100_000


def test_rows_are_a_list() -> None:
    """A text or a map is refused before anything is written."""
    spec = spec_of(write_csv)
    assert spec is not None
    check = spec.fields["rows"].check
    assert check is not None
    rows = freeze([1])
    assert check(rows) is rows
    for value in ("text", {"a": 1}, None, 5):
        with pytest.raises(InputError, match=r'"rows" of core\.write_csv must be a list'):
            check(value)


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    """Errors of the file system have the types of core.write_file."""
    (tmp_path / "f").touch()
    with pytest.raises(ActionError) as caught:
        write_jsonl(str(tmp_path / "f" / "g"), [])
    assert (caught.value.type, caught.value.data) == ("Exists", {"path": f"{tmp_path}/f/g"})
