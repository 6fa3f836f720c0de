"""Which files of a folder are ready for a trigger, and which of them become one run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fanwise.model import SeenFile, Stamp
from fanwise.triggers.batches import BatchRules
from fanwise.triggers.files import (
    MOST_GATHERED,
    FileRules,
    Seen,
    batch_key,
    close_batches,
    file_key,
    poll,
    waiting,
)

A, B, C = Stamp(1, 1, 1), Stamp(2, 1, 1), Stamp(1, 1, 2)
RULES = FileRules(glob="*.csv", settle_s=10)


def polls(rules: FileRules, *listings: tuple[float, dict[str, Stamp]]) -> list[tuple[str, ...]]:
    """The names that are ready after each poll, the first of which found an empty folder."""
    seen: Seen = poll(rules, None, {}, 0)[0]
    found = []
    for now, listing in listings:
        seen, ready = poll(rules, seen, listing, now)
        found.append(ready)
    return found


def test_a_file_is_ready_once_it_has_settled() -> None:
    """Once, and over two polls at least."""
    steps = [(5.0, {"a.csv": A}), (10.0, {"a.csv": A}), (15.0, {"a.csv": A}), (99.0, {"a.csv": A})]
    assert polls(RULES, *steps) == [(), (), ("a.csv",), ()]
    no_wait = FileRules(settle_s=0)
    assert polls(no_wait, (5.0, {"a": A}), (6.0, {"a": A})) == [(), ("a",)]


def test_a_file_that_grows_is_not_ready() -> None:
    """It has to stay as it is from its last change on."""
    steps = [(5.0, {"a.csv": A}), (14.0, {"a.csv": B}), (20.0, {"a.csv": B}), (24.0, {"a.csv": B})]
    assert polls(RULES, *steps) == [(), (), (), ("a.csv",)]


def test_a_file_that_was_replaced_is_a_new_one() -> None:
    """Also with the same size and time, by its inode."""
    steps = [(5.0, {"a.csv": A}), (15.0, {"a.csv": A}), (16.0, {"a.csv": C}), (26.0, {"a.csv": C})]
    assert polls(RULES, *steps) == [(), ("a.csv",), (), ("a.csv",)]
    assert file_key("a.csv", A) == "file:1:1:1:a.csv"
    assert file_key("a.csv", A) != file_key("a.csv", C)


def test_a_file_that_is_still_written_or_hidden_is_ignored() -> None:
    """By its name, as the glob asks for another ending."""
    names = [".a.csv", "~a.csv", "a.csv.part", "a.tmp", "a.crdownload", "b.txt", ".git/a.csv"]
    listing = {**dict.fromkeys(names, A), "in/b.csv": A}
    assert polls(RULES, (1.0, listing), (99.0, listing)) == [(), ("in/b.csv",)]


def test_what_was_there_at_first_is_taken_on_request() -> None:
    """By default only later files are."""
    for takes, expected in ((False, ()), (True, ("a.csv",))):
        rules = FileRules(takes_existing=takes)
        seen, ready = poll(rules, None, {"a.csv": A}, 0)
        assert ready == ()
        assert poll(rules, seen, {"a.csv": A}, 60)[1] == expected


def test_a_file_that_comes_back_is_not_taken_again() -> None:
    """After a week it is forgotten."""
    there, day = {"a.csv": A}, 86_400.0
    steps = [(5.0, there), (15.0, there), (20.0, {}), (6 * day, there), (6 * day + 20, there)]
    assert polls(RULES, *steps) == [(), ("a.csv",), (), (), ()]
    steps = [(5.0, there), (15.0, there), (20.0, {}), (8 * day, {}), (9 * day, there)]
    assert polls(RULES, *steps, (9 * day + 20, there))[-1] == ("a.csv",)


names = st.sampled_from(["a", "b", "c"])
listings = st.dictionaries(names, st.sampled_from([A, B, C]))


@given(st.lists(st.tuples(st.integers(1, 30), listings), max_size=20))
def test_no_content_is_handed_over_twice_while_it_stays(
    steps: list[tuple[int, dict[str, Stamp]]],
) -> None:
    """Between two times at which a file is ready it has had another stamp."""
    seen, now = poll(FileRules(), None, {}, 0)[0], 0.0
    changed = dict.fromkeys("abc", True)
    stamps: dict[str, Stamp] = {}
    for step, listing in steps:
        now += step
        for name, stamp in listing.items():
            changed[name] = changed[name] or stamps.get(name) != stamp
            stamps[name] = stamp
        seen, ready = poll(FileRules(), seen, listing, now)
        for name in ready:
            assert listing[name] == stamps[name]
            assert changed[name]
            changed[name] = False
        assert set(ready) <= set(waiting(seen))


def ready(at: float, batch: str = "", **changes: bool | float) -> SeenFile:
    return SeenFile(A, 0.0, ready_at=at, batch=batch, **changes)  # type: ignore[arg-type]


def test_files_are_handed_over_in_batches() -> None:
    """Full ones at once, others some time after their first file; each key has its own."""
    seen = {f"{n}": ready(n) for n in range(5)} | {"x": ready(3, "other")}
    rules = BatchRules(size=2, within_s=10)
    closed, next_at = close_batches(rules, seen, 5)
    assert (closed, next_at) == ([["0", "1"], ["2", "3"]], 13)
    assert close_batches(rules, seen, 13).closed == [["0", "1"], ["2", "3"], ["x"]]
    assert close_batches(rules, seen, 14) == ([["0", "1"], ["2", "3"], ["x"], ["4"]], None)
    assert close_batches(BatchRules(size=9), seen, 99) == ([], None)


def test_a_file_that_is_gone_or_taken_is_in_no_batch() -> None:
    """Nor is one that isn't ready."""
    seen = {
        "a": ready(1, is_taken=True),
        "b": ready(1, gone_at=2.0),
        "c": SeenFile(A, 0.0),
        "d": ready(1),
    }
    assert close_batches(BatchRules(within_s=0.5), seen, 9).closed == [["d"]]


def test_a_batch_has_a_bound_of_its_own() -> None:
    """So a folder that fills up while nobody looks doesn't become one enormous run."""
    seen = {f"{n:05}": ready(0) for n in range(MOST_GATHERED + 1)}
    sizes = [len(each) for each in close_batches(BatchRules(within_s=1), seen, 9).closed]
    assert sizes == [MOST_GATHERED, 1]


def test_the_key_of_a_batch_is_that_of_its_files() -> None:
    """It is a stored contract."""
    keys = [file_key(name, A) for name in ("a", "b")]
    assert batch_key(keys) == "files:4b19b302319cdd746566cfe2d7297f0f"
    assert batch_key(keys) != batch_key(keys[:1])
