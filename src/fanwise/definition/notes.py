"""Notes what breaks a rule at a path of one file, as the rules between several keys find it."""

from __future__ import annotations

from fanwise.definition.nodes import Node
from fanwise.definition.problems import Problems
from fanwise.definition.wording import Path, subject


class Notes:
    """The problems of one file, noted by path."""

    def __init__(self, root: Node, problems: Problems) -> None:
        self._root = root
        self._problems = problems

    def subject(self, path: Path) -> str:
        """What stands at `path`, in words."""
        return subject(self._root, path)

    def spot(self, path: Path) -> tuple[int, int]:
        """Where the value at `path` starts."""
        return self._root.value_spot(path)

    def at_key(self, path: Path, code: str, message: str, hint: str = "") -> None:
        """Note a problem with a key."""
        self._problems.add(self._root.key_spot(path), code, message, hint)

    def at_value(self, path: Path, code: str, message: str, hint: str = "") -> None:
        """Note a problem with a value, unless another one has been noted at its place."""
        self._problems.add(self._root.value_spot(path), code, message, hint, last=True)
