"""Where relative paths in a workflow start."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from fanwise.plan import Value


def locate(
    text: str, value: Value, *, workflow_folder: Path, caller_folder: Path, given: Set[str]
) -> str:
    """The absolute path that `text`, which `value` gave, means.

    A relative path that came with a `given` parameter starts at the caller's folder.
    """
    path = [*value.references]
    is_given = (
        len(path) == 1
        and value.templates[0].is_expression
        and path[0][0] == "parameters"
        and path[0][1:2] != ()
        and path[0][1] in given
    )
    return str((caller_folder if is_given else workflow_folder) / text)
