"""The persistent vector under the conductor's state."""

from hypothesis import given
from hypothesis import strategies as st

from weft.conductor.vector import Vector

lists = st.lists(st.integers(), max_size=300)


@given(lists)
def test_a_vector_reads_as_the_sequence_it_was_made_of(elements: list[int]) -> None:
    """Length, order and every element are those of the sequence."""
    vector = Vector(elements)
    assert len(vector) == len(elements)
    assert list(vector) == elements
    assert [vector[index] for index in range(len(elements))] == elements


@given(lists.filter(bool), st.data())
def test_setting_an_element_makes_a_changed_copy(elements: list[int], data: st.DataObject) -> None:
    """The new vector has the element, and the old one stays as it was."""
    index = data.draw(st.integers(0, len(elements) - 1))
    old = Vector(elements)
    new = old.set(index, 12345)
    assert list(old) == elements
    assert list(new) == [*elements[:index], 12345, *elements[index + 1 :]]


def test_a_changed_copy_shares_the_blocks_that_did_not_change() -> None:
    """Setting one of 10,000 elements copies one block and the pointers to the others."""
    old = Vector(range(10_000))
    new = old.set(5_000, 0)
    shared = sum(a is b for a, b in zip(old._blocks, new._blocks, strict=True))
    assert shared == len(old._blocks) - 1
