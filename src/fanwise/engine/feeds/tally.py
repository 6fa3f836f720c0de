"""Counts the recorded items of a visit, and judges the visit by them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fanwise.definition import Tolerance
from fanwise.engine.feeds.bad_records import BadRecords
from fanwise.engine.feeds.progress import Progress
from fanwise.model import ErrorInfo, ItemCounts, ItemOutcome, RecordedItems, Status, TaskResult


class Tally:
    """The counts of a visit's items. Only committed outcomes are counted, shown and judged."""

    def __init__(
        self, tolerate: Tolerance, progress: Progress, bad_records: BadRecords | None = None
    ) -> None:
        self._tolerate = tolerate
        self._bad_records = bad_records
        self._progress = progress
        self._first_error: tuple[int, ErrorInfo] | None = None
        self.attempts = 0
        """Attempts of all recorded items together."""
        self.failures = 0
        """Items that have failed, recorded or not yet."""

    def restore(self, recorded: RecordedItems, first_failed: ItemOutcome | None) -> None:
        """Begin with the items that an earlier process has recorded."""
        progress = self._progress
        self.failures = progress.failed = recorded.failed
        progress.succeeded = recorded.succeeded
        progress.restored = recorded.succeeded + recorded.failed
        self.attempts = recorded.attempts
        self._note_failing()
        if first_failed is not None:
            self._note_first_error(first_failed)

    def add(self, outcomes: Sequence[ItemOutcome]) -> None:
        """Count outcomes that the store has committed."""
        others = [outcome.status for outcome in outcomes if outcome.status is not Status.SUCCEEDED]
        failed = others.count(Status.FAILED)
        progress = self._progress
        progress.failed += failed
        progress.succeeded += len(outcomes) - len(others)
        self.attempts += sum([outcome.attempts for outcome in outcomes])
        self._note_failing()
        if failed and self._first_error is None:
            self._note_first_error(
                next(outcome for outcome in outcomes if outcome.status is Status.FAILED)
            )

    def is_tolerable(self, total: int) -> bool:
        """True if `tolerate` allows the failures so far, of `total` items."""
        return self._allows(self.failures, total)

    def counts(self, total: int) -> ItemCounts:
        """The counts of recorded items, of `total` in all."""
        progress = self._progress
        return ItemCounts(total, progress.succeeded, progress.failed, progress.bad_records)

    def judge(self, total: int) -> TaskResult:
        """The result of a visit that has come to its end by itself."""
        counts = self.counts(total)
        if self._allows(counts.failed, total):
            return TaskResult(Status.SUCCEEDED, items=counts)
        if not counts.failed:
            return TaskResult(Status.FAILED, error=self._too_many_bad_records(), items=counts)
        assert self._first_error is not None
        index, first = self._first_error
        error = ErrorInfo(
            "ItemsFailed",
            f"{counts.failed:,} of {counts.total:,} items failed; "
            f"the first recorded, [{index}]: {first.type}: {first.message}",
            {"failed": counts.failed, "total": counts.total, "index": index, "type": first.type},
        )
        return TaskResult(Status.FAILED, error=error, items=counts)

    def _allows(self, failed: int, total: int) -> bool:
        """True if `tolerate` allows so many failed items of `total`, with the bad records."""
        bad = self._bad_records
        if bad is None or not bad.is_tolerated:
            return failed <= self._tolerate.allowed(total)
        return failed * bad.item_records + bad.count <= self._tolerate.allowed(bad.records)

    def _too_many_bad_records(self) -> ErrorInfo:
        bad = self._bad_records
        assert bad is not None
        assert bad.first is not None
        return ErrorInfo(
            "BadRecords",
            f"{bad.count:,} of {bad.records:,} records can't be read; "
            f"the first: {bad.first.type}: {bad.first.message}",
            {"bad_records": bad.count, "records": bad.records, "type": bad.first.type},
        )

    def _note_failing(self) -> None:
        progress = self._progress
        if progress.failed:
            done = progress.succeeded + progress.failed
            total = done if progress.total is None else progress.total
            progress.is_failing = not self._allows(progress.failed, total)

    def _note_first_error(self, failed: ItemOutcome) -> None:
        assert failed.error is not None
        self._first_error = failed.index, msgspec.json.decode(failed.error, type=ErrorInfo)
