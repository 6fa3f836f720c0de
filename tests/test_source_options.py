"""The options of files: delimiters, headers, encodings."""

from __future__ import annotations

import asyncio
import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.errors import AttemptError
from fanwise.model import ErrorInfo, Limits
from fanwise.source_kinds import parse_delimiter, parse_encoding, parse_header
from fanwise.sources import open_source

NAMES = st.sampled_from(["latin-1", "windows-1252", "utf-16", "utf-16-le", "cp437", "shift_jis"])


def read(path: Path, content: bytes, kind: str = "csv", **options: Any) -> tuple[list[Any], list]:
    """The items of a file with this content, and the notices of its source."""
    path.write_bytes(content)
    notices: list[str] = []

    async def main() -> list[Any]:
        source = open_source(kind, str(path), Limits(), options=options, notice=notices.append)
        items: list[Any] = []
        while chunk := await source.read():
            items += chunk
        source.close()
        return items

    return asyncio.run(main()), notices


@pytest.mark.parametrize(
    ("delimiter", "written"), [(";", ";"), ("tab", "\t"), ("\t", "\t"), ("|", "|"), ("§", "§")]
)
def test_any_character_stands_between_fields(tmp_path: Path, delimiter: str, written: str) -> None:
    """Commas are text then, and the delimiter is text within quotes; nothing is noticed."""
    content = 'a;b\n1,5;"x;y"\n'.replace(";", written).encode()
    assert read(tmp_path / "f", content, delimiter=delimiter) == (
        [{"a": "1,5", "b": f"x{written}y"}],
        [],
    )


@given(
    st.lists(st.lists(st.text(st.sampled_from('a";\n'), max_size=5), min_size=2, max_size=2)),
    st.sampled_from([";", "\t", "|", "^", "]", "\\", "-", "."]),
)
@settings(deadline=None)
def test_it_reads_what_pythons_csv_module_writes(
    tmp_path_factory: Any, rows: list[list[str]], delimiter: str
) -> None:
    """Whatever the delimiter is and the fields hold, they come back."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([["x", "y"], *rows])
    items, _ = read(
        tmp_path_factory.getbasetemp() / "csv", text.getvalue().encode(), delimiter=delimiter
    )
    assert items == [{"x": x, "y": y} for x, y in rows]


@pytest.mark.parametrize(
    ("header", "remedy"),
    [("a;b", 'delimiter: ";"'), ("a\tb", "delimiter: tab"), ("a|b", 'delimiter: "|"')],
)
def test_a_file_that_looks_as_if_it_had_other_delimiters_is_noticed(
    tmp_path: Path, header: str, remedy: str
) -> None:
    """The notice names the file and the option; the items are the same without it."""
    items, (notice,) = read(tmp_path / "f", f"{header}\nx\ny\n".encode())
    assert items == [{header: "x"}, {header: "y"}]
    assert str(tmp_path / "f") in notice
    assert remedy in notice


@pytest.mark.parametrize("content", [b"a\n1;2\n", b"a;b,c\n1,2\n", b""])
def test_other_files_are_read_without_a_notice(tmp_path: Path, content: bytes) -> None:
    """Only a first line without a comma is doubted."""
    assert read(tmp_path / "f", content)[1] == []


def test_a_spreadsheets_first_line_names_the_delimiter(tmp_path: Path) -> None:
    """A line `sep=;` is no record, unless the workflow names the delimiter itself."""
    content = b"\xef\xbb\xbfsep=;\r\na;b\r\n1;2\r\n"
    assert read(tmp_path / "f", content) == ([{"a": "1", "b": "2"}], [])
    items, _ = read(tmp_path / "f", b"sep=;\n1,2\n", delimiter=",", header=False)
    assert items == [["sep=;"], ["1", "2"]]


def test_a_file_without_a_header(tmp_path: Path) -> None:
    """Its records are lists, or maps by the names that the workflow gives."""
    content = b"1,2\n3,4,5\n"
    assert read(tmp_path / "f", content, header=False)[0] == [["1", "2"], ["3", "4", "5"]]
    items, _ = read(tmp_path / "f", content, header=["a", "b"])
    assert items[0] == {"a": "1", "b": "2"}
    assert "has 3 fields, the header 2" in items[1].message


@given(st.lists(st.text(st.sampled_from("aZ09é\"'"), max_size=9)), NAMES)
@settings(deadline=None)
def test_text_of_any_encoding_is_read(
    tmp_path_factory: Any, lines: list[str], encoding: str
) -> None:
    """Lines that the encoding can hold come back, wherever a read ends."""
    lines = [line.encode(encoding, "ignore").decode(encoding) for line in lines]
    content = "".join(f"{line}\n" for line in lines).encode(encoding)
    path = tmp_path_factory.getbasetemp() / "lines"
    assert read(path, content, "lines", encoding=encoding)[0] == lines


def test_encodings_of_tables_and_json(tmp_path: Path) -> None:
    """A name is read as text in its encoding also where a line end's byte is part of a letter."""
    content = "name\tage\r\nOlé Ċ\t3\r\n".encode("utf-16")  # Ċ has the byte of a line feed
    items, _ = read(tmp_path / "f", content, delimiter="tab", encoding="utf-16")
    assert items == [{"name": "Olé Ċ", "age": "3"}]
    content = '{"a": "é"}\n'.encode("latin-1")
    assert read(tmp_path / "f", content, "jsonl", encoding="latin-1")[0] == [{"a": "é"}]


def test_bytes_that_are_no_text_fail_their_item_alone(tmp_path: Path) -> None:
    """The error names the encoding; without one it says how to name it."""
    items, _ = read(tmp_path / "f", b"a\n\x81\nb\n", "lines", encoding="windows-1252")
    assert (items[0], items[2]) == ("a", "b")
    assert items[1].type == "BadEncoding"
    assert items[1].message.endswith(":2: this isn't text in the encoding cp1252.")
    items, _ = read(tmp_path / "f", b'"\xe9"\n', "jsonl")
    assert isinstance(items[0], ErrorInfo)
    assert "encoding: windows-1252" in items[0].message


@pytest.mark.parametrize(
    ("name", "value"),
    [("delimiter", ""), ("delimiter", 1), ("encoding", "punycode"), ("header", [])],
)
def test_an_option_that_a_template_gave_is_checked(tmp_path: Path, name: str, value: Any) -> None:
    """The error names the option, and not the value, which can be a secret."""
    with pytest.raises(AttemptError, match=f"`{name}` in with-items takes .*template"):
        read(tmp_path / "f", b"a\n", **{name: value})


@pytest.mark.parametrize(
    ("parse", "value"),
    [
        *((parse_delimiter, value) for value in ("", ";;", '"', "\n", "\0", None, 1, ["a"])),
        *((parse_encoding, value) for value in ("", "rot13", "idna", "undefined", None, 8)),
        *((parse_header, value) for value in (None, "a", [], ["a", "a"], [1], 1)),
    ],
)
def test_what_is_no_option(parse: Any, value: object) -> None:
    """Anything else is refused, with a predicate that says what is taken."""
    with pytest.raises(ValueError, match=r"^takes "):
        parse(value)
