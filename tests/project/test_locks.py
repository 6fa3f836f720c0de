"""The lock files pin all that `make` installs, from any index, for every platform."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from source import ROOT

RUN = ROOT / "requirements.lock"
LOCKS = {
    "build": RUN,
    "dev": ROOT / "requirements-dev.lock",
    "docs": ROOT / "requirements-docs.lock",
}
files = pytest.mark.parametrize("lock", LOCKS.values(), ids=lambda lock: lock.name)


def locked(lock: Path) -> dict[str, Version]:
    """The version of each package of a lock file."""
    pins = re.findall(r"^([a-z0-9-]+)==([^ ;]+)", lock.read_text(), flags=re.MULTILINE)
    return {name: Version(version) for name, version in pins}


def project() -> dict[str, list[Requirement]]:
    """The ranges of pyproject.toml: those to run, under "", and those of each group."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())
    texts = {"": data["project"]["dependencies"], **data["dependency-groups"]}
    return {group: [Requirement(text) for text in each] for group, each in texts.items()}


@files
def test_a_lock_file_has_versions_and_hashes_alone(lock: Path) -> None:
    """No URL, no option and no path, so that it holds with any index and on any machine."""
    line = re.compile(
        r"#.*|[a-z0-9-]+==[\w.]+( ; [\w.'<>= ()!]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?"
    )
    assert [each for each in lock.read_text().splitlines() if not line.fullmatch(each)] == []
    assert "//" not in lock.read_text()


@files
def test_each_package_of_a_lock_file_has_a_hash(lock: Path) -> None:
    """A file with one package that has none is refused by pip: hashes for all, or for none."""
    blocks = re.split(r"^(?=[a-z0-9])", lock.read_text(), flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize("group", LOCKS)
def test_a_lock_file_follows_the_ranges(group: str) -> None:
    """A range that changes in pyproject.toml asks for `make lock`."""
    pins = locked(LOCKS[group])
    ranges = project()
    for requirement in [*ranges[""], *ranges[group]]:
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} isn't locked: run `make lock`"
        assert version in requirement.specifier, f"{requirement} is locked to {version}"


@files
def test_the_lock_files_agree(lock: Path) -> None:
    """Tests and the site run with the versions that `make demo` installs."""
    run = locked(RUN)
    shared = run.keys() & locked(lock).keys()
    assert {name: locked(lock)[name] for name in shared} == {name: run[name] for name in shared}
