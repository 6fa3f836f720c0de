"""CSV files as in RFC 4180, with any character between fields.

The first record names the fields and each further one is an item, unless there is no header. The
standard library's reader isn't used because it can't be fed piece by piece, and because its bound
on the size of a field holds for the whole process. A quoted field may hold delimiters, line ends
and doubled quotes. Empty lines are passed over. A first line such as `sep=;`, which spreadsheets
write and read, names the delimiter if the workflow doesn't.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from fanwise.bitmap import Bitmap
from fanwise.model import ErrorInfo, Limits
from fanwise.ports import Notice
from fanwise.sources.errors import source_error
from fanwise.sources.files import FileSource
from fanwise.values import FrozenDict, FrozenList

_NAMES_DELIMITER: Final = re.compile("sep=(.)").fullmatch
_OTHER_DELIMITERS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}


class CsvSource(FileSource):
    """The records of a CSV file, as maps of text by the names in its header.

    `header` can have the names of a file that has none, or be False: then records are lists.
    Reading raises `AttemptError` also for a header that can't be used.
    """

    def __init__(
        self,
        path: str,
        limits: Limits,
        done: Bitmap | None = None,
        *,
        delimiter: str | None = None,
        header: bool | Sequence[str] = True,
        encoding: str = "utf_8",
        notice: Notice | None = None,
    ) -> None:
        super().__init__(path, limits, done, encoding=encoding, notice=notice)
        self._is_told_delimiter = delimiter is not None
        self._splitter = _Splitter(delimiter or ",")
        self._names: Sequence[str] | None = None if isinstance(header, bool) else header
        self._awaits_header = header is True
        self._has_begun = False
        self._record = bytearray()

    def _items(self, line: bytes) -> Iterator[Any]:
        self._record += line
        self._is_open = self._splitter.ends_in_quotes(line, self._is_open)
        is_over = len(self._record) > self._limit_bytes
        if self._is_open and not is_over:
            self._record += b"\n"
            return
        record = bytes(self._record).removesuffix(b"\r")
        self._forget_record()
        if is_over:
            yield self._checked(self._over_limit())
        elif record:
            yield from self._row(record)

    def _last_items(self) -> Iterator[Any]:
        if self._is_open:
            self._is_open = False
            yield self._checked(self._fault("BadCsv", "a quoted field isn't closed."))

    def _row(self, record: bytes) -> Iterator[Any]:
        text = self._text(record)
        if isinstance(text, ErrorInfo):
            yield self._checked(text)
            return
        if not self._has_begun:
            self._has_begun = True
            if not self._is_told_delimiter and (named := _NAMES_DELIMITER(text)):
                self._is_told_delimiter = True
                self._splitter = _Splitter(named[1])
                return
            self._doubt_delimiter(text)
        fields = self._splitter.fields(text)
        if fields is None:
            yield self._checked(self._fault("BadCsv", "text follows a quoted field."))
        elif self._awaits_header:
            if len(set(fields)) < len(fields):
                self._checked(self._fault("BadCsv", "two fields of the header have one name."))
            self._names, self._awaits_header = fields, False
        elif self._names is None:
            yield FrozenList(fields)
        elif len(fields) != len(self._names):
            count = len(fields)
            what = f"the record has {count} field{'s' * (count != 1)}, "
            what += f"the header {len(self._names)}."
            yield self._fault("BadCsv", what)
        else:
            yield FrozenDict(zip(self._names, fields, strict=True))

    def _doubt_delimiter(self, text: str) -> None:
        """Notice a first record of one field that looks as if it had several."""
        if self._is_told_delimiter or self._notice is None or "," in text:
            return
        for delimiter, words in _OTHER_DELIMITERS.items():
            if delimiter in text:
                name = "tab" if delimiter == "\t" else f'"{delimiter}"'
                self._notice(
                    f"the first line of {self._path} has {words} and no comma, so each record is "
                    f"one field. If {words} separate fields, add delimiter: {name} to with-items."
                )
                return

    def _lost_line(self) -> ErrorInfo:
        self._forget_record()
        return self._checked(self._over_limit())

    def _forget_record(self) -> None:
        self._record.clear()
        self._is_open = False

    def _checked(self, fault: ErrorInfo) -> ErrorInfo:
        """The fault of an item; raised instead if it is the header's, and so the whole file's."""
        if self._awaits_header:
            raise source_error(fault.type, fault.message)
        return fault


class _Splitter:
    """Finds the fields of records between which a delimiter stands."""

    def __init__(self, delimiter: str) -> None:
        other = re.escape(delimiter)
        self._delimiter = delimiter
        self._delimiter_bytes = delimiter.encode()
        self._field = re.compile(
            rf'(?:"([^"]*(?:""[^"]*)*)"|([^"{other}][^{other}]*|))(?:{other}|\Z)'
        )

    def ends_in_quotes(self, line: bytes, is_open: bool) -> bool:
        """True if a quoted field is open at the line's end, given its state at the start."""
        delimiter, place = self._delimiter_bytes, 0
        while True:
            if is_open:
                place = line.find(b'"', place) + 1
                if not place:
                    return True
                is_open = line.startswith(b'"', place)  # A doubled quote stands for itself.
                place += is_open
            elif line.startswith(b'"', place):
                is_open = True
                place += 1
            if not is_open:
                place = line.find(delimiter, place)
                if place < 0:
                    return False
                place += len(delimiter)

    def fields(self, record: str) -> list[str] | None:
        """The fields of a whole record, or None if text follows a closing quote."""
        if '"' not in record:
            return record.split(self._delimiter)
        fields = []
        place = 0
        while match := self._field.match(record, place):
            quoted, plain = match.groups()
            fields.append(plain if quoted is None else quoted.replace('""', '"'))
            place = match.end()
            if not match[0].endswith(self._delimiter):
                return fields
        return None
