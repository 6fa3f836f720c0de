"""Scripts of a workflow: text for a shell, in which braces are the shell's.

A script is no template, so `${#name}`, `--format '{{.Names}}'` and `{% x %}` stay as they are. Only
a tag that names something of a run, such as `{{ item.host }}`, is meant as a template, and is found
here, to be refused: a value in a script could change what the script does. What stands between
`{% raw %}` and `{% endraw %}` is never looked at, and the two are taken away, as in templates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from jinja2 import nodes

from fanwise.errors import TemplateSyntaxError
from fanwise.expressions.calls import OUTCOMES
from fanwise.expressions.references import ROOTS
from fanwise.expressions.syntax import TemplateText

# The bounds keep the search linear in the script's length.
_tags: Final = re.compile(
    r"\{\{[-+]?(?P<value>(?:(?!\{\{|\}\}).){1,1000}?)[-+]?\}\}"
    r"|\{%[-+]?\s{0,99}(?:if|elif|for\s[\w\s,]{1,99}\sin|set\s{1,99}\w{1,99}\s{0,99}=)\s?"
    r"(?P<tested>(?:(?!%\}).){1,1000}?)[-+]?%\}",
    re.DOTALL,
).finditer
_raw_tags: Final = re.compile(r"\{%[-+]?\s{0,99}(raw|endraw)\s{0,99}[-+]?%\}").finditer


def script_text(text: str) -> str:
    """The script as the shell gets it: without the tags around raw parts."""
    return "".join(text[start:end] for start, end, _ in _parts(text))


def template_in(text: str) -> tuple[int, str] | None:
    """The first tag that names something of a run: its offset and its text, or None."""
    for start, end, is_raw in _parts(text):
        for found in () if is_raw else _tags(text, start, end):
            if _names_of_run(found["value"] or found["tested"] or ""):
                return found.start(), found[0]
    return None


def _parts(text: str) -> Iterator[tuple[int, int, bool]]:
    """The parts of a script without the tags around raw ones; True for a raw one."""
    at, opened = 0, None
    for found in _raw_tags(text):
        if found[1] == "raw":
            opened = opened or found
        elif opened is not None:
            yield at, opened.start(), False
            yield opened.end(), found.start(), True
            at, opened = found.end(), None
    yield at, len(text), False


def _names_of_run(expression: str) -> bool:
    try:
        body = TemplateText(f"{{{{ {expression} }}}}").parse()
    except TemplateSyntaxError:
        return False
    return any(
        _is_of_run(found) for node in body for found in node.find_all((nodes.Name, nodes.Call))
    )


def _is_of_run(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Call):
        return isinstance(node.node, nodes.Name) and node.node.name in OUTCOMES
    return isinstance(node, nodes.Name) and node.name in ROOTS
