"""The records of a run at one moment, compared with those of a later moment. Pure.

An outcome that is recorded stays as it is, and what it is of is never begun again. A retry may take
back what had failed, and nothing else. Every record has a place, a name that no other one has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from benchmarks.overlap import Spell, too_many
from fanwise.model import (
    ItemOutcome,
    LogEntry,
    Record,
    RecordedEvent,
    RunRecord,
    Status,
    VisitRecord,
    inner_path,
)


class Snapshot(msgspec.Struct, frozen=True):
    """The final records of a run, by place, and the run's present state.

    `keys` has the idempotency key of all work whose outcome is recorded, with its place.
    """

    run: RunRecord
    records: Mapping[str, Record]
    keys: Mapping[str, str]

    def kept_by_a_retry(self) -> Snapshot:
        """Without what has failed, and without the steps of children that have."""
        broken = {place for place, record in self.records.items() if _is_broken(record)}
        inside = tuple(f"{place}." for place in broken)

        def is_kept(place: str) -> bool:
            return place not in broken and not place.startswith(inside)

        return Snapshot(
            self.run,
            {place: record for place, record in self.records.items() if is_kept(place)},
            {key: place for key, place in self.keys.items() if is_kept(place)},
        )

    def outcomes(self) -> dict[str, object]:
        """The outcomes of the run and all in it, without times, row numbers, earlier attempts."""
        found: dict[str, object] = {
            "run": (self.run.status, self.run.output, self.run.error),
        }
        for place, record in self.records.items():
            match record:
                case VisitRecord():
                    found[place] = replace(
                        record,
                        visit_no=0,
                        started_at=None,
                        ended_at=None,
                        due_at=None,
                        source=None,
                        earlier=(),
                    )
                case ItemOutcome():
                    found[place] = replace(
                        record, visit_no=0, started_at=0.0, duration_s=0.0, earlier=None
                    )
        return found


def snapshot(records: Iterable[Record]) -> Snapshot | None:
    """The snapshot of all records of one run, as a store exports them; None if there are none."""
    run: RunRecord | None = None
    tasks: dict[int, VisitRecord] = {}
    final: dict[str, Record] = {}
    keys: dict[str, str] = {}
    for record in records:
        match record:
            case RunRecord():
                run = record
                final["run"] = replace(
                    record,
                    status=Status.PENDING,
                    started_at=None,
                    ended_at=None,
                    output=None,
                    error=None,
                )
            case VisitRecord():
                tasks[record.visit_no] = record
                place = inner_path(record.path, record.visit)
                if record.status.is_final:
                    final[place] = record
                if record.attempts and not record.has_items:
                    keys[f"{record.path}/{record.visit}"] = place
            case ItemOutcome():
                task = tasks[record.visit_no]
                place = f"{inner_path(task.path, task.visit)}[{record.index}]"
                final[place] = record
                keys[f"{task.path}[{record.index}]/{task.visit}"] = place
            case RecordedEvent():
                final[f"event {record.seq}"] = record
            case LogEntry():
                place = f"log of {record.path} at {record.at} in try {record.attempt}"
                final[place] = replace(record, label=None)  # that of the item, recorded later
    if run is None:
        return None
    return Snapshot(run, final, {f"{run.id}/{key}": place for key, place in keys.items()})


class Findings(msgspec.Struct):
    """Failures as lines: records that are `lost` or `changed`, work that is `repeated`.

    `differing` has outcomes that aren't those of an undisturbed run, `strange` all else.
    """

    lost: list[str] = msgspec.field(default_factory=list)
    changed: list[str] = msgspec.field(default_factory=list)
    repeated: list[str] = msgspec.field(default_factory=list)
    differing: list[str] = msgspec.field(default_factory=list)
    strange: list[str] = msgspec.field(default_factory=list)

    def add(self, others: Findings) -> None:
        """Take in what another one has found."""
        for name in self.__struct_fields__:
            getattr(self, name).extend(getattr(others, name))

    def lines(self) -> Iterator[str]:
        """All of it, a line for each."""
        for name in self.__struct_fields__:
            yield from (f"{name}: {each}" for each in getattr(self, name))


def compare_records(before: Snapshot, after: Snapshot | None) -> Findings:
    """The records of the earlier snapshot that the later one lacks or has changed."""
    found = Findings()
    later = {} if after is None else after.records
    for place, record in before.records.items():
        if place not in later:
            found.lost.append(place)
        elif later[place] != record:
            found.changed.append(f"{place} was {record}, and is {later[place]}")
    return found


def compare_work(before: Snapshot, begun: Iterable[str]) -> Findings:
    """The work begun, by idempotency key, although its outcome had been recorded."""
    return Findings(repeated=[key for key in begun if key in before.keys])


def compare_outcomes(expected: Snapshot, found: Snapshot) -> Findings:
    """The outcomes that differ from the run that nothing has disturbed."""
    wanted, got = expected.outcomes(), found.outcomes()
    return Findings(
        differing=[
            f"{place} is {got.get(place)}, and would be {wanted.get(place)}"
            for place in sorted(wanted.keys() | got.keys())
            if wanted.get(place) != got.get(place)
        ]
    )


def compare_children(found: Snapshot, most: int) -> Findings:
    """The moments at which more than `most` child workflows had items at work."""
    spells = [
        Spell(place.rpartition(".")[0], each.started_at, each.started_at + each.duration_s)
        for place, each in found.records.items()
        if isinstance(each, ItemOutcome) and "." in place
    ]
    return Findings(strange=list(too_many(spells, most)))


def _is_broken(record: Record) -> bool:
    """True if a retry may repeat it."""
    match record:
        case VisitRecord():
            has_failed_items = record.items is not None and record.items.failed > 0
            return record.status is not Status.SUCCEEDED or has_failed_items
        case ItemOutcome():
            return record.status is not Status.SUCCEEDED
        case _:
            return False
