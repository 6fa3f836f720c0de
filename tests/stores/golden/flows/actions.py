"""Actions whose results are short and long, which log, and some of which fail."""

import asyncio

import fanwise


@fanwise.action("golden.list")
def list_hosts(count: int) -> dict:
    """Hosts whose description is long."""
    hosts = [{"name": f"höst-{number:02}", "number": number} for number in range(count)]
    return {"hosts": hosts, "notes": "x" * 5_000}


@fanwise.action("golden.check")
def check(number: int, token: str) -> dict:
    """Fail for some; give a long result for others."""
    print(f"checking {number}")  # noqa: T201 - it is recorded
    if number % 5 == 3:
        raise fanwise.ActionError(f"host {number} is down", type="Down", data={"number": number})
    return {"number": number, "body": "ü" * (3_000 if number % 4 == 0 else 3), "known": bool(token)}


@fanwise.action("golden.knock")
def knock(number: int) -> dict:
    """A door's number."""
    print(f"knocking at {number}")  # noqa: T201 - it is recorded
    return {"door": number}


@fanwise.action("golden.wait")
async def wait(number: int) -> dict:
    """Take some time."""
    await asyncio.sleep(0.02)
    return {"waited": number}
