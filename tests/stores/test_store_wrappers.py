"""The wrappers of `fanwise.testing.stores` break the one promise that they are there to break."""

from __future__ import annotations

import threading

import pytest

from fanwise.errors import RecordRefusedError, StoreError
from fanwise.model import ItemOutcome
from fanwise.testing.store_contract import a_run, an_item
from fanwise.testing.stores import FailingStore, GatedStore, MemoryStore, RefusingStore


def test_a_refusing_store_refuses_what_it_is_told_to_and_nothing_else():
    """A commit with a refused record leaves nothing; one without it is written."""
    store = RefusingStore(
        MemoryStore(), lambda record: isinstance(record, ItemOutcome) and record.index == 2
    )
    run_no = store.create_run(a_run())
    with pytest.raises(RecordRefusedError):
        store.commit([an_item(run_no, 1), an_item(run_no, 2)])
    store.commit([an_item(run_no, 3)])
    assert list(store.items(run_no, 1)) == [an_item(run_no, 3)]


@pytest.mark.parametrize(("when", "written"), [("before", [1]), ("after", [1, 2])])
def test_a_failing_store_writes_nothing_after_its_failure(when, written):
    """Commit `at` fails before or after it is written, and all later writes fail unwritten."""
    memory = MemoryStore()
    store = FailingStore(memory, at=2, when=when)
    run_no = store.create_run(a_run())
    store.commit([an_item(run_no, 1)])
    for index in (2, 3):
        with pytest.raises(StoreError):
            store.commit([an_item(run_no, index)])
    with pytest.raises(StoreError):
        store.create_run(a_run("run-2"))
    assert [item.index for item in store.items(run_no, 1)] == written
    assert store.commits == 3
    assert list(memory.run_ids()) == ["run-1"]


def test_a_gated_store_commits_only_what_the_test_lets_pass():
    """A commit waits at the gate, passes when it is let, and waits no more once it is open."""
    memory = MemoryStore()
    store = GatedStore(memory)
    run_no = store.create_run(a_run())

    def commit_three():
        for index in range(3):
            store.commit([an_item(run_no, index)])

    writer = threading.Thread(target=commit_three)
    writer.start()
    store.wait_for_commit()
    assert list(memory.items(run_no, 1)) == []
    store.let_pass()
    store.wait_for_commit()
    assert [item.index for item in memory.items(run_no, 1)] == [0]
    store.open()
    writer.join()
    assert [item.index for item in memory.items(run_no, 1)] == [0, 1, 2]
