"""Commands in messages, completed so that they can be copied: by the store and by the program.

Messages come from parts that know neither how fanwise was called nor where its store is.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from fanwise.cli.text.usage import LONG

# A command ends with its line, or where a sign or a word says that a sentence continues or begins.
_OF_STORES = frozenset({"check", "recover", "upgrade", "work"})
"""Commands that work on a store itself, and take no server."""

_COMMAND = re.compile(
    r"(?<![\w/.-])fanwise((?: db)? (?:cancel|check|engines|export|items|logs|pause|prune|recover"
    r"|resume|retry|runs|show|submit|upgrade|work)(?: (?!or |and |[A-Z][a-z])[^\s`,;]*[^\s`,;.:])*)"
)


def copyable(text: str, words: Sequence[str]) -> str:
    """The text with the store that the command line `words` names in the commands that it shows.

    The commands that take a server are shown with a server that it names.
    """
    from fanwise.cli.backends import is_server
    from fanwise.cli.text.summary import program, store_words

    named = store_named(words)
    is_shown = named is not None and len(named) <= LONG
    store = [shlex.quote(word) for word in store_words(named if is_shown else None)]

    def complete(found: re.Match[str]) -> str:
        is_left_out = is_server(named) and not _OF_STORES.isdisjoint(found[1].split()[:2])
        is_whole = is_left_out or _names_one(found[1])
        return " ".join([program() + found[1], *([] if is_whole else store)])

    return _COMMAND.sub(complete, text)


def _names_one(command: str) -> bool:
    return " --store" in command or " --server" in command


def store_named(words: Sequence[str]) -> str | None:
    """Return the store that a command line names, or None."""
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in ("--store", "--server"):
            return value if equals else "".join(words[number + 1 : number + 2])
    return None
