"""The benchmark of HTTP clients: each that is installed checks every server."""

from io import StringIO

import pytest
from rich.console import Console

from benchmarks import clients
from benchmarks.clients import compare, render
from fanwise.errors import UsageError


def test_clients_that_are_installed_are_measured() -> None:
    """The client of `core.http` always is."""
    figures = compare(servers=30, rounds=1)

    assert figures.seconds.keys() == figures.cpu_s.keys()
    output = StringIO()
    Console(file=output, width=120).print(render(figures))
    assert "aiohttp" in output.getvalue()


def test_a_client_that_leaves_some_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be measured as if it were fast."""
    monkeypatch.setattr(clients, "CLIENTS", {"aiohttp": lambda urls: len(urls) - 1})
    with pytest.raises(UsageError, match="aiohttp found 29 of 30 servers healthy"):
        compare(servers=30, rounds=1)
