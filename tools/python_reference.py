"""Writes the reference part of docs/python.md from signatures and docstrings.

`python tools/python_reference.py` rewrites the page below its heading `## Reference`; a test
compares them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

import fanwise

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
HEADING = "## Reference\n"

_GROUPS = {
    "Runs": ["run", "submit", "resume", "retry", "pause", "cancel", "answer", "signal", "emit"],
    "Keys and values": ["kv.get", "kv.set", "kv.delete", "kv.entries"],
    "Recorded runs": [
        "open_store",
        "RunStore",
        "RunSummary",
        "RunDetails",
        "TaskVisit",
        "Item",
        "Log",
    ],
    "Runs of a server": [
        "connect",
        "RemoteStore",
        "BulkChange",
        "RefusedRun",
        "Comparison",
        "ComparedTask",
        "ComparedKind",
    ],
    "Results": [
        "Run",
        "TaskSummary",
        "ItemCounts",
        "FailedAttempt",
        "Status",
        "ErrorInfo",
        "FanwiseError",
    ],
    "Engines": ["load_plan", "open_engine", "Engine", "RunHandle", "Observer", "Limits"],
    "Actions": ["action", "ActionContext", "ActionError", "thaw", "WorkflowContext", "ItemContext"],
}


def names() -> list[str]:
    """The public names that the reference has."""
    found = [name for group in _GROUPS.values() for name in group]
    tops = dict.fromkeys(name.partition(".")[0] for name in found)
    return [each for name in tops for each in (name, f"a{name}") if hasattr(fanwise, each)]


def render() -> str:
    """The reference as Markdown."""
    parts = [HEADING]
    for title, group in _GROUPS.items():
        parts.append(f"### {title}\n")
        for name in group:
            parts += _entry(name)
    return "\n".join(parts)


def _entry(name: str) -> Iterator[str]:
    thing = attrgetter(name)(fanwise)
    twin = getattr(fanwise, f"a{name}", None)
    heading = f"#### `fanwise.{name}`"
    yield f"{heading} and `fanwise.a{name}`\n" if twin else f"{heading}\n"
    if inspect.isfunction(thing) or issubclass(thing, Exception):
        yield f"```python\n{_signature(name, thing)}\n```\n"
    if twin is not None:
        yield f"{inspect.getdoc(twin)}\n"
        yield (
            f"`fanwise.a{name}` is awaited on an event loop. `fanwise.{name}` is for callers "
            "without one, and raises `UsageError` where a loop runs already, as in a notebook.\n"
        )
        return
    yield f"{inspect.getdoc(thing)}\n"
    if inspect.isclass(thing) and name != "Status":
        for kind in reversed(thing.__mro__):
            if "__struct_config__" in dir(kind) and kind.__module__.startswith("fanwise"):
                for field, kept in inspect.get_annotations(kind).items():
                    yield f"* `{field}: {kept}`"
        for method, function in vars(thing).items():
            if inspect.isfunction(function) and not method.startswith("_"):
                doc = " ".join((inspect.getdoc(function) or "").split())
                yield f"* `{_signature(method, function, one_line=True)}`: {doc}"
        yield ""
    if name == "Status":
        yield ", ".join(f"`{each.name}`" for each in fanwise.Status) + ".\n"


def _signature(name: str, thing: object, *, one_line: bool = False) -> str:
    assert callable(thing)
    signature = inspect.signature(thing)
    shown = [
        parameter.replace(annotation=str(parameter.annotation))
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    prefix = "await " if inspect.iscoroutinefunction(thing) else ""
    if one_line or len(shown) < 3:
        return prefix + name + _clean(str(signature.replace(parameters=shown)))
    lines = [f"{prefix}{name}("]
    is_keyword = False
    for parameter in shown:
        if parameter.kind is parameter.KEYWORD_ONLY and not is_keyword:
            lines.append("    *,")
            is_keyword = True
        lines.append(f"    {_clean(str(parameter))},")
    returns = signature.return_annotation
    end = "" if returns in (signature.empty, None) else f" -> {_clean(str(returns))}"
    return "\n".join([*lines, f"){end}"])


def _clean(text: str) -> str:
    """The text of a signature without quotes and addresses."""
    text = re.sub(r"<[\w.]*?Limits[^>]*>|Limits\(.*?\)", "Limits()", text)
    return re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", re.sub(r"(: |-> )'([^']*)'", r"\1\2", text))


def rewrite() -> None:
    """Write the reference into the page."""
    top, _, _ = PAGE.read_text().partition(HEADING)
    PAGE.write_text(top + render())


if __name__ == "__main__":
    rewrite()
