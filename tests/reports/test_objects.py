"""Records as JSON."""

from __future__ import annotations

from fanwise.model import ItemOutcome, Status
from fanwise.reports.objects import item_object


def test_all_times_of_an_item_are_written_alike() -> None:
    """Those of its failed attempts as that of its last one."""
    earlier = b'[{"attempt":1,"started_at":0.5,"duration_s":1.0,"type":"T","message":"m"}]'
    item = ItemOutcome(1, 1, 0, Status.SUCCEEDED, 2, 60.5, 1.0, earlier=earlier)
    told = item_object(item)
    assert told["started_at"] == "1970-01-01T00:01:00.500Z"
    assert told["earlier"] == [
        {
            "attempt": 1,
            "started_at": "1970-01-01T00:00:00.500Z",
            "duration_s": 1.0,
            "type": "T",
            "message": "m",
        }
    ]
