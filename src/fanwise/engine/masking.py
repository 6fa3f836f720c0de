"""Masking: it keeps the values of secrets out of everything that is recorded or shown.

A secret is found in each form in which fanwise and the usual libraries write a text: as it is, with
other white space, percent-encoded, escaped as JSON, HTML or Python does it, and within base64, as
basic authentication has it. Of a secret with several lines each line is one.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

from fanwise.errors import Excerpt

MASK: Final = "***"

_LEAST_LINE: Final = 6
"""Characters of a line that is a secret by itself; shorter ones are in many texts."""

_LEAST_IN_BASE64: Final = 6
"""Bytes of a secret that is looked for in base64, where its two ends depend on its neighbours."""

_LONGEST_FORM: Final = 12
"""Characters that one character of a secret takes at most: as a pair of JSON's escapes."""


class Masker:
    """Replaces each occurrence of a secret's value, in any text, by `***`."""

    def __init__(self, secrets: Iterable[str | None]) -> None:
        self._secrets = frozenset(secrets)
        self._know(self._secrets)

    def add(self, secrets: Iterable[str | None]) -> None:
        """Mask these from now on as well."""
        known = self._secrets.union(secrets)
        if known != self._secrets:
            self._secrets = known
            self._know(known)

    def add_those_of(self, other: Masker) -> None:
        """Mask from now on what another one masks now."""
        if not other._secrets <= self._secrets:
            self.add(other._secrets)

    def _know(self, secrets: Iterable[str | None]) -> None:
        given = {secret for secret in secrets if secret and secret.strip()}
        # Without white space at the ends: programs that read secrets from files strip it.
        wanted = {each for secret in given for each in (secret.strip(), *_lines(secret))}
        # The longest first, so that a secret that holds another one goes as a whole.
        longest_first = sorted((each for each in wanted if each.strip()), key=len, reverse=True)
        patterns = [form for secret in sorted(given - wanted) for form in _base64(secret)]
        patterns += [form for each in longest_first for form in (_pattern(each), *_base64(each))]
        self._pattern = re.compile("|".join(patterns))
        self._longest = max(map(len, longest_first), default=0) * _LONGEST_FORM
        heads = {each.split(maxsplit=1)[0] for each in longest_first if len(each.split()) > 1}
        self._head = re.compile("|".join(map(_pattern, sorted(heads)))) if heads else None
        self.is_active = bool(patterns)

    def mask(self, value: object) -> Any:
        """Return a copy of a JSON value without secrets, its keys included.

        An `Excerpt` is cut after it is masked, and is plain text then, also without any secret.
        """
        if isinstance(value, Excerpt):
            return value.cut(self.text(value.whole))
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.mask(key): self.mask(part) for key, part in value.items()}
        if isinstance(value, Sequence):
            return [self.mask(part) for part in value]
        return value

    def holds_none(self, data: bytes) -> bool:
        """Say whether JSON text has no secret in it, without reading it as JSON."""
        return not self.is_active or self._pattern.search(data.decode()) is None

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        return self._pattern.sub(MASK, text) if self.is_active else text

    def beginning(self, text: str) -> str:
        """Return a text without secrets whose end was cut off, maybe in the middle of one.

        A part that could be the beginning of a secret is left out.
        """
        if not self.is_active:
            return text
        certain = len(text) - (self._longest - 1)  # a secret that begins before is there whole
        parts, end = [], 0
        for found in self._pattern.finditer(text):
            if found.start() >= certain:
                break
            parts += [text[end : found.start()], MASK]
            end = found.end()
        return "".join([*parts, text[end : max(end, certain)]])

    def settled(self, text: str) -> int:
        """Return how much of a text can be masked apart from what follows: whole lines.

        A line that could be the beginning of a secret isn't settled, nor is a line that begins
        within a secret: white space within a secret may be the end of a line.
        """
        end = text.rfind("\n") + 1
        if self._head is None:
            return end
        head = self._head.search(text, max(0, end - self._longest), end)
        if head is not None:
            end = text.rfind("\n", 0, head.start()) + 1
        for found in reversed([*self._pattern.finditer(text)]):
            if found.start() < end < found.end():
                end = text.rfind("\n", 0, found.start()) + 1
        return end


def _lines(secret: str) -> Iterator[str]:
    """Yield the lines of a secret that has several, such as a key, but for those around it."""
    lines = [line.strip() for line in secret.splitlines()]
    if len(lines) > 1:
        yield from (
            line for line in lines if len(line) >= _LEAST_LINE and not line.startswith("-----")
        )


def _pattern(secret: str) -> str:
    """Return a pattern that finds a secret whatever each of its characters is written as."""
    parts = []
    for is_space, characters in groupby(secret, str.isspace):
        if is_space:
            forms = "|".join(sorted({_forms(each) for each in [" ", *characters]}))
            parts.append(rf"(?:\s|{forms})+")
        else:
            parts += map(_forms, characters)
    return "".join(parts)


@lru_cache(maxsize=1_000)
def _forms(character: str) -> str:
    """Return a pattern of the forms of one character."""
    if character.isascii() and (character.isalnum() or character in "_-."):
        return re.escape(character)
    data = character.encode("utf-8", "surrogatepass")
    python = repr(character)[1:-1]
    written = {
        character,
        "+" if character == " " else character,
        f"\\{character}",  # as JSON has a slash, and a shell a blank
        python,
        python.encode("unicode_escape").decode(),
        json.dumps(character)[1:-1],
    }
    if (entity := html.escape(character)) != character:
        written |= {entity, f"&#{ord(character)};"}
    exact = {re.escape(form) for form in written}
    in_hex = {
        "".join(f"%{byte:02x}" for byte in data),
        *(json.dumps(character)[1:-1], f"\\u{ord(character):04x}"),
        *(f"\\x{ord(character):02x}", f"\\U{ord(character):08x}"),
    }
    any_case = {f"(?i:{re.escape(form)})" for form in in_hex if len(form) > 2}
    return f"(?:{'|'.join(sorted(exact | any_case, key=len, reverse=True))})"


def _base64(secret: str) -> Iterator[str]:
    """Yield patterns of the base64 of any text with the secret inside, in both alphabets.

    Three bytes become four characters, so there are three ways for it to lie; characters at its
    ends are shared with its neighbours, and go with it.
    """
    data = secret.encode("utf-8", "surrogatepass")
    if len(data) < _LEAST_IN_BASE64:
        return
    for shift in range(3):
        first = (8 * shift + 5) // 6  # the first character that is the secret's alone
        last = 8 * (shift + len(data)) // 6
        code = b64encode(bytes(shift) + data).decode()[first:last]
        either = {"+": r"[+\-]", "/": "[/_]"}
        own = "".join(either.get(each, each) for each in code)
        yield rf"[A-Za-z0-9+/_\-]?{own}[A-Za-z0-9+/_\-]?"
