"""Shapes of messages: the text without what may differ from one message to the next.

Numbers, quoted text, addresses and long ids are places, with a word for each; statuses and exit
codes stay, since they tell kinds of errors apart. It is pure, and takes no longer for strange text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

MESSAGE_LENGTH: Final = 500
"""The length of a message's part that its shape is made of, in characters."""

Parts = Sequence[str | None]
"""The texts in the places of a shape, each None where messages differ."""

_varying = re.compile(
    r"""(?P<kept>\b(?:status|code|signal|errno|HTTP)[ :=]+\d+\b)
      | (?P<URL>\w+://[^\s'"<>]+)
      | (?P<TEXT>"[^"]*"|(?<!\w)'[^']*'(?!\w))
      | (?P<ID>\b0x[0-9a-fA-F]+\b
          | \b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b
          | \b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b)
      | (?P<N>\d+(?:[.,:]\d+)*)""",
    re.VERBOSE,
)


def split(message: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the shape of a message, and the texts in its places.

    A shape has text and the words of places by turns, and text at both ends. White space counts as
    one blank, and NUL, which no store holds, not at all.
    """
    text = " ".join(message[:MESSAGE_LENGTH].replace("\0", "").split())
    shape: list[str] = []
    parts: list[str] = []
    begin = 0
    for found in _varying.finditer(text):
        if found.lastgroup == "kept":
            continue
        shape += (text[begin : found.start()], found.lastgroup or "")
        parts.append(found[0])
        begin = found.end()
    return (*shape, text[begin:]), tuple(parts)


def agreed(parts: Parts, others: Parts) -> tuple[str | None, ...]:
    """Return the texts that are the same in messages of one shape, and None for the others."""
    return tuple(
        [part if part == other else None for part, other in zip(parts, others, strict=True)]
    )


def shown(shape: Sequence[str], parts: Parts) -> str:
    """Return a shape as text, with the words of those places where its messages differ."""
    return "".join(
        text + (word if part is None else part)
        for text, word, part in zip_longest(shape[::2], shape[1::2], parts, fillvalue="")
    )
