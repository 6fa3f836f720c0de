"""What the YAML parser couldn't read, told in the words of whoever wrote the file.

The most common slip is a template without quotes, which YAML takes for a map; it is looked for
first. Lines and columns count from 1.
"""

from __future__ import annotations

import re
from typing import Any, Final, NoReturn

from fanwise.definition.problems import Problems
from fanwise.definition.yaml.nodes import Spot

MAX_DEPTH: Final = 100
"""Levels of lists and maps in a file."""

_unquoted = re.compile(r"(?:^|[:\-,\[]\s)\s*(\{\{|\{%)").search
_template_end = re.compile(r"[}%]\}").search

_HINTS: Final = {
    "mapping values are not allowed": (
        'Quote the text if the ": " belongs to it; else check the indentation.'
    ),
    "did not find expected key": "Check the indentation and the quotes of this line.",
    "did not find expected '-'": "Begin each element of the list with a dash, all at one column.",
    "found unexpected end of stream": "Close the quotes.",
    "escape": r"Write \\ for a backslash, or use single quotes.",
    "undefined tag handle": "Remove the tag.",
    "incompatible YAML": "Remove the %YAML line.",
}


def stop_at_syntax(error: Exception, text: str, problems: Problems) -> NoReturn:
    """Note what `error` of the parser says, and raise `DefinitionError`."""
    mark: Any = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.splitlines()
    if line > len(lines):  # The end of the file, which libyaml may put on a line of its own.
        line, column = len(lines), len(lines[-1]) + 1
    if "maximum nesting depth" in str(error):  # libyaml has a bound of its own since 0.2.6: 1,000
        stop_too_deep((line, column), problems)
    content = lines[line - 1]
    found = _unquoted(content)
    if found and found.start(1) < column:
        problems.stop((line, found.start(1) + 1), *unquoted_template(content[found.start(1) :]))
    if content[column - 1 : column] == "\t":
        problems.stop(
            (line, column), "bad-yaml", "a tab stands where YAML takes spaces.", "Use spaces."
        )
    said = getattr(error, "problem", None) or str(error).split("\n", 1)[0]
    if context := getattr(error, "context", None):
        start: Any = getattr(error, "context_mark", None) or mark
        said = f"{said} {context} that starts at {start.line + 1}:{start.column + 1}"
    hint = next((hint for part, hint in _HINTS.items() if part in said), "")
    problems.stop((line, column), "bad-yaml", f"{said}.", hint)


def stop_too_deep(spot: Spot, problems: Problems) -> NoReturn:
    """Note that a list or map is nested too deep at `spot`, and raise `DefinitionError`."""
    problems.stop(
        spot,
        "too-deep",
        f"lists and maps are nested more than {MAX_DEPTH} levels deep here.",
        "Use a flatter shape.",
    )


def unquoted_template(rest: str) -> tuple[str, str, str]:
    """Code, message and hint for a template without quotes that `rest` of a line begins with."""
    end = _template_end(rest)
    template = rest[: end.end() if end else None].rstrip()[:60]
    return (
        "unquoted-template",
        f"the template {template} isn't in quotes, so YAML reads a map.",
        "Put quotes around the whole value.",
    )
