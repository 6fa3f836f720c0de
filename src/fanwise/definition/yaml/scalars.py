"""Scalars as YAML 1.2's core schema reads them, so that `on`, `no` and dates stay text.

What JSON doesn't have (infinity, not a number, enormous integers) is refused with a `ValueError`
whose message is a predicate: `is infinite, which JSON doesn't have`.
"""

from __future__ import annotations

import math
import re
from typing import Final

_CONSTANTS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_FIRST_OF_NUMBER = frozenset("+-.0123456789")
_MAX_DIGITS = 3_000  # Also in hexadecimal below what `fanwise.values` takes.

_decimal = re.compile(r"[-+]?[0-9]+").fullmatch
_octal = re.compile(r"0o[0-7]+").fullmatch
_hexadecimal = re.compile(r"0x[0-9a-fA-F]+").fullmatch
_float = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?").fullmatch
_not_finite = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)").fullmatch


def resolve(text: str) -> bool | int | float | str | None:
    """The value of a plain scalar. Raises `ValueError` for a number that JSON doesn't have."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _FIRST_OF_NUMBER:
        return text
    for matches, base in ((_decimal, 10), (_octal, 8), (_hexadecimal, 16)):
        if matches(text):
            if len(text) > _MAX_DIGITS:
                raise ValueError(f"is an integer of more than {_MAX_DIGITS:,} digits")
            return int(text if base == 10 else text[2:], base)
    if _float(text):
        number = float(text)
        if not math.isfinite(number):
            raise ValueError("is a number too large for JSON")
        return number
    if _not_finite(text):
        raise ValueError("is not a finite number, and JSON has no others")
    return text


def is_rewritten(text: str, value: object) -> bool:
    """True if a plain scalar gave a number that is written in other digits, as `3.10` gives 3.1.

    Not so those that nobody writes but for numbers: `0x1F`, `0o17`, `.5` and `5.`.
    """
    if type(value) is int:
        return text != str(value) and _decimal(text) is not None
    if type(value) is float:
        return f"0{text}" != str(value) and f"{text}0" != str(value) and text != str(value)
    return False
