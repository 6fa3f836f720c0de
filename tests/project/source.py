"""Reads the source of the package: its modules, their imports, their docstrings and comments.

Nothing here imports the package, so that a module which can't be imported is read as well.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "fanwise"


class Module:
    """A module of the package, parsed when it is first asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        parts = path.relative_to(SOURCE).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def folder(self) -> str:
        """The package's folder that the module is in, or "." for a module beside the folders."""
        parts = self.path.relative_to(PACKAGE).parts
        return parts[0] if len(parts) > 1 else "."

    @cached_property
    def text(self) -> str:
        """The module's source."""
        return self.path.read_text()

    @property
    def hinted(self) -> Iterator[tuple[ast.Call, str]]:
        """Each error that is made with a hint, and the text with which its message ends.

        A message whose last part is computed is left out.
        """
        for call in self.nodes:
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.args):
                continue
            is_error = call.func.id.endswith("Error") and call.func.id != "BadValueError"
            message = call.args[0]
            if isinstance(message, ast.JoinedStr):
                message = message.values[-1]
            has_hint = is_error and any(each.arg == "hint" for each in call.keywords)
            if has_hint and isinstance(message, ast.Constant):
                yield call, str(message.value)

    @cached_property
    def tree(self) -> ast.Module:
        """The module's syntax tree."""
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All nodes of the tree, the outer ones first."""
        return tuple(ast.walk(self.tree))

    def docstrings(self) -> Iterator[tuple[int, str]]:
        """Each docstring with its line, those below an attribute or a constant included.

        A test's is left out, since it continues the sentence that is the test's name.
        """
        waiting: list[ast.AST] = [self.tree]
        while waiting:
            match waiting.pop():
                case ast.FunctionDef(name=name) if name.startswith("test_"):
                    pass
                case ast.Expr(value=ast.Constant(value=str() as text)) as node:
                    yield node.lineno, text
                case ast.expr():  # it holds no statement
                    pass
                case node:
                    waiting += ast.iter_child_nodes(node)

    def texts(self) -> Iterator[tuple[int, str]]:
        """Each string and each comment with its line."""
        for node in self.nodes:
            match node:
                case ast.Constant(value=str() as text):
                    yield node.lineno, text
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string

    def any_count(self) -> int:
        """The number of times that the module uses `Any`; its import doesn't count."""
        return sum(
            (isinstance(node, ast.Name) and node.id == "Any")
            or (isinstance(node, ast.Attribute) and node.attr == "Any")
            for node in self.nodes
        )

    def place(self, line: int) -> str:
        """A line of the module as a text that editors open."""
        return f"{self.path.relative_to(ROOT)}:{line}"


@cache
def modules() -> tuple[Module, ...]:
    """The modules of the package, in the order of their paths."""
    return tuple(Module(path) for path in sorted(PACKAGE.rglob("*.py")))


def imports(found: Sequence[Module]) -> dict[str, set[str]]:
    """The modules that each module imports: at load, inside functions, and for types only.

    `from package import name` counts as an import of the submodule, if `name` is a submodule.
    """
    graph: dict[str, set[str]] = {module.name: set() for module in found}
    names = graph.keys()
    for module in found:
        for node in module.nodes:
            match node:
                case ast.Import(names=aliases):
                    targets = [alias.name for alias in aliases]
                case ast.ImportFrom(module=str() as base, names=aliases, level=0):
                    inner = [f"{base}.{alias.name}" for alias in aliases]
                    targets = [each if each in names else base for each in inner]
                case _:
                    continue
            graph[module.name] |= (names & set(targets)) - {module.name}
    return graph


def rings(graph: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that all reach each other: strongly connected, of two or more."""
    reached = {name: _reach(graph, name) for name in graph}
    groups = {
        frozenset(other for other in reached[name] if name in reached[other]) for name in graph
    }
    return sorted(sorted(group) for group in groups if len(group) > 1)


def _reach(graph: dict[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        for name in graph[waiting.pop()] - reached:
            reached.add(name)
            waiting.append(name)
    return reached
