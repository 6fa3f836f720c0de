"""The counts per folder that may only fall, and their table `allowances.json`.

`make allowances` writes the present counts into the table. It refuses a total that has risen.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from source import Module, modules

TABLE = Path(__file__).with_name("allowances.json")

FIRST_WORDS = re.compile(
    r"\s*(What|Whatever|Whether|How|Who|Whom|Whose|Whoever|Where|Which|Why|When|If|It|That|Those|Of)\b"
)
"""First words that leave a docstring without the noun or the verb that it is about."""

LEXICON = re.compile(
    r"\b(anew|unasked|made again|goes on|go on with|stands? in(?! for)|whoever"
    r"|what is asked for)\b",
    re.IGNORECASE,
)
"""Words of a private dialect. The field's words are: again, retried, resumed, is in, the caller."""

Counts = dict[str, dict[str, int]]


def first_words(module: Module) -> Iterator[str]:
    """The places of docstrings that begin with one of `FIRST_WORDS`."""
    for line, text in module.docstrings():
        if found := FIRST_WORDS.match(text):
            yield f"{module.place(line)}: {found[1]}"


def lexicon(module: Module) -> Iterator[str]:
    """The places of words of the lexicon in docstrings, comments and messages."""
    for line, text in module.texts():
        for found in LEXICON.finditer(text):
            yield f"{module.place(line)}: {found[1]}"


def counted() -> Counts:
    """The present counts: per measure and folder, without zeros."""
    any_counts: Counter[str] = Counter()
    words: Counter[str] = Counter()
    starts: Counter[str] = Counter()
    for module in modules():
        any_counts[module.folder] += module.any_count()
        words[module.folder] += len(list(lexicon(module)))
        starts[module.folder] += len(list(first_words(module)))
    measures = {"any": any_counts, "first-words": starts, "lexicon": words}
    return {
        measure: {folder: count for folder, count in sorted(counts.items()) if count}
        for measure, counts in measures.items()
    }


def allowed() -> Counts:
    """The counts that the table allows."""
    table: Counts = json.loads(TABLE.read_text())
    return table


def renew() -> None:
    """Write the present counts into the table, if no total has risen."""
    before, now = allowed(), counted()
    for measure, counts in now.items():
        if (total := sum(counts.values())) > (limit := sum(before.get(measure, {}).values())):
            sys.exit(f"{measure}: {total} in all, and the table allows {limit}. Lower it first.")
    TABLE.write_text(json.dumps(now, indent=2) + "\n")


if __name__ == "__main__":
    renew()
