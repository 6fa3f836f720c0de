"""Lets MkDocs show the names of files that fences have, as in ```` ```yaml flow.yaml ````.

Code hosts pass over what follows a fence's language; MkDocs takes the whole line for text if it
can't read it. So the name becomes the title of the block.
"""

import re

_NAMED_FENCE = re.compile(r"^```(\w+) ([^\s\"=]+)$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    """A page as MkDocs reads it."""
    return _NAMED_FENCE.sub(r'```\1 title="\2"', markdown)
