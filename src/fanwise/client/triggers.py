"""The triggers of a server's project, as the command line asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import msgspec

from fanwise.client.records import Sent
from fanwise.client.requests import Query, Requests
from fanwise.errors import ServerError
from fanwise.model import FireStatus
from fanwise.reports.trigger_rows import Backfilled, Fired, FireRow, ListedTriggers
from fanwise.service.by_hand import Backfill, Names
from fanwise.triggers.local_times import iso_utc
from fanwise.values import Json

_PAGE: Final = 200
_NOT_ADMITTED: Final = "not-admitted"


class _SentFires(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a trigger's fires."""

    fires: list[FireRow]
    next: str | None


class ServerTriggers:
    """The triggers of a server as a `TriggerDesk` of the command line."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    @cached_property
    def _listed(self) -> ListedTriggers:
        return self._requests.get(ListedTriggers, "triggers")

    @property
    def places(self) -> Mapping[Names, str]:
        """The triggers of the server's project, and their places."""
        return {(each.workflow, each.trigger): each.place for each in self._listed.triggers}

    @property
    def problems(self) -> Sequence[str]:
        """The problems of the files of the server's project."""
        return self._listed.problems

    def recorded(self) -> Sequence[Names]:
        """No others: a server knows those of its project."""
        return ()

    def listed(self) -> ListedTriggers:
        """The triggers of the server's project, as they stand."""
        return self._listed

    def fires(self, names: Names, statuses: Sequence[FireStatus], most: int) -> Sequence[FireRow]:
        """The newest fires of a trigger."""
        found: list[FireRow] = []
        cursor: str | None = None
        while len(found) < most:
            query: Query = {"status": statuses, "cursor": cursor, "limit": _PAGE}
            page = self._requests.get(_SentFires, "triggers", *names, "fires", query=query)
            found += page.fires
            cursor = page.next
            if cursor is None:
                break
        return found[:most]

    def pause(self, names: Names, note: str) -> None:
        """Pause a trigger."""
        self._requests.post(Sent, "triggers", *names, "pause", body={"note": note})

    def resume(self, names: Names, *, catches_up: bool) -> bool:
        """Resume a trigger, and say whether it was paused."""
        was_paused = any(
            each.paused_at is not None
            for each in self._listed.triggers
            if (each.workflow, each.trigger) == names
        )
        self._requests.post(Sent, "triggers", *names, "resume", body={"catch_up": catches_up})
        return was_paused

    def fire(
        self, names: Names, at: int | None, event: Json, *, overlaps: bool, dry_run: bool
    ) -> Fired | None:
        """Fire a trigger; None if its `when` doesn't hold."""
        nominal = None if at is None else iso_utc(at)
        body = {"at": nominal, "event": event, "overlap": not overlaps, "check": dry_run}
        try:
            return self._requests.post(Fired, "triggers", *names, "fire", body=body)
        except ServerError as error:
            if error.reason != _NOT_ADMITTED:
                raise
            return None

    def backfill(self, names: Names, wanted: Backfill, *, dry_run: bool) -> Backfilled:
        """Make the runs of past times of a schedule."""
        body = {
            "start": iso_utc(wanted.start),
            "end": iso_utc(wanted.end),
            "again": wanted.again,
            "at_once": wanted.at_once,
            "check": dry_run,
        }
        return self._requests.post(Backfilled, "triggers", *names, "backfill", body=body)
