"""`core.write_csv` and `core.write_jsonl`: a list of any length into a file, an element at a time.

The list may be one that is read from the store in pages. Text is gathered into pieces of about
`_PIECE_BYTES`, so memory depends on neither the number of rows nor the size of the file.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Annotated, Final, NamedTuple

from fanwise.actions.core._shared import file_error
from fanwise.actions.core.atomic_file import replacement
from fanwise.actions.decorator import PATH, STREAM, action
from fanwise.charsets import charset
from fanwise.errors import ActionError
from fanwise.source_kinds import parse_delimiter
from fanwise.values import encode

_PIECE_BYTES: Final = 64 * 2**10
_CSV: Final = "core.write_csv"
_JSONL: Final = "core.write_jsonl"


@action(_CSV)
def write_csv(
    path: Annotated[str, PATH],
    rows: Annotated[Iterable[object], STREAM],
    columns: list[str] | None = None,
    header: bool = True,
    delimiter: str = ",",
    encoding: str = "utf-8",
    parents: bool = True,
) -> dict[str, object]:
    """Write a CSV file, row by row.

    The whole new file is put in place at once. A list of any length takes the same memory, also
    the output of a task with items.

    Input:
      path       which file
      rows       a list of maps, or of lists; null is left out. Text is written as it is, null as
                 nothing, a map or a list within a row as JSON
      columns    the keys to write, in this order; default those of the first row, and then a row
                 with a further key is an error. For lists the names in the header
      header     whether the first line has the columns' names; default true
      delimiter  one character, or tab; default the comma
      encoding   default UTF-8; utf-8-sig adds the mark that spreadsheets look for
      parents    make missing folders; default true
    Result: {path, rows, bytes}: the absolute path, how many rows were written, and how many bytes.
    Errors: BadRow (data: row, counted from 0), BadRequest, BadEncoding, NotFound, PermissionDenied,
    IsDirectory, FileError. Those of the file carry the path in their data.
    """
    try:
        table = _Table(columns, header=header, delimiter=parse_delimiter(delimiter))
    except ValueError as error:
        raise _refusal(_CSV, f"delimiter {error}", type="BadRequest") from None
    return _written(_CSV, path, table.lines(rows), encoding, parents=parents)


@action(_JSONL)
def write_jsonl(
    path: Annotated[str, PATH],
    rows: Annotated[Iterable[object], STREAM],
    parents: bool = True,
) -> dict[str, object]:
    """Write a file with a JSON value on each line.

    The whole new file is put in place at once. A list of any length takes the same memory, also
    the output of a task with items.

    Input:
      path     which file
      rows     a list of any values
      parents  make missing folders; default true
    Result: {path, rows, bytes}: the absolute path, how many lines were written, and how many bytes.
    Errors: NotFound, PermissionDenied, IsDirectory, FileError. All carry the path in their data.
    """
    lines = (_Line(encode(row).decode() + "\n") for row in rows)
    return _written(_JSONL, path, lines, "utf-8", parents=parents)


class _Line(NamedTuple):
    """A line of text, and the number of rows that it is."""

    text: str
    rows: int = 1


class _Table:
    """Turns rows into lines of CSV, and checks that they have the same columns."""

    def __init__(self, columns: Sequence[str] | None, *, header: bool, delimiter: str) -> None:
        self._columns = columns
        self._is_chosen = columns is not None
        self._has_header = header
        self._delimiter = delimiter
        self._needs_quotes = re.compile(f'["\r\n{re.escape(delimiter)}]').search

    def lines(self, rows: Iterable[object]) -> Iterator[_Line]:
        """The header, if there is one to be, and a line for each row that isn't null."""
        number = 0
        for row in rows:
            if row is None:
                continue
            if number == 0:
                if self._columns is None and isinstance(row, Mapping):
                    self._columns = list(row)
                yield from self._header()
            yield _Line(self._line(self._cells(row, number)))
            number += 1
        if number == 0:
            yield from self._header()

    def _header(self) -> Iterator[_Line]:
        if self._has_header and self._columns is not None:
            yield _Line(self._line(self._columns), rows=0)

    def _cells(self, row: object, number: int) -> Sequence[object]:
        columns = self._columns
        if isinstance(row, Mapping) and columns is not None:
            if not self._is_chosen and not row.keys() <= set(columns):
                raise self._bad_row(number, "has a key that the first row hasn't. Name the columns")
            return [row.get(column) for column in columns]
        if isinstance(row, list | tuple) and (columns is None or self._is_chosen):
            if columns is not None and len(row) != len(columns):
                raise self._bad_row(number, f"has {len(row)} fields, not {len(columns)}")
            return row
        wanted = "a map or a list" if number == 0 else "of the same kind as the first row"
        raise self._bad_row(number, f"isn't {wanted}")

    def _line(self, cells: Sequence[object]) -> str:
        texts = [self._text(cell) for cell in cells]
        if texts == [""]:
            return '""\n'  # an empty line is no record
        return self._delimiter.join(texts) + "\n"

    def _text(self, cell: object) -> str:
        if cell is None:
            return ""
        text = cell if isinstance(cell, str) else encode(cell).decode()
        if self._needs_quotes(text):
            return '"' + text.replace('"', '""') + '"'
        return text

    def _bad_row(self, number: int, what: str) -> ActionError:
        return _refusal(_CSV, f"row {number} {what}", type="BadRow", data={"row": number})


def _written(
    name: str, path: str, lines: Iterable[_Line], encoding: str, *, parents: bool
) -> dict[str, object]:
    """Write the lines to the file at `path`. Returns the action's result."""
    writer = _Writer(name, encoding)
    rows = 0
    try:
        with replacement(path, parents=parents) as file:
            for line in lines:
                writer.add(line.text, file)
                rows += line.rows
            writer.finish(file)
    except OSError as error:
        raise file_error(name, error, path) from None
    return {"path": path, "rows": rows, "bytes": writer.written_bytes}


class _Writer:
    """Gathers text into pieces, and writes them in one encoding."""

    def __init__(self, name: str, encoding: str) -> None:
        codec = charset(encoding)
        if codec is None:
            raise _refusal(name, "the encoding has no such name", type="BadEncoding")
        self.written_bytes = 0
        self._name = name
        self._encoder = codecs.getincrementalencoder(codec)()
        self._texts: list[str] = []
        self._size = 0

    def add(self, text: str, file: IO[bytes]) -> None:
        self._texts.append(text)
        self._size += len(text)
        if self._size >= _PIECE_BYTES:
            self._write(file)

    def finish(self, file: IO[bytes]) -> None:
        self._write(file, is_last=True)

    def _write(self, file: IO[bytes], *, is_last: bool = False) -> None:
        try:
            data = self._encoder.encode("".join(self._texts), is_last)
        except UnicodeError:
            text = "the rows can't be written in this encoding"
            raise _refusal(self._name, text, type="BadEncoding") from None
        file.write(data)
        self.written_bytes += len(data)
        self._texts, self._size = [], 0


def _refusal(
    name: str, what: str, *, type: str, data: Mapping[str, object] | None = None
) -> ActionError:
    return ActionError(f"{name}: {what}.", type=type, data=data, retry=False)
