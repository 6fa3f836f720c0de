"""The actions of the monitoring workflow; weft finds them beside it."""

import json
from pathlib import Path
from typing import Any

import weft
from weft.actions.core import http

INVENTORY = Path(__file__).with_name("servers.json")


@weft.action("cloud.list_servers")
def list_servers(inventory: Path = INVENTORY) -> dict[str, Any]:
    """List the servers of an inventory file.

    The file is JSON, `{"servers": [{"name", "health_endpoint"}, ...]}`. Gives what it holds. Fails
    with `NoInventory` if it can't be read.
    """
    try:
        return json.loads(inventory.read_bytes())
    except (OSError, ValueError) as error:
        raise weft.ActionError(
            f"{inventory.name} can't be read ({type(error).__name__}). "
            "Write one, or start some servers with: python serve.py",
            type="NoInventory",
            retry=False,
        ) from None


@weft.action("monitoring.check_http")
async def check_http(url: str) -> dict[str, Any]:
    """Check that a health endpoint answers with status 200.

    Gives `{"status", "seconds"}`. Fails as `core.http` does.
    """
    answer = await http.send_request(url, expect=200)
    return {"status": answer["status"], "seconds": answer["seconds"]}
