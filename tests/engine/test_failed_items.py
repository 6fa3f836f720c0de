"""Failed items as data: in templates, in Python, and in records, with the attempts before."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import fanwise
from fanwise.engine.failures import FailedItems
from fanwise.engine.feeds.traces import FIRST_KEPT, LAST_KEPT, item_text, label_of, with_attempt
from fanwise.engine.masking import Masker
from fanwise.errors import DefinitionError
from fanwise.model import ErrorInfo, FailedAttempt, ItemOutcome, Status
from fanwise.values import JsonObject


@fanwise.action("test.odd")
async def odd(value: int) -> int:
    """Fails for odd numbers."""
    if value % 2:
        raise fanwise.ActionError(f"{value} is odd", type="Odd", data={"value": value})
    return value


@fanwise.action("test.note")
async def note(value: object = None) -> object:
    return value


TWICE = """
tasks:
  - name: each
    action: test.odd
    with-items: {range: 500}
    tolerate: 100%
    input: {value: "{{ item }}"}
  - name: note
    action: test.note
    with-items: "{{ task.each.failures }}"
    input: {value: "{{ item }}"}
output:
  count: "{{ task.each.failures | length }}"
  last: "{{ task.each.failures[-1].item }}"
  back: "{{ task.each.failures[3].index }}"
  noted: "{{ task.note.output[0] }}"
"""


def test_failed_items_are_a_list_that_a_later_task_goes_through(loom) -> None:
    """Each has index, label, item and error; it is read back and forth, over several pages."""
    run = loom.run(TWICE, odd, note)
    error = {"type": "Odd", "message": "1 is odd", "data": {"value": 1}}
    assert run.output == {
        "count": 250,
        "last": 499,
        "back": 7,
        "noted": {"index": 1, "label": "1", "item": 1, "error": error},
    }
    assert run.tasks["note"].items == fanwise.ItemCounts(250, 250, 0)
    assert [each["index"] for each in run.tasks["each"].failures] == list(range(1, 500, 2))
    assert list(run.tasks["note"].failures) == []


def test_a_run_from_python_gives_its_failed_items_although_its_store_is_closed(tmp_path) -> None:
    """They are read from it page by page."""
    store = str(tmp_path / "fanwise.db")
    run = fanwise.run(TWICE, store=store, actions=[odd, note])
    failures = run.tasks["each"].failures
    assert len(failures) == 250
    assert failures[249]["error"]["message"] == "499 is odd"


CHILD = """
tasks:
  - {name: each, action: test.odd, with-items: [1, 2, 3], tolerate: 3, input: {value: "{{ item }}"}}
  - {name: skipped, action: test.odd, with-items: [1], when: "{{ false }}", input: {value: 1}}
output: ["{{ task.each.failures | map(attribute='item') | list }}", "{{ task.skipped.failures }}"]
"""


def test_failed_items_of_a_skipped_task_are_none(loom) -> None:
    """The list is empty, and not null."""
    assert loom.run(CHILD, odd).output == [[1, 3], []]


def test_a_task_without_items_has_no_failed_items(loom) -> None:
    """The check before the run says so, and names its error."""
    text = "tasks: [{name: a, action: test.note}]\noutput: '{{ task.a.failures }}'"
    with pytest.raises(DefinitionError, match=r"has no with-items.*task\.a\.error"):
        loom.run(text, note)


def test_a_failed_item_is_recorded_with_itself_as_its_label(loom) -> None:
    """Masked; an item that succeeds at once costs no more than before, and has neither."""
    loom.environment = {"FANWISE_SECRET_KEY": "hunter2"}
    run = loom.run(
        """
        tasks:
          - name: each
            action: test.odd
            with-items: [{n: 2}, {n: 3, key: hunter2}]
            input: {value: "{{ item.n }}"}
        """,
        odd,
    )
    assert run.status is Status.FAILED
    good, bad = loom.items()
    assert (good.label, good.item) == (None, None)
    assert bad.label == '{"n":3,"key":"***"}'
    assert bad.item == b'{"n":3,"key":"***"}'


def test_a_failed_item_that_is_long_is_recorded_in_part(loom) -> None:
    """Its record is bounded by `limits.error_bytes`, its label by 200 characters."""
    loom.limits = msgspec.structs.replace(loom.limits, error_bytes=1_000)
    loom.run(
        """
        tasks:
          - name: each
            action: test.odd
            with-items: ["{{ 'x' * 5000 }}"]
            input: {value: 1}
        """,
        odd,
    )
    (item,) = loom.items()
    assert len(item.item) <= 1_100
    assert b"left out" in item.item
    assert item.label == "x" * 200


class Flaky:
    """Fails a number of times, then succeeds."""

    def __init__(self, times: int) -> None:
        self.left = times

    def action(self):
        @fanwise.action("test.flaky")
        async def flaky() -> str:
            self.left -= 1
            if self.left >= 0:
                raise fanwise.ActionError(f"{self.left} left", type="Flaky")
            return "done"

        return flaky


@pytest.mark.parametrize("items", ["", "with-items: [1], "])
def test_failed_attempts_before_the_last_one_are_recorded(loom, items: str) -> None:
    """Of a task and of an item alike; of many the first few and the last few."""
    text = f"tasks: [{{name: a, action: test.flaky, {items}retry: {{count: 20, delay: 0s}}}}]"
    run = loom.run(text, Flaky(10).action())
    assert run.status is Status.SUCCEEDED
    if items:
        (item,) = loom.items()
        earlier = msgspec.json.decode(item.earlier, type=tuple[FailedAttempt, ...])
        assert (item.item, item.label) == (b"1", None)
    else:
        (row,) = loom.rows()
        earlier = row.earlier
    assert [each.attempt for each in earlier] == [1, 2, 3, 8, 9, 10]
    assert [each.message for each in earlier][:2] == ["9 left", "8 left"]
    assert {each.type for each in earlier} == {"Flaky"}


@given(st.integers(0, 60))
def test_of_failed_attempts_the_first_and_the_last_are_kept(count: int) -> None:
    """However many there are, and no other number of them than that bound."""
    earlier = ()
    for attempt in range(1, count + 1):
        earlier = with_attempt(earlier, attempt, ErrorInfo("A", "x" * 9_999), 0.0, 0.0)
    made = list(range(1, count + 1))
    most = FIRST_KEPT + LAST_KEPT
    kept = made if count <= most else [*made[:FIRST_KEPT], *made[-LAST_KEPT:]]
    assert [each.attempt for each in earlier] == kept


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(st.characters(codec="ascii"), max_size=9),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text("abc", max_size=3), part),
)


@given(JSON)
def test_the_text_of_an_item_is_one_line_and_of_bounded_length(item: object) -> None:
    """Whatever the item is; what fits is recorded as it is."""
    try:
        text = item_text(item, Masker([]), 10_000)
    except fanwise.FanwiseError:  # it has a character that no store can hold
        return
    assert msgspec.json.decode(text) == item
    label = label_of(text)
    assert len(label) <= 200
    assert "\n" not in label


@given(st.lists(st.integers(0, 10_000), unique=True, max_size=350), st.data())
def test_failed_items_read_the_same_in_any_order(indexes: list[int], data: st.DataObject) -> None:
    """The list is that of all pages, from whichever place it is read first."""
    found = sorted(indexes)
    error = msgspec.json.encode(ErrorInfo("A", "it broke"))

    def read(_run_no: int, _visit_no: int, after: int) -> list[ItemOutcome]:
        over = [index for index in found if index > after]
        failed = ItemOutcome(1, 1, 0, Status.FAILED, 1, 0.0, 0.0, None, error)
        return [replace(failed, index=index) for index in over[:100]]

    failures = FailedItems(read, 1, 1, len(found))
    for at in (
        data.draw(st.lists(st.integers(-len(found), len(found) - 1), max_size=9)) if found else ()
    ):
        one: JsonObject = dict(failures[at])
        assert one["index"] == found[at]
    assert [each["index"] for each in failures] == found
