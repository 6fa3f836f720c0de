"""The wheel and the sdist hold the package with all its data, and nothing else.

Both are built by the locked backend from a copy of the tree, so that no file of an earlier build
gets in. `make release-check` installs them; that needs an index of packages.
"""

from __future__ import annotations

import email
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from source import PACKAGE, ROOT

BUILD = "from setuptools import build_meta; build_meta.build_{}({!r})"
OUTSIDE = ["tests/test_outside.py", "benchmarks/outside.py"]
CACHED = ["src/fanwise/__pycache__/values.cpython-311.pyc"]


def build(kind: str, tree: Path, folder: Path) -> Path:
    """Build a tree's "wheel" or "sdist" into an empty folder."""
    folder.mkdir()
    command = [sys.executable, "-c", BUILD.format(kind, str(folder))]
    built = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (file,) = folder.iterdir()
    return file


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree's files of the package, and files that don't belong into a build."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(PACKAGE, tree / "src/fanwise", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ["pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md"]:
        shutil.copy(ROOT / name, tree)
    for name in [*OUTSIDE, *CACHED]:
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).touch()
    return tree


@pytest.fixture(scope="module")
def sdist(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build("sdist", tree, folder / "packed")) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.glob("fanwise-*")
    return unpacked


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel, built from the sdist."""
    file = build("wheel", sdist, tmp_path_factory.mktemp("wheel") / "built")
    with zipfile.ZipFile(file) as archive:
        yield archive


def package_files() -> set[str]:
    """The files of the package in the tree, relative to `src`."""
    found = PACKAGE.rglob("*")
    files = {path for path in found if path.is_file() and "__pycache__" not in path.parts}
    return {path.relative_to(PACKAGE.parent).as_posix() for path in files}


def test_the_wheel_has_each_file_of_the_package_and_no_other(wheel: zipfile.ZipFile) -> None:
    """Workflows, texts, pages and py.typed too; no test, benchmark or cache."""
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == package_files()
    assert "fanwise/py.typed" in names


def test_the_sdist_has_each_file_of_the_package(sdist: Path) -> None:
    """So a wheel that is built from it is the one that is built from the tree."""
    packed = {path.relative_to(sdist).as_posix() for path in sdist.rglob("*") if path.is_file()}
    assert packed >= {f"src/{name}" for name in package_files()}
    assert packed >= {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"}
    assert packed.isdisjoint([*OUTSIDE, *CACHED])


def test_the_metadata_is_that_of_the_project(wheel: zipfile.ZipFile) -> None:
    """Name, version, Python, ranges of dependencies, and the entry points."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    metadata = _metadata(wheel)
    assert metadata["Name"] == "fanwise"
    assert metadata["Version"] == project["version"]
    assert metadata["Requires-Python"] == project["requires-python"]
    extras = [
        f'{each}; extra == "{name}"'
        for name, texts in project["optional-dependencies"].items()
        for each in texts
    ]
    assert metadata.get_all("Provides-Extra") == list(project["optional-dependencies"])
    assert [Requirement(each) for each in metadata.get_all("Requires-Dist", [])] == [
        Requirement(each) for each in [*project["dependencies"], *extras]
    ]
    entries = _info(wheel, "entry_points.txt")
    assert "[console_scripts]\nfanwise = fanwise.cli:main\n" in entries
    assert "[fanwise.packs]\ncore = fanwise.actions.core\n" in entries


def test_the_changelog_begins_with_the_version(wheel: zipfile.ZipFile) -> None:
    """A release says what has changed for its users."""
    titles = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert titles[0] == _metadata(wheel)["Version"]


def _metadata(wheel: zipfile.ZipFile) -> Message:
    return email.message_from_string(_info(wheel, "METADATA"))


def _info(wheel: zipfile.ZipFile, name: str) -> str:
    (found,) = (each for each in wheel.namelist() if each.endswith(f".dist-info/{name}"))
    return wheel.read(found).decode()
