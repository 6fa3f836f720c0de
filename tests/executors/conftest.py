"""What the tests of executors leave out."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out actions with cpu=True on Ray, where they run as all other `def` do."""
    items[:] = [
        item
        for item in items
        if not ("test_ray_executor" in item.nodeid and "cpu" in item.nodeid.partition("[")[2])
    ]
