"""E-mail addresses of `core.email`: one in each text, with or without a name.

A text never names several addresses, so an address from data can't add recipients. No error repeats
an address.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.utils import formataddr
from typing import NamedTuple

from fanwise.errors import ActionError

# RFC 5321's dot-string and domain. Quoted local parts are of the past.
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
)
_BRACKET = re.compile("[<>]")
_LONGEST = 254
_LONGEST_NAME = 200

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that no header may hold: a line break would begin another header."""


class Mailbox(NamedTuple):
    """An address with its owner's name. The domain is in ASCII, as IDNA writes it."""

    name: str
    address: str

    def __str__(self) -> str:
        return formataddr((self.name, self.address))


def parse_mailboxes(field: str, given: object) -> list[Mailbox]:
    """Parse the addresses of an input; null and blank text are none. Raises `ActionError`."""
    if given is None or (isinstance(given, str) and not given.strip()):
        return []
    texts: Sequence[object] = given if isinstance(given, list) else [given]
    return [_parse_mailbox(field, text) for text in texts]


def _parse_mailbox(field: str, text: object) -> Mailbox:
    if not isinstance(text, str):
        raise bad_address(f"an address in {field} isn't text")
    if CONTROL.search(text):
        raise bad_address(f"an address in {field} holds a line break or another control character")
    name, bracket, address = text.strip().rpartition("<")
    if bracket:
        address = address[:-1] if address.endswith(">") else ""
    name = name.strip().strip('"')
    address = _in_ascii(address)
    is_name = len(name) <= _LONGEST_NAME and not _BRACKET.search(name)
    if not is_name or len(address) > _LONGEST or not _ADDRESS.fullmatch(address):
        raise bad_address(
            f"an address in {field} isn't one. Write name@host, and several of them as a list"
        )
    return Mailbox(name, address)


def _in_ascii(address: str) -> str:
    """The address with its domain as IDNA writes it, or "" if IDNA can't."""
    local, at, domain = address.rpartition("@")
    try:
        return local + at + domain.encode("idna").decode()
    except UnicodeError:
        return ""


def bad_address(what: str) -> ActionError:
    """The error of a bad or a missing address."""
    return ActionError(f"core.email: {what}.", type="BadAddress", retry=False)
