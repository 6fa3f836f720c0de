"""Invariant 3: nobody can change what is shared. Invariant 11: what counts as JSON."""

import copy
import json
import math
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.errors import FrozenError, ResultError
from fanwise.values import (
    CHUNK_ITEMS,
    MAX_DEPTH,
    FrozenDict,
    FrozenList,
    LazyList,
    decode,
    encode,
    freeze,
    read_lazy,
    thaw,
)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(texts, inner)),
    max_leaves=20,
)


class Counting(LazyList):
    """A lazy list of the numbers from 0."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        if isinstance(index, slice):
            return list(range(self.size)[index])
        if not 0 <= index < self.size:
            raise IndexError(index)
        return index


def same(a, b):
    """Equality that tells 1 from 1.0 and from True."""
    return repr(thaw(a)) == repr(thaw(b))


@given(values)
def test_freezing_and_thawing_give_the_value_back(value):
    """A frozen value equals what it was made of, and thawing gives plain dicts and lists."""
    frozen = freeze(value)
    assert same(frozen, value)
    assert type(thaw(frozen)) is type(value)
    assert freeze(frozen) is frozen
    assert same(freeze(thaw(frozen)), frozen)


@given(values)
def test_encoding_and_decoding_give_the_value_back(value):
    """JSON text is the same for a value and its frozen form, and decodes to that."""
    assert encode(freeze(value)) == encode(value)
    assert same(decode(encode(value)), value)
    assert json.loads(encode(value)) == value
    assert freeze(decode(encode(value))) is not None or value is None


@given(values)
def test_a_frozen_value_pickles_and_copies_as_itself(value):
    """A frozen value survives pickling as a frozen value, and its copies are itself."""
    frozen = freeze(value)
    again = pickle.loads(pickle.dumps(frozen))
    assert same(again, frozen)
    assert type(again) is type(frozen)
    assert copy.copy(frozen) is frozen
    assert copy.deepcopy(frozen) is frozen


@given(values)
def test_thawing_gives_a_copy_of_your_own(value):
    """What is thawed can be changed without changing what is shared."""
    frozen = freeze({"a": [value]})
    mine = thaw(frozen)
    mine["a"].append(1)
    mine["b"] = 2
    assert same(frozen, {"a": [value]})


def test_freezing_shares_what_is_frozen():
    """A part that is frozen already is taken by reference."""
    part = freeze({"x": [1]})
    whole = freeze({"a": part, "b": [part]})
    assert whole["a"] is part
    assert whole["b"][0] is part


def test_tuples_and_lazy_lists_become_lists():
    """Tuples and lazy lists count as lists."""
    assert type(freeze((1, (2,)))) is FrozenList
    assert freeze((1, (2,))) == [1, [2]]
    assert type(freeze(Counting(3))) is FrozenList
    assert encode({"a": Counting(3), "b": (1,)}) == b'{"a":[0,1,2],"b":[1]}'
    assert thaw(Counting(2)) == [0, 1]


# What leaves a dict or a list as it is, and what makes a new one. Everything else that these types
# have must be refused, so a method that a new Python adds has to be looked at first.
READS = {
    FrozenDict: "__or__ __ror__ copy fromkeys get items keys values",
    FrozenList: "__add__ __mul__ __rmul__ copy count index",
}
ALWAYS = (
    "__class__ __class_getitem__ __contains__ __copy__ __deepcopy__ __delattr__ __dir__ __doc__ "
    "__eq__ __format__ __ge__ __getattribute__ __getitem__ __getstate__ __gt__ __hash__ __init__ "
    "__init_subclass__ __iter__ __orig_bases__ __le__ __len__ __lt__ __module__ __ne__ __new__ "
    "__reduce__ __reduce_ex__ __repr__ __reversed__ __setattr__ __sizeof__ __slots__ __str__ "
    "__subclasshook__ __firstlineno__ __static_attributes__"
)
WRITES = [
    (kind, name)
    for kind, reads in READS.items()
    for name in sorted(set(dir(kind)) - set(reads.split()) - set(ALWAYS.split()))
]


def test_there_are_methods_that_write():
    """The list of refused methods isn't empty by mistake."""
    names = {name for _, name in WRITES}
    assert names >= {"__setitem__", "__delitem__", "__ior__", "__iadd__", "append", "update"}
    assert len(WRITES) >= 19


@pytest.mark.parametrize(("kind", "name"), WRITES)
def test_invariant_3_every_method_that_writes_is_refused(kind, name):
    """Writing raises an error that says how to get a copy, and changes nothing."""
    shared = freeze({"a": 1, "b": 2} if kind is FrozenDict else [2, 1])
    before = thaw(shared)
    for args in [(), (0,), ("a",), (0, 1), ({"c": 3},), ([3],)]:
        with pytest.raises(FrozenError, match=r"fanwise\.thaw") as caught:
            getattr(shared, name)(*args)
        assert isinstance(caught.value, TypeError)
    assert thaw(shared) == before


def test_reading_methods_give_values_of_your_own():
    """Copies and sums of frozen values are plain, so changing them changes nothing shared."""
    shared = freeze({"a": [1]})
    mine = shared | {"b": 2}
    mine["c"] = 3
    more = shared["a"] + [2]
    more.append(3)
    plain = shared.copy()
    plain["d"] = 4
    assert shared == {"a": [1]}


NOT_JSON = [
    ({1: 2}, "$", "key of type int"),
    ({"a": [1, {2}]}, "$.a[1]", "of type set"),
    ([b"x"], "$[0]", "of type bytes"),
    ({"a": {"b": math.nan}}, "$.a.b", "NaN or infinite"),
    ((0, -math.inf), "$[1]", "NaN or infinite"),
    (["\ud800"], "$[0]", "surrogate"),
    ({"a": "x\0"}, "$.a", "NUL"),
    ({"a": 10**5000}, "$.a", "4,300 digits"),
    ({"a\0": 1}, "a key of $", "NUL"),
    ([object], "$[0]", "of type type"),
]


@pytest.mark.parametrize(("value", "path", "reason"), NOT_JSON)
@pytest.mark.parametrize("convert", [freeze, encode])
def test_invariant_11_what_is_not_json_is_an_error_with_its_path(convert, value, path, reason):
    """The error names the first part that isn't JSON, and why."""
    with pytest.raises(ResultError) as caught:
        convert(value)
    assert caught.value.path == path
    assert reason in str(caught.value)


def test_a_path_starts_where_the_caller_says():
    """`where` stands for the value itself in errors."""
    with pytest.raises(ResultError, match=r"task\.a\.output\[0\] is of type set"):
        freeze([set()], where="task.a.output")


@pytest.mark.parametrize("convert", [freeze, encode])
def test_a_value_that_holds_itself_is_an_error(convert):
    """Depth is bounded, so a cycle can't run for ever."""
    cycle = []
    cycle.append(cycle)
    with pytest.raises(ResultError, match="or holds itself"):
        convert(cycle)


@pytest.mark.parametrize("convert", [freeze, encode])
def test_depth_is_bounded_at_its_limit(convert):
    """A value of MAX_DEPTH levels is taken, and one of more isn't."""

    def nested(levels):
        value = 1
        for _ in range(levels):
            value = {"a": value}
        return value

    convert(nested(MAX_DEPTH))
    with pytest.raises(ResultError):
        convert(nested(MAX_DEPTH + 1))


def test_depth_is_bounded_where_a_value_is_made_of_frozen_parts():
    """Wrapping a frozen value again and again ends at MAX_DEPTH levels, as for any value."""
    value = FrozenDict()
    for _ in range(MAX_DEPTH - 1):
        value = FrozenDict({"a": value})
    assert decode(encode(value)) == value
    assert encode([*value.values()]) == encode(value["a"]).join([b"[", b"]"])
    for deeper in (FrozenDict({"a": value}), {"a": value}, [1, [value]], (value,)):
        with pytest.raises(ResultError, match=f"nested more than {MAX_DEPTH} levels") as caught:
            encode(deeper, where="vars.x")
        assert str(caught.value).startswith("vars.x is nested")


nasty = st.text('[]{}"\\\\,:\n()ü', max_size=6)


@settings(deadline=None)
@given(
    st.recursive(nasty, lambda inner: st.one_of(st.lists(inner), st.dictionaries(nasty, inner))),
    st.lists(st.one_of(nasty, st.none()), min_size=MAX_DEPTH - 3, max_size=MAX_DEPTH + 2),
    st.lists(nasty, max_size=3),
)
def test_depth_is_counted_in_brackets_and_never_in_texts(value, keys, beside):
    """Brackets, quotes and backslashes in texts and keys neither add levels nor hide them."""

    def depth(part):
        parts = part.values() if isinstance(part, dict) else part
        return 0 if isinstance(part, str) else 1 + max(map(depth, parts), default=0)

    levels = depth(value) + len(keys)
    value = freeze(value)
    for key in keys:
        value = FrozenList([*beside, value]) if key is None else FrozenDict({key: value})
    if levels <= MAX_DEPTH:
        assert json.loads(encode(value)) == value
    else:
        with pytest.raises(ResultError, match="levels deep"):
            encode(value)


def tower(kind, levels=20_000):
    value = kind()
    for _ in range(levels):
        value = kind({"a": value} if issubclass(kind, dict) else [value])
    return value


TOWERS = [
    *((freeze, kind) for kind in (list, dict, tuple)),
    *((encode, kind) for kind in (list, dict, tuple, FrozenList, FrozenDict)),
    *((thaw, kind) for kind in (list, dict, tuple, FrozenList, FrozenDict)),
    *((read_lazy, kind) for kind in (FrozenList, FrozenDict)),
]


@pytest.mark.parametrize(("convert", "kind"), TOWERS)
def test_a_value_that_is_too_deep_is_never_a_recursion_error(convert, kind):
    """Whatever is nested too deeply is refused as what it is, with an error of fanwise.

    `encode` and `freeze` know the bound; the others reach as deep as this Python does.
    """
    for value in (tower(kind), [tower(kind)], tower(kind, levels=700)):
        try:
            convert(value)
        except ResultError as error:
            refusal = error.message
        else:
            refusal = "levels deep" if convert in (thaw, read_lazy) else "nothing"
        assert "levels deep" in refusal


@pytest.mark.parametrize("kind", [FrozenList, FrozenDict])
def test_freezing_takes_a_frozen_part_without_a_look_inside(kind):
    """However deep it is: its depth counts when the whole is encoded."""
    deep = tower(kind)
    assert freeze([deep])[0] is deep


@pytest.mark.parametrize("text", [b"[" * 700 + b"]" * 700, b"[" * 90_000 + b"]" * 90_000])
def test_text_that_is_too_deep_is_never_a_recursion_error(text):
    """Text that nobody's `encode` made is refused, or decoded as deep as this Python reaches."""
    try:
        found = type(decode(text)).__name__
    except ResultError as error:
        found = error.message
    assert "levels deep" in found or found == "FrozenList"


def test_a_lazy_list_gives_its_elements_in_chunks():
    """A chunk starts where the caller says, and the one at the end is empty."""
    lazy = Counting(2 * CHUNK_ITEMS + 1)
    starts = (0, CHUNK_ITEMS - 1, 2 * CHUNK_ITEMS, 2 * CHUNK_ITEMS + 1)
    assert [len(lazy.chunk(start)) for start in starts] == [CHUNK_ITEMS, CHUNK_ITEMS, 1, 0]
    assert lazy.chunk(5)[:2] == [5, 6]


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize("value", [Text("a"), {Text("a"): 1}, [True, Text("a")]])
def test_subclasses_of_json_types_are_not_json(value):
    """A subclass could do anything, so only the types themselves count."""
    with pytest.raises(ResultError):
        freeze(value)


@settings(deadline=None)
@given(st.lists(st.integers()), st.lists(st.integers()))
def test_lazy_lists_compare_as_lists(a, b):
    """A lazy list equals what has the same elements, and nothing else."""
    lazy = Counting(len(a))
    assert (lazy == a) == (list(range(len(a))) == a)
    assert (lazy == Counting(len(b))) == (len(a) == len(b))
    assert lazy != "text"
