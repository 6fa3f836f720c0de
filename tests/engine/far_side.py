"""A worker as small as can be: makes attempts of a call that came as data, in a process of its own.

    python far_side.py FOLDER

Reads `call.json`, `secrets.json` and `items.json` in the folder, and prints a JSON list that has a
result or an error for each item.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from fanwise.catalog import StopFlag
from fanwise.engine.attempt import VisitCall, restore_call
from fanwise.engine.capture import AttemptLog
from fanwise.engine.folders import locate
from fanwise.engine.masking import Masker
from fanwise.errors import AttemptError
from fanwise.model import Arrival, KvChange, Limits
from fanwise.packs.loader import ActionLoader
from fanwise.plan import Value
from fanwise.ports import CallSpec, PortableCall, Ticket
from fanwise.values import decode


class Around:
    """The surroundings of a call that has no run, journal or observer near it."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        secrets: tuple[str, ...] = (),
        workflow_folder: str = "/",
        caller_folder: str = "/",
        given: frozenset[str] = frozenset(),
        traceparent: str = "",
    ) -> None:
        self.limits = limits or Limits()
        self.masker = Masker(secrets)
        self.stop = StopFlag()
        self.workflow_folder = Path(workflow_folder)
        self.caller_folder = Path(caller_folder)
        self.given = given
        self.traceparent = traceparent
        self.logs: list[tuple[int | None, str, str]] = []

    def now(self) -> float:
        return 1_000.0

    def locate(self, text: str, value: Value) -> str:
        return locate(
            text,
            value,
            workflow_folder=self.workflow_folder,
            caller_folder=self.caller_folder,
            given=self.given,
        )

    async def change_key(self, change: KvChange) -> int:
        raise NotImplementedError

    async def emit(self, event: Arrival) -> bool:
        raise NotImplementedError

    async def new_links(self, ticket: Ticket, form: bytes) -> Mapping[str, str] | None:
        raise NotImplementedError

    def sleeper(self, ticket: Ticket) -> Callable[[float], Awaitable[None]]:
        return asyncio.sleep

    def open_log(self, path: Callable[[Ticket], str]) -> AttemptLog:
        def keep(ticket: Ticket, written_at: float, text: str) -> None:
            self.logs.append((ticket.index, path(ticket), text))

        return AttemptLog(self.limits.log_bytes, self.masker, self.now, keep)


def around(spec: CallSpec) -> Around:
    """The surroundings that a call's data describes."""
    return Around(
        limits=spec.limits,
        workflow_folder=spec.workflow_folder,
        caller_folder=spec.caller_folder,
        given=frozenset(spec.given),
        traceparent=spec.traceparent,
    )


async def attempt(call: VisitCall, ticket: Ticket) -> object:
    """The result of one attempt as JSON, or its error's text."""
    try:
        given = call.function(**call.arguments(ticket))
        value = await given if asyncio.iscoroutine(given) else given
        return msgspec.json.decode(call.result(value, ticket))
    except AttemptError as error:
        return f"{type(error).__name__}: {error}"


async def attempts(call: VisitCall, items: list[object]) -> list[object]:
    """The results of the first attempts of items."""
    return [
        await attempt(call, Ticket(call.context.for_item(item, index), index, 1))
        for index, item in enumerate(items)
    ]


def main(folder: Path) -> None:
    portable = msgspec.json.decode((folder / "call.json").read_bytes(), type=PortableCall)
    action = ActionLoader().find(portable.spec.action)
    secrets = (folder / "secrets.json").read_bytes()
    call = restore_call(portable, secrets, action, around(portable.spec))
    items = decode((folder / "items.json").read_bytes())
    results = asyncio.run(attempts(call, items))
    sys.stdout.write(msgspec.json.encode(results).decode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
