"""What is recorded of an error: whatever an author's exception is, it harms only itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fanwise
from fanwise.engine.describe import describe_error, presentable
from fanwise.engine.masking import MASK, Masker
from fanwise.errors import ActionError, AttemptError
from fanwise.model import ErrorInfo, Limits, Status
from fanwise.values import FrozenDict, FrozenList, LazyList, encode

LIMITS = Limits()
OPEN = Masker([])
KEY = "-----BEGIN KEY-----\nMIIB0wQD  f8Yz\nq1Tn\n-----END KEY-----"


def text_fails() -> BaseException:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    return Mute()


def text_exits() -> BaseException:
    class Leaves(ActionError):
        def __str__(self) -> str:
            raise SystemExit(3)

    return Leaves("x")


def text_is_none() -> BaseException:
    class Empty(Exception):
        def __str__(self) -> str:
            return None  # type: ignore[return-value]

    return Empty()


def text_has_a_will_of_its_own() -> BaseException:
    class Text(str):
        __slots__ = ()

        def split(self, *_: Any) -> Any:
            raise ValueError

        def encode(self, *_: Any) -> Any:
            raise ValueError

    class Wordy(Exception):
        def __str__(self) -> str:
            return Text("words")

    return Wordy()


def type_and_data_fail() -> BaseException:
    class Bad(AttemptError):
        @property
        def type(self) -> str:  # type: ignore[override]
            raise ValueError

        @property
        def data(self) -> Any:  # type: ignore[override]
            raise SystemExit

    return Bad("x")


def class_fails() -> BaseException:
    class Hidden(Exception):
        @property
        def __class__(self) -> Any:  # type: ignore[override]
            raise ValueError

    return Hidden("x")


def type_has_no_text() -> BaseException:
    class Odd:
        def __str__(self) -> str:
            raise ValueError

    return ActionError("x", type=Odd())  # type: ignore[arg-type]


def data_is_endless() -> BaseException:
    data: list[Any] = []
    data.append(data)
    return ActionError("x", data=data)


def data_is_deep() -> BaseException:
    data = FrozenList()
    for _ in range(5_000):
        data = FrozenList([data])
    return ActionError("x", data=data)


def data_can_not_be_read() -> BaseException:
    class Broken(LazyList):
        def __len__(self) -> int:
            return 1

        def __getitem__(self, _: Any) -> Any:
            raise SystemExit

    return ActionError("x", data=Broken())


def recursion() -> BaseException:
    def even() -> None:
        odd()

    def odd() -> None:
        even()

    try:
        even()
    except RecursionError as error:
        return error
    raise AssertionError


def long_chain() -> BaseException:
    error: BaseException = ValueError("x" * 10_000)
    for number in range(300):
        error, error.__cause__ = ValueError(f"{number} " * 100), error
    return error


def no_text_that_can_be_stored() -> BaseException:
    return ActionError("a\0b\ud800\n\tc", type="T\0\ud800", data={"a\0\ud800": 1})


HOSTILE = [
    text_fails,
    text_exits,
    text_is_none,
    text_has_a_will_of_its_own,
    type_and_data_fail,
    class_fails,
    type_has_no_text,
    data_is_endless,
    data_is_deep,
    data_can_not_be_read,
    recursion,
    long_chain,
    no_text_that_can_be_stored,
    lambda: ActionError("x", type=404),  # type: ignore[arg-type]
    lambda: ActionError("x", type="T" * 10_000),
    lambda: ActionError("", type=""),
    lambda: ActionError(OSError("disk")),
    lambda: ActionError(b"\xff"),
    lambda: ActionError("x" * 10**6, data="y" * 10**6),
    lambda: ValueError("ü" * 10**6),
    lambda: SyntaxError("x", ("f", "a", "b", 3)),
    lambda: UnicodeDecodeError.__new__(UnicodeDecodeError),
    lambda: KeyError(object()),
    lambda: ExceptionGroup("many", [ValueError("\ud800")] * 1_000),
    lambda: KeyboardInterrupt(),
    lambda: BaseException(*range(10_000)),
    lambda: type("T" * 1_000, (Exception,), {})("x"),
]


@pytest.mark.parametrize("make", HOSTILE)
def test_whatever_an_exception_is_it_can_be_recorded(make: Callable[[], BaseException]) -> None:
    """Describing one never raises, and what comes of it is text and JSON of bounded size."""
    info = describe_error(make(), OPEN, LIMITS)
    for text, bound in [(info.type, 200), (info.message, LIMITS.error_bytes)]:
        assert type(text) is str
        assert text
        assert "\n" not in text
        assert len(encode(text)) <= bound + 2
    assert len(encode(info.traceback)) <= 2 * LIMITS.error_bytes  # JSON escapes line ends
    assert len(encode(info.data)) <= LIMITS.error_bytes


FLOW = """
tasks:
  - name: each
    action: test.raises
    with-items: [404, words, mute, fine]
    input: {kind: "{{ item }}"}
"""


def test_an_exception_that_can_not_be_described_fails_its_item_and_no_other(loom: Any) -> None:
    """A run goes on beside an exception whose text or type can't be had."""

    @fanwise.action("test.raises")
    async def raises(kind: Any) -> Any:
        match kind:
            case 404:
                raise ActionError("x", type=404)  # type: ignore[arg-type]
            case "words":
                raise ActionError(OSError("disk"))
            case "mute":
                raise text_fails()
        return kind

    run = loom.run(FLOW, raises)
    counts = run.tasks["each"].items
    assert (counts.total, counts.succeeded, counts.failed) == (4, 1, 3)
    items = loom.items()
    assert [item.status for item in items] == [*[Status.FAILED] * 3, Status.SUCCEEDED]
    assert [msgspec.json.decode(item.error)["type"] for item in items[:3]] == [
        "404",
        "ActionError",
        "Mute",
    ]


def test_what_an_author_says_of_an_error_is_kept() -> None:
    """Type, message and data come through; a number is a type as good as any other."""
    info = describe_error(ActionError("gone", type=404, data={"a": [1]}), OPEN, LIMITS)  # type: ignore[arg-type]
    assert info == ErrorInfo("404", "gone", {"a": [1]})
    assert type(info.data) is FrozenDict
    assert describe_error(ActionError(OSError("disk")), OPEN, LIMITS).message == "disk"
    assert describe_error(ValueError("a\n  b"), OPEN, LIMITS).message == "a b"


def test_the_traceback_of_a_recursion_shows_where_it_ended_and_stays_short() -> None:
    """A thousand frames are too many to read; the innermost are kept."""
    trace = describe_error(recursion(), OPEN, LIMITS).traceback
    assert trace is not None
    assert trace.count("in even") < 100
    assert "RecursionError" in trace


def test_data_that_is_not_json_says_why() -> None:
    """The note names the place in the data."""
    info = describe_error(ActionError("x", data={"a": {1, 2}}), OPEN, LIMITS)
    assert info.data == "(no data: $.a is of type set, which isn't JSON.)"
    large = describe_error(ActionError("x", data="y" * 100_000), OPEN, LIMITS)
    assert large.data == "(no data: 100,002 bytes are over limits.error_bytes)"


@pytest.mark.parametrize(
    "error",
    [
        ActionError(f"bad key {KEY}!", type=KEY, data={KEY: [KEY]}),
        ActionError(f"bad key {' '.join(KEY.split())}!"),
        ActionError("x", data={KEY: {1}}),
        ValueError(f"bad key {KEY}!"),
        KeyError(KEY),
    ],
)
def test_a_secret_with_line_breaks_and_blanks_is_never_recorded(error: Exception) -> None:
    """Neither as it is, nor on one line, nor with its line ends escaped, nor in part."""
    try:
        raise error
    except Exception as raised:
        info = describe_error(raised, Masker([KEY]), LIMITS)
    recorded = msgspec.json.encode(info).decode()
    assert "MIIB0wQD" not in recorded
    assert "q1Tn" not in recorded
    assert MASK in recorded


def test_an_error_of_a_source_is_made_presentable_as_any_other() -> None:
    """What `describe_error` does to an exception, `presentable` does to what isn't one."""
    masker = Masker(["s3cret"])
    info = ErrorInfo("Bad s3cret", "a\n s3cret\0", {"s3cret": "s3cret"}, "at s3cret\n")
    assert presentable(info, masker, LIMITS) == ErrorInfo(
        f"Bad {MASK}", f"a {MASK}\ufffd", {MASK: MASK}, f"at {MASK}\n"
    )
    assert presentable(ErrorInfo("", " \n"), masker, LIMITS) == ErrorInfo("Error", "no message")


SPACES = st.text(" \t\n\r\u2028", min_size=1, max_size=3)
SECRETS = st.builds("{}{}{}".format, st.just("k3y"), SPACES, st.just("s3s4m"))
BITS = st.one_of(st.text(max_size=20), st.just("s3s4m"), st.just("k3y"), SPACES)


@settings(deadline=None)
@given(secret=SECRETS, bits=st.lists(BITS), gap=SPACES, bound=st.integers(200, 400))
@example(secret="k3y s3s4m", bits=["k3y", "\t", "s3s4m"], gap=" ", bound=200)
@example(secret="k3y\ns3s4m", bits=["\ud800" * 300], gap=" ", bound=200)
def test_a_presentable_error_has_no_secret_is_bounded_and_stays_as_it_is(
    secret: str, bits: list[str], gap: str, bound: int
) -> None:
    """However the secret's white space stands in the text, and wherever the text is cut."""
    masker, limits = Masker([secret]), Limits(error_bytes=bound)
    text = "".join([*bits, secret, *bits, f"k3y{gap}s3s4m", *bits])
    info = presentable(ErrorInfo(text, text, None, text), masker, limits)
    line = " ".join(secret.split())
    assert secret not in info.message
    assert line not in info.message
    assert line not in info.type
    assert secret not in str(info.traceback)
    assert len(info.message.encode()) <= bound
    assert len(info.type.encode()) <= 200
    assert info.message.splitlines() == [info.message]
    assert presentable(info, masker, limits) == info


@pytest.mark.parametrize("bound", [1, 30, 60, 61])
def test_a_small_bound_leaves_the_note_that_something_is_missing(bound: int) -> None:
    """However small the bound is, nothing of the text beyond it is recorded."""
    info = presentable(ErrorInfo("E", "x" * 1_000), OPEN, Limits(error_bytes=bound))
    assert "left out" in info.message
    assert info.message.count("x") <= bound
