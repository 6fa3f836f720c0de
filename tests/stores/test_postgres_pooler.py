"""A store works behind a pooler in transaction mode: nothing outlives a transaction."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from pooler import pooled

import fanwise
from benchmarks.postgres_server import PostgresServer
from fanwise.stores import open_store

FLOW = {
    "tasks": [
        {
            "name": "each",
            "action": "core.echo",
            "with-items": {"range": 3_000},
            "input": {"value": "{{ item }}"},
        },
        {
            "name": "sum",
            "action": "core.echo",
            "input": {"value": "{{ task.each.output | map(attribute='value') | sum }}"},
        },
    ],
    "output": "{{ task.sum.output.value }}",
}


def test_runs_are_recorded_and_read_through_a_pooler(
    postgres: PostgresServer, postgres_url: Callable[..., str]
) -> None:
    """Each transaction may get another session of the server, and leaves nothing in it."""
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        pooled(Path(folder), postgres.folder) as pooler,
    ):
        url = postgres_url().replace(str(postgres.folder), folder)
        for name in ("first", "second"):
            run = fanwise.run(FLOW, store=url, run_id=name)
            assert run.output == sum(range(3_000))
        with fanwise.open_store(url) as store:
            assert (
                sum(output["value"] for _, output in store.outputs("first", "each")) == run.output
            )
        with open_store(url) as store:
            assert len([*store.export("second")]) > 3_000
        assert pooler.servers < pooler.clients
