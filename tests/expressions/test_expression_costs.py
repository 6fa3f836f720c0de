"""Invariant 8: a template pays for what it costs. Work is counted in steps, without a clock."""

import pytest

from fanwise.context import WorkflowContext
from fanwise.expressions import compile_template
from fanwise.expressions.flow import hash_key
from fanwise.expressions.frame import Frame
from fanwise.expressions.functions import FILTERS, FUNCTIONS, METHOD_NAMES, TESTS
from fanwise.expressions.operators import ARITHMETIC
from fanwise.model import Limits
from tests.expressions.template_costs import (
    OF_CHARACTERS,
    OF_ELEMENTS,
    OF_SQUARES,
    named,
    parsed,
    written,
)

BOUNDLESS = Limits(template_steps=10**15, template_bytes=10**15)
CHARACTERS_PER_STEP = 256


def steps(text: str, n: int) -> int:
    """The steps that a line of the tables takes with values of size `n`."""
    template = compile_template(written(text, n), limits=BOUNDLESS)
    frame = Frame(WorkflowContext(named(text, n)), None, BOUNDLESS, template._size)
    template._run(frame)
    return BOUNDLESS.template_steps - frame.budget._steps


@pytest.mark.parametrize(("name", "text"), parsed(OF_CHARACTERS))
def test_every_character_is_paid_for(name, text):
    """Whatever reads a text costs a step for 256 characters at least."""
    assert steps(text, 16_000) - steps(text, 4_000) >= 12_000 // CHARACTERS_PER_STEP


@pytest.mark.parametrize(("name", "text"), parsed(OF_ELEMENTS))
def test_every_element_is_paid_for(name, text):
    """Whatever goes through a list costs a step for each element at least."""
    assert steps(text, 400) - steps(text, 100) >= 300


@pytest.mark.parametrize(("name", "text"), parsed(OF_SQUARES))
def test_work_that_grows_with_the_square_is_paid_as_such(name, text):
    """Where twice the size takes four times the work, it takes about four times the steps."""
    small, middle, large = (steps(text, n) for n in (500, 1_000, 2_000))
    assert large - middle >= 2.8 * (middle - small) > 0


def test_the_tables_hold_whatever_templates_can_call():
    """No filter, test, function, method or operator is without a template that drives it."""
    driven = {
        name for table in (OF_CHARACTERS, OF_ELEMENTS, OF_SQUARES) for name, _ in parsed(table)
    }
    wanted = {*FILTERS, *FUNCTIONS, *ARITHMETIC, "in", "~", "[]", "for"}
    wanted |= {f"is {name}" for name in TESTS} | {f".{name}" for name in METHOD_NAMES}
    assert driven == wanted


def test_no_numbers_share_a_hash():
    """Nobody can choose numbers that collide, which would make a set take the square of them."""
    numbers = [(2**61 - 1) * number for number in range(1, 1_000)]
    assert len({hash(hash_key(number)) for number in numbers}) == len(numbers)
    assert hash_key(2**70) == hash_key(2.0**70)
    assert hash_key(5) == hash_key(5.0)
