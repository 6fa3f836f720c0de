"""The text of a workflow file: bytes become characters, or a problem with its line and column.

Accepts UTF-8, with or without a byte order mark. Reads no files.
"""

from __future__ import annotations

import re

from fanwise.definition.problems import Problems
from fanwise.model import Limits

_BOM = "\ufeff"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
# What YAML takes as characters; everything else is a control character or half of a pair.
_unprintable = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
).search


def read_text(source: str | bytes, problems: Problems, limits: Limits) -> str:
    """The file's text without a byte order mark. Raises `DefinitionError`."""
    size = len(source if isinstance(source, bytes) else source.encode(errors="surrogatepass"))
    if size > limits.definition_bytes:
        problems.stop(
            (1, 1),
            "too-large",
            f"the file has {size:,} bytes, more than limits.definition_bytes "
            f"({limits.definition_bytes:,}).",
            "Move data into files that tasks read, or raise that limit.",
        )
    text = source if isinstance(source, str) else _decode(source, problems)
    text = text.removeprefix(_BOM)
    if found := _unprintable(text):
        problems.stop(
            _spot(text[: found.start()]),
            "bad-encoding",
            f"the character U+{ord(found[0]):04X} can't stand in a workflow file.",
            "Remove it.",
        )
    return text


def _decode(source: bytes, problems: Problems) -> str:
    if source.startswith(_UTF16_BOMS):
        problems.stop((1, 1), "bad-encoding", "the file is in UTF-16.", "Save it as UTF-8.")
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        before = source[: error.start].decode().removeprefix(_BOM)
        problems.stop(
            _spot(before),
            "bad-encoding",
            f"the byte 0x{source[error.start]:02X} isn't UTF-8.",
            "Save the file as UTF-8.",
        )


def _spot(before: str) -> tuple[int, int]:
    """The line and column that follow `before`."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")
