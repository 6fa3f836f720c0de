"""Encodings of text from outside, by a list: the name in an answer never chooses other code.

Python's codecs of other kinds do other things than reading text: `punycode` takes the square of the
length, `idna` refuses to replace, `unicode_escape` reads escapes. Those of the list are linear.
"""

from __future__ import annotations

from encodings import normalize_encoding
from encodings.aliases import aliases
from typing import Final

_CHARSETS: Final = frozenset(
    {
        *("utf_8", "utf_8_sig", "utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be"),
        *("utf_32_le", "ascii", "latin_1", "koi8_r", "koi8_u", "tis_620", "mac_roman"),
        *(f"iso8859_{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)),
        *(f"cp{page}" for page in (437, 850, 852, 855, 858, 862, 866, 874, *range(1250, 1259))),
        *("big5", "big5hkscs", "cp932", "cp949", "cp950", "euc_jp", "euc_kr", "gb2312", "gbk"),
        *("gb18030", "hz", "iso2022_jp", "iso2022_kr", "johab", "shift_jis"),
    }
)


def charset(name: str) -> str | None:
    """Return the codec of a charset by its name, or None if it isn't one that texts are in."""
    if not (name.isascii() and len(name) <= 40):
        return None
    normal = normalize_encoding(name).lower()
    codec = aliases.get(normal, normal)
    return codec if codec in _CHARSETS else None
