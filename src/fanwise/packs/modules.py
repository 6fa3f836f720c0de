"""Importing the files of a pack, so that no two packs and no two imports of one meet.

Each import of a folder is a package with a name of its own, in which the folder's files are
modules: two workflows may both have an `actions.py` and a `helpers.py`, and a file that has changed
is read again. `sys.path` stays as it is. A pack's files import each other as scripts in a folder do
(`import helpers`) or as modules of a package do (`from . import helpers`), also while they run.

No bytecode is kept: its check goes by whole seconds, and a changed file could be missed.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import importlib.machinery
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType

from fanwise.errors import ActionLoadError

_PREFIX = "fanwise_pack_"
_OWN_FRAMES = (__file__, importlib.__file__, "<frozen importlib")


class PackFolder:
    """One import of a folder of Python files."""

    def __init__(self, folder: Path) -> None:
        if _FINDER not in sys.meta_path:
            sys.meta_path.insert(0, _FINDER)
        self._folder = folder
        self._package = ModuleType(f"{_PREFIX}{os.urandom(8).hex()}")
        self._package.__path__ = [str(folder)]
        sys.modules[self._package.__name__] = self._package

    def load(self, name: str) -> ModuleType:
        """Import the folder's file `name.py`.

        Raises `ActionLoadError` with the place in the author's file and the author's traceback.
        """
        return import_module(f"{self._package.__name__}.{name}", self._folder / f"{name}.py")


def import_module(name: str, origin: object) -> ModuleType:
    """Import a module. Raises `ActionLoadError` if it can't be imported, naming `origin`."""
    try:
        return importlib.import_module(name)
    except ActionLoadError:
        raise
    except (Exception, SystemExit) as error:
        told = traceback.TracebackException.from_exception(error)
        _drop_own_frames(told)
        reason = str(error).partition("\n")[0]
        raise ActionLoadError(
            f"{_place(error, told) or origin}  the pack can't be imported: "
            f"{type(error).__name__}{': ' if reason else ''}{reason}.",
            hint="Install what is missing." if isinstance(error, ModuleNotFoundError) else "",
            traceback="".join(told.format()),
        ) from error


def _place(error: BaseException, told: traceback.TracebackException) -> str:
    """`file:line` of what raised the error, as far as it is known."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno or 1}"
    return f"{told.stack[-1].filename}:{told.stack[-1].lineno}" if told.stack else ""


def _drop_own_frames(told: traceback.TracebackException | None) -> None:
    while told is not None:
        told.stack = traceback.StackSummary.from_list(
            [frame for frame in told.stack if not frame.filename.startswith(_OWN_FRAMES)]
        )
        told = told.__cause__ or told.__context__


class _Finder:
    """Finds the modules of packs, by the path of the package that they are in. Holds no state."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if path is None or not name.startswith(_PREFIX):
            return None
        for folder in path:
            stem = Path(folder, name.rpartition(".")[2])
            for file, inside in (
                (stem / "__init__.py", [str(stem)]),
                (stem.with_suffix(".py"), None),
            ):
                if file.is_file():
                    return importlib.util.spec_from_file_location(
                        name,
                        file,
                        loader=_Loader(name, str(file)),
                        submodule_search_locations=inside,
                    )
        return None


_FINDER = _Finder()


class _Loader(importlib.machinery.SourceFileLoader):
    """Runs a pack's file with an `import` that looks beside the pack's files first."""

    def get_code(self, _name: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)

    def exec_module(self, module: ModuleType) -> None:
        package = module.__name__.partition(".")[0]
        vars(module)["__builtins__"] = {
            **vars(builtins),
            "__import__": _import_beside(package),
        }
        super().exec_module(module)


def _import_beside(package: str) -> Callable[..., ModuleType]:
    """The `__import__` of a pack's modules; it remembers which names are files of the pack."""

    @functools.cache
    def is_beside(name: str) -> bool:
        return _FINDER.find_spec(name, sys.modules[package].__path__) is not None

    def find(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = None,
        level: int = 0,
    ) -> ModuleType:
        first = f"{package}.{name.partition('.')[0]}"
        if level or not is_beside(first):
            return __import__(name, globals, locals, fromlist or (), level)
        module = __import__(f"{package}.{name}", globals, locals, fromlist or ())
        return module if fromlist else sys.modules[first]

    return find
