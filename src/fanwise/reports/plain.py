"""Text of others, made harmless: what comes from actions, items and files.

Without control characters it can't move a cursor, change the direction of the text beside it, or
pretend to be another line.
"""

from __future__ import annotations

import re

_DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_control = re.compile(
    rf"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029{_DIRECTIONS}]"
)
_unescaped = re.compile(rf"[\x7f-\x9f\u2028\u2029{_DIRECTIONS}]")


def clean(text: str) -> str:
    """`text` in one line, without control characters; cleaned again it stays as it is."""
    words = _control.sub("", " ".join(text.split()))  # one between two spaces leaves both
    return " ".join(words.split())


def shorten(text: str, width: int = 100) -> str:
    """`text` in one line of at most `width` characters, without control characters."""
    beginning = text[: 4 * width]  # what is cut off anyway isn't cleaned: it may be megabytes
    line = clean(beginning)
    if len(line) <= width and len(beginning) == len(text):
        return line
    return f"{line[: width - 3]}..."


def clean_lines(text: str) -> str:
    """`text` without control characters except the ends of its lines."""
    return _control.sub("", text.expandtabs(4))


def escaped(json: str) -> str:
    """JSON text with everything escaped that a terminal could obey."""
    return _unescaped.sub(lambda found: f"\\u{ord(found[0]):04x}", json)
