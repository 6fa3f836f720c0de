"""Lists of any length that an action reads an element at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import fanwise
from fanwise.actions.decorator import STREAM
from fanwise.catalog import Elements
from fanwise.engine.pages import PagedOutput
from fanwise.model import Limits, Status

MAKE = """
tasks:
  - {name: make, action: test.give, with-items: {range: 5}, input: {n: "{{ item }}"}}
  - name: take
    action: test.take
    retry: {count: 2, delay: 1ms}
    input: {rows: ROWS}
"""


@fanwise.action("test.give")
async def give(n: int) -> dict[str, int]:
    return {"n": n}


class Taking:
    """An action that reads its rows, and fails the first time in the middle of them."""

    def __init__(self) -> None:
        self.kinds: list[type] = []
        self.attempts: list[list[Any]] = []

    def action(self) -> Any:
        @fanwise.action("test.take")
        def take(rows: Annotated[Iterable[object], STREAM]) -> None:
            self.kinds.append(type(rows))
            self.attempts.append([])
            for row in rows:
                self.attempts[-1].append(row)
                if len(self.attempts) == 1 and len(self.attempts[0]) == 2:
                    raise OSError("the first attempt")

        return take


def taken(loom: Any, rows: str) -> Taking:
    taking = Taking()
    run = loom.run(MAKE.replace("ROWS", rows), give, taking.action())
    assert run.status is Status.SUCCEEDED
    return taking


def test_an_output_of_any_length_is_read_in_pages(loom: Any) -> None:
    """It may be larger than limits.input_bytes; each attempt reads it from its beginning."""
    loom.limits = Limits(input_bytes=10)
    taking = taken(loom, '"{{ task.make.output }}"')
    assert taking.kinds == [PagedOutput, PagedOutput]
    assert taking.attempts == [[{"n": 0}, {"n": 1}], [{"n": n} for n in range(5)]]


def test_a_filtered_output_is_made_anew_for_each_attempt(loom: Any) -> None:
    """The filters go through it as it is read."""
    loom.limits = Limits(input_bytes=10)
    taking = taken(loom, """ "{{ task.make.output | map(attribute='n') | select('gt', 1) }}" """)
    assert taking.kinds == [Elements, Elements]
    assert taking.attempts == [[2, 3], [2, 3, 4]]


def test_a_list_is_given_as_it_is(loom: Any) -> None:
    """Also one whose elements are templates, or paged outputs."""
    taking = taken(loom, '[1, "{{ task.make.output | length }}", "{{ task.make.output }}"]')
    assert taking.attempts[1] == [1, 5, [{"n": n} for n in range(5)]]


def test_a_template_that_fails_on_the_way_fails_the_attempt(loom: Any) -> None:
    """Its error names the place in the workflow, and it isn't tried again."""
    taking = Taking()
    text = MAKE.replace("ROWS", """ "{{ task.make.output | map(attribute='no') }}" """)
    run = loom.run(text, give, taking.action())
    assert run.status is Status.FAILED
    error = run.tasks["take"].error
    assert error is not None
    assert error.type == "TemplateError"
    assert "flow.yaml:7:" in error.message
    assert taking.attempts == [[]]


def test_what_is_no_list_is_refused(loom: Any) -> None:
    """The error names the input and the place."""
    run = loom.run(MAKE.replace("ROWS", '"{{ task.make.items }}"'), give, Taking().action())
    error = run.tasks["take"].error
    assert error is not None
    assert error.message.endswith('input "rows" of test.take must be a list.')
