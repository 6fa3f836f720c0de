"""A YAML file as a tree of nodes that know their line and column.

Invariants: a node's value is frozen JSON, and no node holds itself. Lines and columns count from 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

Spot = tuple[int, int]
"""A line and a column."""


class Node(msgspec.Struct, gc=False):
    """A value of the file: where it starts, what it is, and the nodes that it is made of.

    `children` is a dict for a map and a list for a list; `keys` says where a map's keys start.
    `written` is the text of a number that isn't its value's own, such as `3.10`.
    """

    spot: Spot
    value: Any = None
    children: dict[str, Node] | list[Node] | None = None
    keys: dict[str, Spot] | None = None
    written: str | None = None

    def walk(self, path: tuple[str | int, ...]) -> Iterator[tuple[Spot, Node]]:
        """Each node on `path` with the place of its key, as far as the path leads."""
        node = self
        for part in path:
            children = node.children
            if isinstance(children, dict) and isinstance(part, str):
                key = part if part in children else _spelling(part, children)
                if key is None:
                    return
                spot = (node.keys or {})[key]
                node = children[key]
            elif isinstance(children, list) and isinstance(part, int):
                if not 0 <= part < len(children):
                    return
                node = children[part]
                spot = node.spot
            else:
                return
            yield spot, node

    def find(self, path: tuple[str | int, ...]) -> Node | None:
        """The node at `path`, or None if there is none."""
        found = [self, *(node for _, node in self.walk(path))]
        return found[-1] if len(found) > len(path) else None

    def scalars(self) -> Iterator[Node]:
        """Each node within this one, itself included, that is neither a list nor a map."""
        left = [self]
        while left:
            node = left.pop()
            if node.children is None:
                yield node
            else:
                inner = node.children
                left.extend(inner.values() if isinstance(inner, dict) else inner)

    def value_spot(self, path: tuple[str | int, ...]) -> Spot:
        """Where the value at `path` starts, or the nearest value around it."""
        spot = self.spot
        for _, node in self.walk(path):
            spot = node.spot
        return spot

    def key_spot(self, path: tuple[str | int, ...]) -> Spot:
        """Where the key of the value at `path` starts, or the nearest key around it."""
        spot = self.spot
        for key_spot, _ in self.walk(path):
            spot = key_spot
        return spot


def _spelling(key: str, keys: Iterable[str]) -> str | None:
    """The key among `keys` that reads the same when `_` counts as `-`, or None."""
    wanted = key.replace("_", "-")
    return next((each for each in keys if each.replace("_", "-") == wanted), None)
