"""`batch-size`: a batch is the item everywhere."""

from __future__ import annotations

import msgspec
import pytest

import fanwise
from fanwise.errors import ActionError, DefinitionError, FrozenError
from fanwise.model import ErrorInfo, ItemCounts, Status


@fanwise.action("test.sum")
async def add(values: list, index: int = -1) -> dict:
    return {"index": index, "count": len(values), "sum": sum(values)}


BATCHED = """
tasks:
  - {{name: each, action: test.sum, with-items: {items}, batch-size: {size},
      input: {{values: "{{{{ item }}}}", index: "{{{{ index }}}}"}}}}
output: {{list: "{{{{ task.each.output }}}}", items: "{{{{ task.each.items }}}}"}}
"""


def test_an_action_gets_lists_and_the_last_one_is_what_is_left(loom) -> None:
    """`item` is the list, `index` counts batches, and the output has an entry for each batch."""
    run = loom.run(BATCHED.format(items="{range: 2500}", size=1000), add)
    assert run.output == {
        "list": [
            {"index": 0, "count": 1000, "sum": sum(range(1000))},
            {"index": 1, "count": 1000, "sum": sum(range(1000, 2000))},
            {"index": 2, "count": 500, "sum": sum(range(2000, 2500))},
        ],
        "items": {"total": 3, "succeeded": 3, "failed": 0},
    }
    assert [item.index for item in loom.items()] == [0, 1, 2]


@pytest.mark.parametrize(
    ("items", "counts"), [("[]", []), ("[7]", [1]), ("[1, 2]", [2]), ("[1, 2, 3]", [2, 1])]
)
def test_batches_of_short_lists(loom, items, counts) -> None:
    """No batch is empty, and none is larger than the size."""
    run = loom.run(BATCHED.format(items=items, size=2), add)
    assert [each["count"] for each in run.output["list"]] == counts
    assert run.output["items"]["total"] == len(counts)


def test_batches_are_made_of_what_filters_and_files_give(loom) -> None:
    """With a stream, how many batches there are is known at its end."""
    (loom.folder / "numbers.jsonl").write_text("".join(f"{n}\n" for n in range(7)))
    run = loom.run(BATCHED.format(items="{jsonl: numbers.jsonl}", size=3), add)
    assert [each["count"] for each in run.output["list"]] == [3, 3, 1]
    assert run.output["items"]["total"] == 3


def test_tolerate_and_retry_go_by_the_batch(loom) -> None:
    """A failed batch is one failed item, and is tried again as a whole."""
    tries: dict[int, int] = {}

    @fanwise.action("test.flaky")
    async def flaky(values: list) -> int:
        tries[values[0]] = tries.get(values[0], 0) + 1
        if values[0] == 0 or (values[0] == 10 and tries[10] < 2):
            raise ActionError("no")
        return len(values)

    run = loom.run(
        """
        tasks:
          - {name: each, action: test.flaky, with-items: {range: 30}, batch-size: 10, tolerate: 34%,
             retry: {count: 1}, input: {values: "{{ item }}"}}
        output: "{{ task.each.output }}"
        """,
        flaky,
    )
    assert run.tasks["each"].status is Status.SUCCEEDED
    assert run.output == [None, 10, 10]
    assert tries == {0: 2, 10: 2, 20: 1}


def test_an_element_that_cannot_be_read_fails_its_batch_only(loom) -> None:
    """The batch's error has the element's type, and says which one it is and where it stands."""
    (loom.folder / "numbers.jsonl").write_text("0\n1\n2\n{\n4\n")
    run = loom.run(BATCHED.format(items="{jsonl: numbers.jsonl}", size=2), add)
    assert run.tasks["each"].items == ItemCounts(total=3, succeeded=2, failed=1)
    (failed,) = loom.items(status=Status.FAILED)
    error = msgspec.json.decode(failed.error, type=ErrorInfo)
    assert error.type == "BadJson"
    assert error.message.startswith("item[1] of the batch can't be read: ")
    assert "numbers.jsonl:4" in error.message


def test_a_batch_cannot_be_changed(loom) -> None:
    """It may be shared with other attempts, as every value of a context is."""

    @fanwise.action("test.change")
    async def change(values: object) -> None:
        with pytest.raises(FrozenError):
            values.append(1)

    run = loom.run(
        """
        tasks: [{name: each, action: test.change, with-items: [1, 2], batch-size: 2,
                 input: {values: "{{ item }}"}}]
        """,
        change,
    )
    assert run.status is Status.SUCCEEDED


def test_a_template_may_give_the_size(loom) -> None:
    text = "parameters: {size: {type: integer}}\n" + BATCHED.format(
        items="[1, 2, 3, 4]", size='"{{ parameters.size }}"'
    )
    run = loom.run(text, add, parameters={"size": 3})
    assert [each["count"] for each in run.output["list"]] == [3, 1]
    failed = loom.run(text, add, parameters={"size": 0})
    assert "batch-size takes a whole number from 1" in failed.tasks["each"].error.message


def test_rates_and_batches_need_items(loom) -> None:
    with pytest.raises(DefinitionError) as raised:
        loom.run("tasks: [{name: one, action: test.sum, rate: 1/s, batch-size: 2}]", add)
    assert [problem.code for problem in raised.value.problems][:2] == ["needs-with-items"] * 2
