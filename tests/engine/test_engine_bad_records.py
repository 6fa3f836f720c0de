"""`bad-records`: records of a file that can't be read, left out and counted."""

from __future__ import annotations

from typing import Any

import pytest

import fanwise
from fanwise.model import ItemCounts, Limits, Status

LINES = ["1", "oops", "2", "3", "4", "{", "5"]

FLOW = """
tasks:
  - name: load
    action: test.load
    with-items: {{jsonl: f.jsonl}}
    {keys}
    input: {{values: "{{{{ item }}}}"}}
output: "{{{{ task.load.items }}}}"
"""


class Loading:
    """An action that notes what it is given, and fails for the values that are named."""

    def __init__(self, *failing: int) -> None:
        self.failing = set(failing)
        self.given: list[Any] = []

    def action(self) -> Any:
        @fanwise.action("test.load")
        async def load(values: Any) -> None:
            self.given.append(values)
            if self.failing & set(values if isinstance(values, list) else [values]):
                raise OSError("not loaded")

        return load


def load(loom: Any, keys: str, *failing: int) -> tuple[Any, list[Any]]:
    """The run of the flow with these keys, and what its action was given."""
    loading = Loading(*failing)
    (loom.folder / "f.jsonl").write_text("\n".join(LINES))
    run = loom.run(FLOW.format(keys="\n    ".join(keys.split(", "))), loading.action())
    return run, loading.given


def test_bad_records_are_left_out_of_batches(loom: Any) -> None:
    """Batches are as full as ever; counts are in the context, the record, and a notice."""
    run, given = load(loom, "bad-records: skip, batch-size: 2")
    assert given == [[1, 2], [3, 4], [5]]
    assert run.status is Status.SUCCEEDED
    assert run.output == {"total": 3, "succeeded": 3, "failed": 0, "bad_records": 2}
    assert loom.rows()[0].items == ItemCounts(3, 3, 0, 2)
    (notice,) = loom.watcher.notices
    assert notice.startswith("2 of 7 records of load can't be read and are left out: ")


def test_an_item_that_cannot_be_read_is_asked_for_no_label(loom: Any) -> None:
    """Its error says it all; a notice about its label would be of what the label isn't about."""
    run, given = load(loom, 'label: "{{ item + 1 }}", tolerate: 2')
    assert (run.status, given) == (Status.SUCCEEDED, [1, 2, 3, 4, 5])
    items = loom.store.items(loom.record().run_no, loom.rows()[0].visit_no, limit=9)
    assert [item.label for item in items] == ["2", None, "3", "4", "5", None, "6"]
    assert loom.watcher.notices == []


def test_bad_records_are_logged_up_to_a_bound(loom: Any) -> None:
    """Each by its file and line, so that they can be repaired."""
    load(loom, "bad-records: skip")
    (log,) = loom.store.logs(loom.record().run_no)
    first, second = log.text.splitlines()
    assert (log.path, log.index) == ("load", None)
    assert "f.jsonl:2: this isn't JSON" in first
    assert "f.jsonl:6: this isn't JSON" in second
    loom.limits = Limits(log_bytes=len(first) + 10)
    load(loom, "bad-records: skip")
    (log,) = loom.store.logs(loom.record().run_no)
    assert "bytes more were left out" in log.text


@pytest.mark.parametrize(
    ("keys", "failing", "succeeds"),
    [
        ("tolerate: 2", [], True),
        ("tolerate: 1", [], False),
        ("tolerate: 29%", [], True),  # of 7 records
        ("tolerate: 28%", [], False),
        ("tolerate: 2, batch-size: 2", [], True),
        ("tolerate: 1, batch-size: 2", [], False),
        ("tolerate: 4, batch-size: 2", [3], True),  # a failed batch counts with its records
        ("tolerate: 3, batch-size: 2", [3], False),
        ("tolerate: 3", [3], True),
        ("tolerate: 2", [3], False),
    ],
)
def test_tolerance_counts_records(loom: Any, keys: str, failing: list, succeeds: bool) -> None:
    """Those that can't be read and those of failed items, of all that were read."""
    run, _ = load(loom, f"bad-records: tolerate, {keys}", *failing)
    assert run.status is (Status.SUCCEEDED if succeeds else Status.FAILED)
    assert loom.rows()[0].items.bad_records == 2


def test_too_many_bad_records_are_an_error_of_their_own(loom: Any) -> None:
    """It names the first of them, and has the numbers as data."""
    run, _ = load(loom, "bad-records: tolerate, tolerate: 1, batch-size: 9")
    error = run.tasks["load"].error
    assert error.type == "BadRecords"
    assert error.message.startswith("2 of 7 records can't be read; the first: BadJson: ")
    assert error.data == {"bad_records": 2, "records": 7, "type": "BadJson"}


def test_a_task_stops_at_bad_records_that_cant_be_tolerated(loom: Any) -> None:
    """It starts no more items then."""
    run, given = load(
        loom, "bad-records: tolerate, on-item-error: stop, concurrency: 1, batch-size: 1"
    )
    assert run.status is Status.FAILED
    assert given == []


def test_skipped_records_are_never_failures(loom: Any) -> None:
    """`tolerate` counts items, as without them."""
    run, _ = load(loom, "bad-records: skip, batch-size: 2", 5)
    assert run.status is Status.FAILED
    assert run.tasks["load"].error.type == "ItemsFailed"


@pytest.mark.parametrize("batch", ["", ", batch-size: 2"])
def test_a_retry_keeps_the_places_of_items(loom: Any, batch: str) -> None:
    """The same records are left out again, and counted once."""
    keys = f"bad-records: skip{batch}"
    loading = Loading(3)
    (loom.folder / "f.jsonl").write_text("\n".join(LINES))
    text = FLOW.format(keys="\n    ".join(keys.split(", ")))
    assert loom.run(text, loading.action()).status is Status.FAILED
    loading.failing, loading.given = set(), []
    run = loom.retry(text, loading.action())
    assert run.status is Status.SUCCEEDED
    assert loading.given == [[3, 4] if batch else 3]
    assert run.output["bad_records"] == 2
