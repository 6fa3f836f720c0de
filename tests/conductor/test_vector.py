"""The persistent vector under the conductor's state."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.conductor.vector import Vector

lists = st.lists(st.integers(), max_size=300)


@settings(deadline=None)
@given(lists)
def test_a_vector_reads_as_the_sequence_it_was_made_of(elements: list[int]) -> None:
    """Length, order and every element are those of the sequence."""
    vector = Vector(elements)
    assert len(vector) == len(elements)
    assert list(vector) == elements
    assert [vector[index] for index in range(len(elements))] == elements


@settings(deadline=None)
@given(lists.filter(bool), st.data())
def test_an_update_makes_a_changed_copy(elements: list[int], data: st.DataObject) -> None:
    """The new vector has the new elements, and the old one stays as it was."""
    indexes = st.integers(0, len(elements) - 1)
    changes = data.draw(st.dictionaries(indexes, st.integers(), max_size=5))
    old = Vector(elements)
    new = old.update(changes)
    assert list(old) == elements
    assert list(new) == [changes.get(index, each) for index, each in enumerate(elements)]


@settings(deadline=None)
@given(lists, lists)
def test_appending_makes_a_longer_copy(elements: list[int], more: list[int]) -> None:
    """Each of the vectors on the way stays as it was."""
    vectors = [Vector(elements)]
    for each in more:
        vectors.append(vectors[-1].append(each))
    assert list(vectors[-1]) == [*elements, *more]
    assert list(vectors[0]) == elements
    assert [len(vector) for vector in vectors] == [len(elements) + n for n in range(len(vectors))]


def test_a_changed_copy_shares_the_blocks_that_did_not_change() -> None:
    """Setting one of 10,000 elements copies one block and the pointers to the others."""
    old = Vector(range(10_000))
    new = old.update({5_000: 0})
    shared = sum(a is b for a, b in zip(old._blocks, new._blocks, strict=True))
    assert shared == len(old._blocks) - 1
