"""Promises of every store about logs, as a part of `StoreContract`."""

from __future__ import annotations

from itertools import pairwise

import pytest

from fanwise.errors import RecordRefusedError
from fanwise.model import LogEntry
from fanwise.stores import Store
from fanwise.testing.records import a_log, a_run, an_item, as_written


class LogsContract:
    """The promises of `Journal` and `Records` about logs."""

    def test_logs_are_paged_in_the_order_of_task_index_and_time(self, store: Store) -> None:
        """Each comes once, whatever the order of tasks and items, and no other run's."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        logs = [
            a_log(run_no, "list", text="ü \U0001f9f5\nlines\n"),
            a_log(run_no, "list", at=1_700_000_001.0),
            *[
                a_log(run_no, f"check[{index}]", visit_no=2, index=index, attempt=attempt)
                for index in range(5)
                for attempt in (1, 2)
            ],
            # After a pause attempts count from 1 again.
            a_log(run_no, "check[4]", visit_no=2, index=4, at=1_700_000_002.0),
            a_log(run_no, "last", visit_no=3, text="x" * 100_000),
        ]
        store.commit([*logs[6:], a_log(other)])
        store.commit(logs[:6])
        pages: list[LogEntry] = []
        while page := store.logs(run_no, after=pages[-1] if pages else None, limit=4):
            assert len(page) <= 4
            assert page[0] not in pages
            pages += page
        assert as_written(pages) == logs
        assert as_written(store.logs(other)) == [a_log(other)]

    def test_each_log_of_an_attempt_is_kept(self, store: Store) -> None:
        """In the order in which they came, within one commit and over several."""
        run_no = store.create_run(a_run())
        store.commit([a_log(run_no, text="a"), a_log(run_no, text="b")])
        store.commit([a_log(run_no, text="c"), an_item(run_no, 0)])
        assert [log.text for log in store.logs(run_no)] == ["a", "b", "c"]

    def test_new_logs_are_those_that_came_after_one(self, store: Store) -> None:
        """In the order in which they came, whatever their tasks and times, and no other run's."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        logs = [
            a_log(run_no, "b", visit_no=2, text="1"),
            a_log(run_no, "a", visit_no=1, text="2", at=1.0),
            a_log(run_no, "a", visit_no=1, text="3", at=0.5),
        ]
        for log in logs:
            store.commit([log, a_log(other, text="no")])
        first, second = store.new_logs(run_no, limit=2)
        assert as_written([first, second]) == logs[:2]
        assert as_written(store.new_logs(run_no, after=second.log_no)) == logs[2:]
        assert as_written(store.new_logs(run_no)) == logs
        assert as_written(store.newest_logs(run_no)) == logs[::-1]
        assert as_written(store.newest_logs(run_no, limit=2)) == logs[:0:-1]
        assert as_written(store.newest_logs(run_no, before=second.log_no)) == logs[:1]

    @pytest.mark.parametrize(
        ("under", "found"),
        [
            ("log_in", [0, 1, 2, 3, 4]),
            ("log_in[1]", [1, 2]),
            ("log_in[1].greet", [2]),
            ("once", [7, 8]),
            ("log_in[1", []),
            ("LOG_IN", []),
            ("", []),
        ],
    )
    def test_logs_are_found_by_the_path_of_what_they_are_under(
        self, store: Store, under: str, found: list[int]
    ) -> None:
        """Those of a task or an item, and of all that runs inside it, also over pages."""
        run_no = store.create_run(a_run())
        paths = [
            *("log_in[0]", "log_in[1]", "log_in[1].greet", "log_in[12]", "log_in[12].greet"),
            *("log_in2[1]", "logXin[1]", "once", "once.greet"),
        ]
        logs = [a_log(run_no, path, visit_no=no) for no, path in enumerate(paths, start=1)]
        store.commit(logs)
        recorded = store.logs(run_no)
        wanted = [recorded[place] for place in found]
        assert list(store.logs(run_no, under=under)) == wanted
        for last, following in pairwise(wanted):
            assert list(store.logs(run_no, under=under, after=last, limit=1)) == [following]

    def test_a_log_is_read_with_the_label_of_its_item(self, store: Store) -> None:
        """As soon as the item is recorded; a task's own log has none."""
        run_no = store.create_run(a_run())
        log = a_log(run_no, "check[3]", index=3)
        store.commit([log, a_log(run_no)])
        assert as_written(store.logs(run_no)) == [a_log(run_no), log]
        store.commit([an_item(run_no, 3, label="höst"), an_item(run_no, 4, label="other")])
        assert [each.label for each in store.logs(run_no)] == [None, "höst"]

    @pytest.mark.parametrize("text", ["\ud800", "a\0b"])
    def test_a_log_that_is_not_unicode_is_refused(self, store: Store, text: str) -> None:
        """It leaves nothing of its commit."""
        run_no = store.create_run(a_run())
        with pytest.raises(RecordRefusedError):
            store.commit([an_item(run_no, 0), a_log(run_no, text=text)])
        assert list(store.items(run_no, 1)) == []
        assert list(store.logs(run_no)) == []
