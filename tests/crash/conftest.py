"""Runs as real processes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.torture_life import Life

sys.path.insert(0, str(Path(__file__).parent))  # for the helpers beside the tests

from processes import ACTIONS, FLOW, SHELL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"actions.py": ACTIONS, "flow.yaml": FLOW, "shell.yaml": SHELL}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Life]]:
    """Start `fanwise` in a process of its own, which is gone when the test is over."""
    with ExitStack() as lives:

        def start(*arguments: str, **environment: str) -> Life:
            command = [str(folder / each) if each.endswith(".yaml") else each for each in arguments]
            ours = {"FANWISE_STORE": str(folder / "runs.db"), "FANWISE_LEASE": "1s", **environment}
            return lives.enter_context(Life(command, ours))

        yield start
