"""A project in a folder of its own."""

from pathlib import Path

import pytest

from tests.service.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
