"""The actions of the monitoring workflow; fanwise finds them beside it."""

import json
from pathlib import Path
from typing import Any

import fanwise
from fanwise.actions.core import http


@fanwise.action("cloud.list_servers")
def list_servers(inventory: Path) -> dict[str, Any]:
    """List the servers of an inventory file.

    `inventory` is the path of a JSON file, `{"servers": [{"name", "health_endpoint", ...}, ...]}`.
    Gives what it holds. Fails with `BadInventory` if it can't be read or has no such list.
    """
    try:
        found = json.loads(inventory.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't JSON"
        raise _bad(f"{inventory.name} can't be read: {str(reason).lower()}.") from None
    if not isinstance(found, dict) or not isinstance(found.get("servers"), list):
        raise _bad(f'{inventory.name} has no list under its key "servers".')
    return found


@fanwise.action("monitoring.check_http")
async def check_http(url: str, expect: int = 200) -> dict[str, Any]:
    """Check that a health endpoint answers, and that it says that all is well.

    Gives `{"status": 200, "seconds": 0.012}`. Fails as `core.http` does (`ConnectionFailed`,
    `UnexpectedStatus`, ...), with `Unavailable` for a status of 500 or more, which often passes,
    and with `Unhealthy` if the answer is JSON whose `status` isn't "ok".
    """
    # Called through its module, since an action that this file imports by name is one of this pack.
    try:
        answer = await http.send_request(url, expect=expect)
    except fanwise.ActionError as error:
        if error.type == "UnexpectedStatus" and error.data["status"] >= 500:
            raise fanwise.ActionError(error.message, type="Unavailable", data=error.data) from None
        raise
    report = answer["json"]
    health = report.get("status", "ok") if isinstance(report, dict) else "ok"
    if health != "ok":
        raise fanwise.ActionError(f"the server reports that it is {health}.", type="Unhealthy")
    return {"status": answer["status"], "seconds": answer["seconds"]}


def _bad(what: str) -> fanwise.ActionError:
    message = f"{what} Name an inventory: -p inventory=PATH"
    return fanwise.ActionError(message, type="BadInventory", retry=False)
