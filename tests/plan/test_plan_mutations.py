"""Good workflows, damaged at random: each is a plan, or has problems with places, never else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fanwise
from fanwise.definition import load
from fanwise.errors import DefinitionError, Diagnostic
from fanwise.plan import compile_plan

HERE = Path(__file__).parent
GOOD = [
    (HERE.parent / "definition" / "order.yaml").read_text(),
    (Path(fanwise.__file__).parent / "demos" / "monitor" / "workflow.yaml").read_text(),
]
WORDS = [
    "needs",
    "next",
    "do",
    "fail",
    "join",
    "all",
    "when",
    "{{",
    "}}",
    "item",
    "task.",
    "release",
    "[",
    "]",
    ":",
    "-",
    "2",
    "finally",
    "tasks",
    "publish",
    "vars.",
    "result()",
    "secrets.X",
    "with-items",
    "5%",
    "until",
    "batch-size",
    "rate",
]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    lines = draw(st.sampled_from(GOOD)).splitlines()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        within = draw(st.integers(0, len(line)))
        match draw(st.sampled_from(["drop", "repeat", "copy", "insert", "cut"])):
            case "drop" if len(lines) > 1:
                del lines[at]
            case "repeat":
                lines.insert(at, line)
            case "copy":
                lines[at] = lines[draw(st.integers(0, len(lines) - 1))]
            case "insert":
                lines[at] = line[:within] + draw(st.sampled_from(WORDS)) + line[within:]
            case _:
                lines[at] = line[:within]
    return "\n".join(lines)


@pytest.mark.parametrize("text", GOOD)
def test_the_workflows_that_are_damaged_are_good(text: str) -> None:
    compile_plan(load(text, file="flow.yaml"), None)


@settings(deadline=None, max_examples=300)
@given(damaged())
def test_a_damaged_workflow_is_a_plan_or_has_problems(text: str) -> None:
    """Each problem is one line with a place in the file, a code and a message."""
    for problem in problems_of(text):
        assert 1 <= problem.place.line <= text.count("\n") + 2
        assert problem.code
        assert problem.message
        assert "\n" not in str(problem)


def problems_of(text: str) -> tuple[Diagnostic, ...]:
    try:
        compile_plan(load(text, file="flow.yaml"), None)
    except DefinitionError as error:
        return error.problems
    return ()
