"""Snapshots: the part of a visit's context that its templates name, as bytes that can travel.

A snapshot holds the values at the constant paths that templates name, such as
`task.fetch.output.url`, and nothing beside them. A path ends at its first computed part or number,
so `parameters.servers[0].name` takes all of `parameters.servers`. `restore` gives a context from
which the same templates render to the same values, and fail with the same messages.

Secrets are never part of a snapshot: neither `secrets.NAME` nor any other named value that holds
the text of one. Their paths are listed; `secret_values` gives the values, for a channel of their
own. Outputs that are read in pages are refused, because they stay with the store. Sizes are bytes
of JSON text. Nothing here waits or reads, and no snapshot is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Final, TypeAlias

import msgspec

from fanwise.context import WorkflowContext
from fanwise.errors import LimitError, Place, TemplateError, TemplateSyntaxError
from fanwise.model import ErrorInfo, ItemCounts, Limits, Status, TaskResult
from fanwise.plan.values import Value, compile_value
from fanwise.ports import InputText
from fanwise.values import EMPTY_DICT, EMPTY_LIST, FrozenDict, LazyList, decode, encode

KeyPath: TypeAlias = tuple[str, ...]
"""A path of the context, such as `("task", "fetch", "output", "url")`."""

_DIGEST_BYTES: Final = 16
_HINTED: Final = 1_000
"""Names that a message may choose from when a path leads nowhere: as many as it looks at."""

_OF_CONTEXT: Final = ("parameters", "vars", "run", "trigger", "kv", "task")
_WHOLE_PARTS: Final = ("error", "items")  # of a task's result: small, and records here


class Snapshot(msgspec.Struct, frozen=True):
    """The named part of a context: `data` is JSON text without the values at `secrets`.

    `sizes` has the bytes of each value in it, by its path.
    """

    data: bytes
    secrets: tuple[KeyPath, ...] = ()
    sizes: tuple[tuple[KeyPath, int], ...] = ()

    @property
    def digest(self) -> str:
        """The snapshot's name: BLAKE2b-128 of `data`, in hexadecimal digits."""
        return blake2b(self.data, digest_size=_DIGEST_BYTES).hexdigest()

    def require_size(self, limit_bytes: int, *, setting: str) -> None:
        """Raise `LimitError` if it has more than `limit_bytes`, with the path of its largest value.

        `setting` is the name of that limit.
        """
        if len(self.data) <= limit_bytes:
            return
        path, size = max(self.sizes, key=lambda part: part[1], default=(("context",), 0))
        raise LimitError(
            f"the items' inputs name {len(self.data):,} bytes of the context; the limit is "
            f"{limit_bytes:,}. The largest part, {'.'.join(path)}, has {size:,}.",
            setting=setting,
            hint=f"Zip it with the items in with-items, name a smaller part, or raise {setting}.",
        )


def take_snapshot(
    values: Iterable[Value],
    context: WorkflowContext,
    *,
    is_secret: Callable[[object], bool] = lambda _value: False,
) -> Snapshot:
    """The part of `context` that the templates of `values` name.

    Named values for which `is_secret` is true are left out. Raises `TemplateError` if one names an
    output that is read in pages.
    """
    places = named_paths(values)
    pruning = _Pruning(places, is_secret)
    data = pruning.encode(context, [path for path in places if path[0] in _OF_CONTEXT])
    secrets = [path for path in places if path[0] == "secrets"]
    return Snapshot(data, tuple(sorted({*secrets, *pruning.secrets})), tuple(pruning.sizes))


def secret_values(context: WorkflowContext, paths: Collection[KeyPath]) -> bytes:
    """The values at a snapshot's `secrets`, as JSON text for `restore`; never to be kept."""
    return _Pruning({}, lambda _value: False).encode(context, paths)


def restore(data: bytes, secrets: bytes = b"{}") -> WorkflowContext:
    """The context of a snapshot's `data`, with the secrets that `secret_values` gave."""
    tree = _merged(decode(data), decode(secrets))
    context = WorkflowContext(
        tree.get("parameters") or EMPTY_DICT,
        tree.get("vars") or EMPTY_DICT,
        run=tree.get("run") or EMPTY_DICT,
        trigger=tree.get("trigger") or EMPTY_DICT,
        secrets=tree.get("secrets") or EMPTY_DICT,
    ).with_kv(tree.get("kv") or EMPTY_DICT)
    results = (tree.get("task") or EMPTY_DICT).items()
    return context.seeing(
        context.variables, {name: _result(parts or EMPTY_DICT) for name, parts in results}
    )


def holds_secret(
    value: Value, context: WorkflowContext, is_secret: Callable[[object], bool]
) -> bool:
    """True if a value's templates name a secret, or a value for which `is_secret` is true."""
    root = _root(context, named := named_paths([value]))
    return any(
        path[0] == "secrets" or (path[0] in _OF_CONTEXT and is_secret(_reached(root, path)))
        for path in named
    )


def named_paths(values: Iterable[Value]) -> dict[KeyPath, Place | None]:
    """The paths that templates name, each with the place of the first template that does."""
    found: dict[KeyPath, Place | None] = {}
    for value in values:
        for template in value.templates:
            for path, place in sorted(template.references.items()):
                found.setdefault(_cut(path), place)
    return found


def _cut(path: KeyPath) -> KeyPath:
    if path[0] == "task" and path[2] in _WHOLE_PARTS:
        return path[:3]
    return path[:2] if path[0] == "secrets" else path


class _Pruning:
    """Cuts a context down to some paths, and notes the sizes and the secrets that it meets."""

    def __init__(
        self, places: Mapping[KeyPath, Place | None], is_secret: Callable[[object], bool]
    ) -> None:
        self._places = places
        self._is_secret = is_secret
        self.sizes: list[tuple[KeyPath, int]] = []
        self.secrets: list[KeyPath] = []

    def encode(self, context: WorkflowContext, paths: Collection[KeyPath]) -> bytes:
        """The values at the paths, as JSON text."""
        return msgspec.json.encode(self._prune(_root(context, paths), list(paths), ()))

    def _prune(self, value: object, tails: Sequence[KeyPath], at: KeyPath) -> object:
        """The part of `value`, which stands at a path, that paths behind this one lead to."""
        if () in tails or not isinstance(value, dict):
            return self._leaf(value, at)
        behind: dict[str, list[KeyPath]] = {}
        for tail in tails:
            behind.setdefault(tail[0], []).append(tail[1:])
        names: Collection[str] = ()
        if any(key not in value for key in behind):
            # A message says which names are nearest to a missing one, so these names travel, in
            # their order and without their values: no path leads to those.
            names = frozenset(islice(value, _HINTED))
            if self._is_secret(list(names)):
                names = ()
        return {
            key: self._prune(part, behind[key], (*at, key)) if key in behind else None
            for key, part in value.items()
            if key in behind or key in names
        }

    def _leaf(self, value: object, at: KeyPath) -> msgspec.Raw | None:
        """A value as JSON text, or None if it is a secret, which `restore` puts in its place."""
        if isinstance(value, LazyList):
            raise self._paged(at)
        if self._is_secret(value):
            self.secrets.append(at)
            return None
        data = encode(value, where=".".join(at))
        self.sizes.append((at, len(data)))
        return msgspec.Raw(data)

    def _paged(self, at: KeyPath) -> TemplateError:
        place = next((place for path, place in self._places.items() if path[: len(at)] == at), None)
        name = ".".join(at)
        error = TemplateError(
            f"{name} is of a task with items. It is read from the store in pages, so an item's "
            "input can't name it where the item runs in another process.",
            hint=f'Zip it: with-items: {{it: ..., other: "{{{{ {name} }}}}"}} gives item.other.',
        )
        return error if place is None else error.at(place)


def _root(context: WorkflowContext, paths: Collection[KeyPath]) -> Mapping[str, object]:
    """A map in which the paths lead to the values that templates read at them."""
    tasks = {path[1] for path in paths if path[0] == "task"}
    secrets = {path[1] for path in paths if path[0] == "secrets"}
    whole: Mapping[str, object] = {
        "parameters": context.parameters,
        "vars": context.variables,
        "run": context.run,
        "trigger": context.trigger,
        "kv": FrozenDict(context.kv),
        "task": {
            name: _parts(result) if name in tasks else None
            for name, result in context.task_results.items()
        },
        "secrets": {name: text for name, text in context.secrets.items() if name in secrets},
    }
    roots = {path[0] for path in paths}
    return {root: part for root, part in whole.items() if root in roots}


def _reached(value: object, path: KeyPath) -> object:
    """The value at a path, or that at which it stops; None if it leads nowhere or to pages."""
    for key in path:
        if not isinstance(value, dict):
            break
        value = value.get(key)
    return None if isinstance(value, LazyList) else value


def _parts(result: TaskResult) -> dict[str, object]:
    """A task's result as templates read it."""
    return {
        "output": result.output,
        "status": str(result.status),
        "error": None if result.error is None else result.error.as_value(),
        "items": None if result.items is None else result.items.as_value(),
        "failures": EMPTY_LIST if result.failures is None else result.failures,
    }


def _result(parts: FrozenDict) -> TaskResult:
    """The result whose parts these are; parts that no template names are as good as any."""
    error, items = parts.get("error"), parts.get("items")
    return TaskResult(
        Status(parts.get("status", Status.SUCCEEDED)),
        output=parts.get("output"),
        error=None if error is None else ErrorInfo(**error),
        items=None if items is None else ItemCounts(**items),
    )


def _merged(tree: FrozenDict, other: FrozenDict) -> FrozenDict:
    """`tree`, with the values of `other` in their places."""
    merged = dict(tree)
    for key, part in other.items():
        known = merged.get(key)
        if isinstance(known, FrozenDict) and isinstance(part, FrozenDict):
            part = _merged(known, part)
        merged[key] = part
    return FrozenDict(merged)


# Templates as text


def to_text(name: str, value: Value) -> InputText:
    """An input as text, from which `from_text` compiles it in another process."""
    places = [place for template in value.templates for place in template.places]
    return InputText(name, encode(value.raw), value.place, tuple(places))


def from_text(text: InputText, limits: Limits) -> Value:
    """The value of an input that came as text. Raises `TemplateSyntaxError`."""
    places = iter(text.templates)  # in the order in which texts are compiled

    def refuse(_place: Place, error: TemplateSyntaxError) -> None:
        raise error

    def within(_place: Place, _text: str, offsets: Sequence[int]) -> Sequence[Place | None]:
        return list(islice(places, len(offsets)))

    return compile_value(decode(text.raw), lambda *_: text.place, limits, refuse, within)
