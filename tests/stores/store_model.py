"""A store as plain sets of records: what any store has to read after the same commits."""

from __future__ import annotations

from msgspec.structs import replace

from fanwise.model import ItemOutcome, LogEntry, RecordedEvent, RunRecord, VisitRecord
from fanwise.values import freeze


class StoreModel:
    """Takes commits as a list of records, and answers each query by looking through all of them."""

    def __init__(self) -> None:
        self._records: dict[tuple, object] = {}

    def create_run(self, run: RunRecord) -> None:
        """Record a new run."""
        number = 1 + len(self._of(RunRecord))
        self._records[_key(replace(run, run_no=number))] = replace(run, run_no=number)

    def commit(self, group) -> bool:
        """Take the group, or nothing of it if an item or an event is recorded already."""
        records = dict(self._records)
        for given in group:
            record = given
            if isinstance(record, LogEntry):
                record = replace(record, log_no=1 + len(self._of(LogEntry, records=records)))
            key = _key(record)
            if isinstance(record, ItemOutcome | RecordedEvent) and key in records:
                return False
            records[key] = record
        self._records = records
        return True

    def run(self, run_id):
        return next((_frozen(run) for run in self._of(RunRecord) if run.id == run_id), None)

    def run_ids(self):
        return [run.id for run in self.runs()]

    def runs(self, *, status=None, since=0.0, tags=()):
        return [
            replace(_frozen(run), definition="", output=None)
            for run in sorted(self._of(RunRecord), key=lambda run: -run.run_no)
            if status in (None, run.status)
            and run.created_at >= since
            and set(tags) <= set(run.tags)
        ]

    def tasks(self, run_no):
        return [
            _frozen(task)
            for task in sorted(self._of(VisitRecord, run_no), key=lambda task: task.visit_no)
            if "." not in task.path
        ]

    def events(self, run_no):
        return sorted(self._of(RecordedEvent, run_no), key=lambda event: event.seq)

    def items(
        self, run_no, visit_no, *, status=None, slower_s=-1.0, after=-1, until=2**62, limit=1_000
    ):
        return [
            item
            for item in sorted(self._of(ItemOutcome, run_no), key=lambda item: item.index)
            if item.visit_no == visit_no
            and status in (None, item.status)
            and item.duration_s > slower_s
            and after < item.index <= until
        ][:limit]

    def outputs(self, run_no, visit_no, start, stop):
        found = self.items(run_no, visit_no, after=start - 1, until=stop - 1)
        return [(item.index, item.output) for item in found if item.output is not None]

    def logs(self, run_no, *, under=None, after=None, limit=100):
        labels = {(item.visit_no, item.index): item.label for item in self._of(ItemOutcome, run_no)}
        return [
            replace(log, label=labels.get((log.visit_no, log.index)))
            for log in sorted(self._of(LogEntry, run_no), key=_key)
            if (after is None or _key(log) > _key(after)) and (under is None or log.is_under(under))
        ][:limit]

    def new_logs(self, run_no, *, after=0, limit=100):
        logs = [log for log in self.logs(run_no, limit=1_000) if log.log_no > after]
        return sorted(logs, key=lambda log: log.log_no)[:limit]

    def newest_logs(self, run_no, *, before=None, limit=100):
        logs = self.new_logs(run_no, limit=1_000)[::-1]
        return [log for log in logs if before is None or log.log_no < before][:limit]

    def _of(self, kind, run_no=None, records=None):
        return [
            record
            for record in (self._records if records is None else records).values()
            if isinstance(record, kind) and run_no in (None, record.run_no)
        ]


def _key(record) -> tuple:
    """The values that only one record of its kind may have."""
    match record:
        case RunRecord():
            return "run", record.run_no
        case VisitRecord():
            return "visit", record.run_no, record.path, record.visit
        case ItemOutcome():
            return "item", record.run_no, record.visit_no, record.index
        case RecordedEvent():
            return "event", record.run_no, record.seq
        case LogEntry():
            index = -1 if record.index is None else record.index
            return "log", record.run_no, record.visit_no, index, record.log_no


def _frozen(record):
    """The record with the data of its error as it comes back."""
    if record.error is None:
        return record
    return replace(record, error=replace(record.error, data=freeze(record.error.data)))
