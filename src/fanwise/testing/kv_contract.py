"""Promises of every store about keys and values, as tests to mix into a `StoreContract`.

class TestMyStore(KvContract, StoreContract):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return MyStore(folder / "store", now)
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fanwise.errors import KeyConflictError
from fanwise.model import Discard, EndedRun, KvChange, KvEntry, Status
from fanwise.stores import Store
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import an_owner, at_once
from fanwise.testing.records import a_run

_WEEK_S = 7 * 86_400.0


def a_change(value: bytes | None = b"1", name: str = "cursor", **changes: object) -> KvChange:
    """A change by somebody."""
    return replace(KvChange(name=name, value=value, by="ada"), **changes)


class KvContract:
    """The promises of `KeyValues`."""

    def test_a_key_has_the_value_that_was_set_last(self, store: Store, clock: ManualClock) -> None:
        """Each change gives it a higher version."""
        assert store.kv_entry("cursor") is None
        assert store.kv_change(a_change(b"[1]")) == 1
        assert store.kv_entry("cursor") == KvEntry("cursor", b"[1]", 1, False, clock.now(), "ada")
        clock.advance(5)
        assert store.kv_change(a_change(b'"x"', by="bob", is_secret=True)) == 2
        assert store.kv_entry("cursor") == KvEntry("cursor", b'"x"', 2, True, clock.now(), "bob")

    def test_a_deleted_key_is_gone_and_its_versions_go_on(self, store: Store) -> None:
        """So a change that is for the version before its deletion finds another one."""
        store.kv_change(a_change())
        assert store.kv_change(a_change(None)) == 2
        assert (store.kv_entry("cursor"), list(store.kv_entries(limit=9))) == (None, [])
        assert store.kv_change(a_change(b"2")) == 3

    def test_a_value_lasts_for_its_time(self, store: Store, clock: ManualClock) -> None:
        """A key whose time is over isn't set."""
        store.kv_change(a_change(ttl_s=60.0))
        entry = store.kv_entry("cursor")
        assert entry is not None
        assert entry.expires_at == clock.now() + 60
        clock.advance(60)
        assert (store.kv_entry("cursor"), list(store.kv_entries(limit=9))) == (None, [])
        assert store.kv_change(a_change(b"2", if_version=0)) == 2

    def test_a_change_is_made_for_the_version_that_it_is_for(self, store: Store) -> None:
        """Otherwise the error has the version, and nothing is changed."""
        assert store.kv_change(a_change(if_version=0)) == 1
        assert store.kv_change(a_change(b"2", if_version=1)) == 2
        for value, wanted in ((b"3", 0), (b"3", 1), (None, 1)):
            with pytest.raises(KeyConflictError, match='"cursor" has version 2') as caught:
                store.kv_change(a_change(value, if_version=wanted))
            assert (caught.value.name, caught.value.version) == ("cursor", 2)
        with pytest.raises(KeyConflictError, match="isn't set"):
            store.kv_change(a_change(name="other", if_version=1))
        assert [each.value for each in store.kv_entries(limit=9)] == [b"2"]

    def test_of_changes_at_once_for_one_version_one_is_made(self, store: Store) -> None:
        """No change of a key is lost by another one that was made of the same version."""

        def take(number: int) -> int | None:
            try:
                return store.kv_change(a_change(by=f"user-{number}", if_version=0))
            except KeyConflictError:
                return None

        found = at_once(8, take)
        assert sorted(map(str, found)) == ["1", *["None"] * 7]

    def test_a_change_that_is_made_again_is_made_once(self, store: Store) -> None:
        """So an attempt after a crash doesn't conflict with the one before."""
        change = a_change(if_version=0, by="run/task/1", is_once=True)
        assert [store.kv_change(change), store.kv_change(change)] == [1, 1]
        gone = a_change(None, if_version=1, by="run/task/2", is_once=True)
        assert [store.kv_change(gone), store.kv_change(gone)] == [2, 2]

    def test_versions_are_forgotten_a_week_after_a_key_is_gone(
        self, store: Store, clock: ManualClock
    ) -> None:
        """Names that nobody uses any more cost nothing."""
        store.kv_change(a_change())
        store.kv_change(a_change(None))
        clock.advance(_WEEK_S)
        store.kv_change(a_change(name="other"))
        assert store.kv_change(a_change()) == 3
        store.kv_change(a_change(None))
        clock.advance(_WEEK_S + 1)
        store.kv_change(a_change(name="other"))
        assert store.kv_change(a_change()) == 1

    def test_keys_are_listed_in_pages(self, store: Store) -> None:
        """In bytewise order, also those with a common beginning alone."""
        for name in ("b", "a/2", "a/10", "A", "é", "a%"):
            store.kv_change(a_change(name=name))
        names = [each.name for each in store.kv_entries(limit=9)]
        assert names == ["A", "a%", "a/10", "a/2", "b", "é"]
        assert [each.name for each in store.kv_entries(after="a%", limit=2)] == ["a/10", "a/2"]
        assert [each.name for each in store.kv_entries(prefix="a/", limit=9)] == ["a/10", "a/2"]

    def test_a_run_reads_a_key_once_at_a_path(self, store: Store) -> None:
        """Also one that isn't set then. Another path has values of its own."""
        run_no = store.create_run(a_run())
        store.kv_change(a_change(b"[1]"))
        assert _read(store, run_no, "a", "cursor", "no") == {"cursor": (b"[1]", 1)}
        store.kv_change(a_change(b"2"))
        store.kv_change(a_change(b"3", name="no"))
        assert _read(store, run_no, "a", "cursor", "no") == {"cursor": (b"[1]", 1)}
        assert _read(store, run_no, "a", "no", "more") == {}
        assert _read(store, run_no, "b", "cursor", "no") == {"cursor": (b"2", 2), "no": (b"3", 1)}

    def test_a_secret_is_read_again(self, store: Store) -> None:
        """Its value isn't recorded with the run."""
        run_no = store.create_run(a_run())
        store.kv_change(a_change(b'"old"', is_secret=True))
        assert _read(store, run_no, "a", "cursor") == {"cursor": (b'"old"', 1)}
        store.kv_change(a_change(b'"new"', is_secret=True))
        assert _read(store, run_no, "a", "cursor") == {"cursor": (b'"new"', 2)}

    def test_what_a_discarded_child_has_read_is_read_again(self, store: Store) -> None:
        """Its attempt is made from its start."""
        run_no = store.create_run(a_run(), store.enroll(an_owner()))
        store.kv_change(a_change())
        for path in ("check[1].a", "check[10].a"):
            _read(store, run_no, path, "cursor")
        store.commit([Discard(run_no, under="check[1]")], {run_no: 1})
        store.kv_change(a_change(b"2"))
        assert _read(store, run_no, "check[1].a", "cursor") == {"cursor": (b"2", 2)}
        assert _read(store, run_no, "check[10].a", "cursor") == {"cursor": (b"1", 1)}

    def test_readings_go_with_their_run_and_keys_stay(self, store: Store) -> None:
        """A value outlives the run that has set it."""
        run_no = store.create_run(a_run(status=Status.SUCCEEDED))
        store.kv_change(a_change())
        _read(store, run_no, "a", "cursor")
        (ended,) = store.ended_runs()
        assert isinstance(ended, EndedRun)
        assert store.delete_run(ended)
        assert sum(store.delete_orphans()) == 1
        assert store.kv_entry("cursor") is not None


def _read(store: Store, run_no: int, path: str, *names: str) -> dict[str, tuple[bytes, int]]:
    found = store.kv_read(run_no, path, names)
    return {name: (each.value, each.version) for name, each in found.items()}
