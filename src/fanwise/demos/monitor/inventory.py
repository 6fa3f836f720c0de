"""The inventory file: which servers there are and where to ask for their health.

It is one JSON object, `{"servers": [{"name", "region", "role", "health_endpoint"}, ...]}`, as a
company's own inventory might give it: it doesn't say how a server behaves.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from fanwise.demos.monitor.fleet import Server


def health_endpoint(base_url: str, server: Server) -> str:
    """The URL at which the server process at `base_url` answers for `server`."""
    return f"{base_url}/servers/{server.name}/health"


def write_inventory(path: Path, base_url: str, fleet: Iterable[Server]) -> None:
    """Write the file that lists `fleet`, replacing what `path` held."""
    servers = [
        {
            "name": server.name,
            "region": server.region,
            "role": server.role,
            "health_endpoint": health_endpoint(base_url, server),
        }
        for server in fleet
    ]
    path.write_bytes(msgspec.json.format(msgspec.json.encode({"servers": servers}), indent=2))
