"""Composes the events of the YAML parser into nodes.

PyYAML's own composer crashes on deep input and expands aliases without bound. Here depth and number
are checked on each event, before anything is built; scalars are read as YAML 1.2 does; and every
key keeps its place. An alias gives the very node of its anchor.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from fanwise.definition.problems import Problems, shown
from fanwise.definition.yaml.nodes import Node, Spot
from fanwise.definition.yaml.scalars import is_rewritten, resolve
from fanwise.definition.yaml.syntax import (
    MAX_DEPTH,
    stop_at_syntax,
    stop_too_deep,
    unquoted_template,
)
from fanwise.values import FrozenDict, FrozenList

MAX_NODES: Final = 1_000_000
"""Values in a file, as written."""
MAX_ALIASED: Final = 100_000
"""Values that aliases add, all expanded."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_CORE_TAGS: Final = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:null": type(None),
    "tag:yaml.org,2002:bool": bool,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:seq": list,
    "tag:yaml.org,2002:map": dict,
}
_unstorable = re.compile("[\x00\ud800-\udfff]").search


def compose(text: str, problems: Problems) -> Node | None:
    """The tree of the only document in `text`, or None if it is empty.

    Notes what is wrong in `problems`, where reading can go on; raises `DefinitionError` where it
    can't.
    """
    composer = _Composer(text, problems)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            composer.take(event)
    except yaml.YAMLError as error:
        stop_at_syntax(error, text, problems)
    return composer.root


class _Open:
    """A list or map whose end hasn't been read.

    `size` and `height` count what it holds with aliases expanded. `key` is where the next value
    of a map goes; None drops it.
    """

    __slots__ = ("anchor", "awaits_key", "height", "is_template", "key", "node", "size")

    def __init__(self, node: Node, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.size = 1
        self.height = 1
        self.awaits_key = node.keys is not None
        self.key: str | None = None
        self.is_template = False


class _Composer:
    """Takes events in the order of the file and builds the tree, on a stack of its own."""

    def __init__(self, text: str, problems: Problems) -> None:
        self.root: Node | None = None
        self._text = text
        self._lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", text)  # as YAML counts them
        self._problems = problems
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._nodes = 0
        self._aliased = 0
        self._documents = 0

    def take(self, event: Event) -> None:
        kind = type(event)
        if kind is ScalarEvent:
            self._scalar(event)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            self._start(event)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            self._end()
        elif kind is AliasEvent:
            self._alias(event)
        elif kind is DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                self._problems.stop(
                    self._spot(event),
                    "not-a-workflow",
                    "a second YAML document starts here.",
                    "Keep one workflow in a file.",
                )

    def _spot(self, event: Event) -> Spot:
        """Return the event's start; libyaml puts an empty value at the end below the last line."""
        mark: Any = event.start_mark
        if mark.line >= len(self._lines):
            return len(self._lines), len(self._lines[-1]) + 1
        return mark.line + 1, mark.column + 1

    def _scalar(self, event: Any) -> None:
        self._count(event)
        node = Node(self._spot(event), self._value(event))
        if event.implicit[0] and is_rewritten(event.value, node.value):
            node.written = event.value
        if event.anchor:
            self._anchors[event.anchor] = node, 1, 0
        self._add(node, 1, 0, is_merge_key=event.value == "<<" and event.implicit[0])

    def _start(self, event: Any) -> None:
        self._count(event)
        is_map = type(event) is MappingStartEvent
        node = (
            Node(self._spot(event), None, {}, {}) if is_map else Node(self._spot(event), None, [])
        )
        self._check_depth(node.spot, len(self._stack) + 1)
        if event.tag not in (None, "!"):
            self._check_tag(event, {} if is_map else [])
        self._check_template(node, event)
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._stack.append(_Open(node, event.anchor))

    def _end(self) -> None:
        done = self._stack.pop()
        node = done.node
        if done.is_template:
            node.children = node.keys = None
        elif isinstance(node.children, dict):
            node.value = FrozenDict({key: each.value for key, each in node.children.items()})
        else:
            node.value = FrozenList([each.value for each in node.children or ()])
        if done.anchor:
            self._anchors[done.anchor] = node, done.size, done.height
        self._add(node, done.size, done.height)

    def _alias(self, event: Any) -> None:
        spot = self._spot(event)
        if event.anchor not in self._anchors:
            self._problems.stop(
                spot,
                "bad-yaml",
                f'the alias "*{event.anchor}" refers to no anchor that ends before it.',
                f'Put "&{event.anchor}" before the value that it stands for.',
            )
        node, size, height = self._anchors[event.anchor]
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            self._problems.stop(
                spot,
                "too-many-nodes",
                f"the aliases up to here expand to more than {MAX_ALIASED:,} values.",
                "Repeat less with aliases.",
            )
        self._check_depth(spot, len(self._stack) + height)
        self._add(node, size, height)

    def _add(self, node: Node, size: int, height: int, *, is_merge_key: bool = False) -> None:
        """Put a finished node where it belongs."""
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        parent.size += size
        if height >= parent.height:  # for each value of the file: `max` would cost more
            parent.height = height + 1
        children = parent.node.children
        if isinstance(children, list):
            children.append(node)
        elif parent.awaits_key:
            parent.awaits_key = False
            parent.key = self._key(node, parent.node, is_merge_key)
        elif children is not None:
            parent.awaits_key = True
            if parent.key is not None:
                children[parent.key] = node

    def _key(self, node: Node, parent: Node, is_merge_key: bool) -> str | None:
        """The key that a node is in the map `parent`, or None if it can't be one."""
        key, keys = node.value, parent.keys
        if is_merge_key:
            self._problem(
                node.spot,
                "bad-key",
                'the merge key "<<" isn\'t part of YAML 1.2.',
                "Write the keys out, or use an alias for a whole value.",
            )
        elif not isinstance(key, str) or keys is None:
            self._problem(node.spot, "bad-key", "a key must be text.", "Put the key in quotes.")
        elif key in keys:
            line, column = keys[key]
            self._problem(
                node.spot,
                "duplicate-key",
                f"the key {shown(key)} stands twice in this map, first at {line}:{column}.",
                "Remove one of the two.",
            )
        else:
            keys[key] = node.spot
            return key
        return None

    def _value(self, event: Any) -> Any:
        text = event.value
        try:
            if _unstorable(text):
                raise ValueError("holds a NUL character or half of a surrogate pair")
            if event.tag not in (None, "!"):
                return self._check_tag(event, text)
            return resolve(text) if event.implicit[0] and event.tag is None else text
        except ValueError as error:
            self._problem(
                self._spot(event), "bad-value", f"this value {error}.", "Quote it if it is text."
            )
            return None

    def _check_tag(self, event: Any, value: Any) -> Any:
        """The value that one of YAML's own tags asks for; any other tag is a problem."""
        wanted = _CORE_TAGS.get(event.tag)
        if wanted is not str and isinstance(value, str):
            value = resolve(value)
        if wanted is None or type(value) is not wanted:
            tag = shown(event.tag.replace("tag:yaml.org,2002:", "!!"))
            self._problem(
                self._spot(event), "bad-tag", f"the tag {tag} can't stand here.", "Remove the tag."
            )
            return None
        return value

    def _check_template(self, node: Node, event: Any) -> None:
        """Note `{{ x }}` without quotes: in YAML a map whose first key is a map."""
        parent = self._stack[-1] if self._stack else None
        if parent is None or not parent.awaits_key:
            return
        line, column = parent.node.spot
        if node.keys is None or not event.flow_style or node.spot != (line, column + 1):
            return
        start = event.start_mark.index - 1
        rest = self._text[start : start + 100].splitlines()[0]
        self._problem(parent.node.spot, *unquoted_template(rest))
        parent.is_template = True

    def _count(self, event: Event) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._problems.stop(
                self._spot(event),
                "too-many-nodes",
                f"the file has more than {MAX_NODES:,} values.",
                "Move data into files that tasks read.",
            )

    def _check_depth(self, spot: Spot, depth: int) -> None:
        if depth > MAX_DEPTH:
            stop_too_deep(spot, self._problems)

    def _problem(self, spot: Spot, code: str, message: str, hint: str) -> None:
        # What stands in an unquoted template isn't meant as YAML; one problem is enough.
        if not any(each.is_template for each in self._stack):
            self._problems.add(spot, code, message, hint)
