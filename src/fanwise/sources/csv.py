"""CSV files as in RFC 4180: the first record names the fields, each further one is an item.

The standard library's reader isn't used because it can't be fed piece by piece, and because its
bound on the size of a field holds for the whole process. A quoted field may hold commas, line ends
and doubled quotes. Empty lines are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from fanwise.bitmap import Bitmap
from fanwise.model import ErrorInfo, Limits
from fanwise.sources.errors import source_error
from fanwise.sources.files import FileSource
from fanwise.values import FrozenDict

_FIELD: Final = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",][^,]*|))(?:,|\Z)')


class CsvSource(FileSource):
    """The records of a CSV file, as maps of text by the names in its header.

    Reading raises `AttemptError` also for a header that can't be used.
    """

    def __init__(self, path: str, limits: Limits, done: Bitmap | None = None) -> None:
        super().__init__(path, limits, done)
        self._header: list[str] | None = None
        self._record = bytearray()

    def _items(self, line: bytes) -> Iterator[Any]:
        self._record += line
        self._is_open = _ends_in_quotes(line, self._is_open)
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
        fields = _fields(text)
        if fields is None:
            yield self._checked(self._fault("BadCsv", "text follows a quoted field."))
        elif self._header is None:
            if len(set(fields)) < len(fields):
                self._checked(self._fault("BadCsv", "two fields of the header have one name."))
            self._header = fields
        elif len(fields) != len(self._header):
            what = f"the record has {len(fields)} fields, the header {len(self._header)}."
            yield self._fault("BadCsv", what)
        else:
            yield FrozenDict(zip(self._header, fields, strict=True))

    def _lost_line(self) -> ErrorInfo:
        self._forget_record()
        return self._checked(self._over_limit())

    def _forget_record(self) -> None:
        self._record.clear()
        self._is_open = False

    def _checked(self, fault: ErrorInfo) -> ErrorInfo:
        """The fault of an item; raised instead if it is the header's, and so the whole file's."""
        if self._header is None:
            raise source_error(fault.type, fault.message)
        return fault


def _ends_in_quotes(line: bytes, is_open: bool) -> bool:
    """True if a quoted field is open at the line's end, given its state at the start."""
    place = 0
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
            place = line.find(b",", place) + 1
            if not place:
                return False


def _fields(record: str) -> list[str] | None:
    """The fields of a whole record, or None if text follows a closing quote."""
    if '"' not in record:
        return record.split(",")
    fields = []
    place = 0
    while match := _FIELD.match(record, place):
        quoted, plain = match.groups()
        fields.append(plain if quoted is None else quoted.replace('""', '"'))
        place = match.end()
        if not match[0].endswith(","):
            return fields
    return None
