"""Records of a file that can't be read and are left out of a visit's items."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fanwise.engine.feeds.progress import Progress
from fanwise.model import ErrorInfo


class BadRecords:
    """Counts the records that are left out, and keeps as much of their errors as a log holds.

    `item_records` is the number of records in one item. With `is_tolerated` the count is judged by
    the task's `tolerate`, together with the records of failed items.
    """

    def __init__(
        self, progress: Progress, *, item_records: int, is_tolerated: bool, log_bytes: int
    ) -> None:
        self.item_records = item_records
        self.is_tolerated = is_tolerated
        self.first: ErrorInfo | None = None
        self.written = bytearray()
        """Lines of text, one for each record, up to `log_bytes`."""
        self.left_out_bytes = 0
        """The bytes of further lines."""
        self.records = 0
        """All records read so far."""
        self._progress = progress
        self._log_bytes = log_bytes
        self._changed: Callable[[], None] | None = None
        progress.bad_records = 0

    @property
    def count(self) -> int:
        """The records that are left out so far."""
        return self._progress.bad_records or 0

    def on_change(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when more records are left out."""
        self._changed = callback

    def note(self, sound: int, faults: Sequence[ErrorInfo]) -> None:
        """Count records: so many that can be read, and those with these errors."""
        self.records += sound + len(faults)
        self._progress.bad_records = self.count + len(faults)
        for fault in faults:
            self.first = self.first or fault
            line = f"{fault.message}\n".encode()
            if self.left_out_bytes or len(self.written) + len(line) > self._log_bytes:
                self.left_out_bytes += len(line)
            else:
                self.written += line
        if faults and self._changed is not None:
            self._changed()
