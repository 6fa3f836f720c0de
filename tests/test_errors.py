"""Errors: they carry text, survive pickling, and can be told where they happened."""

from __future__ import annotations

import pickle

import pytest

from fanwise.errors import (
    ActionError,
    AttemptError,
    FanwiseError,
    InputError,
    LimitError,
    Place,
    ResultError,
    TemplateError,
)

PLACE = Place("flow.yaml", 14, 7)


class Refused(ActionError):
    """An author's own error, with arguments of its own."""

    def __init__(self, code: int) -> None:
        super().__init__(f"refused with {code}", type="Refused", data={"code": code}, retry=False)
        self.reason = code


ERRORS = [
    AttemptError("it failed.", hint="Try again."),
    ActionError("it failed", type="NotFound", data=[1], retry=False),
    Refused(7),
    TemplateError("it failed."),
    InputError("it failed.", hint="Give text."),
    ResultError("it failed.", path="$.a", hint="Use list()."),
    LimitError("it failed.", setting="limits.item_bytes"),
]


@pytest.mark.parametrize("message", [404, OSError("disk"), None, b"x", ValueError()])
def test_a_message_is_text_whatever_it_was_made_of(message: object) -> None:
    """Text is what everything that shows or records an error relies on."""
    for error in (FanwiseError(message), ActionError(message)):
        assert error.message == str(error) == str(message)
        assert error.args == (str(message),)


def test_an_exception_can_not_be_made_with_a_message_that_has_no_text() -> None:
    """What fails is the author's own line, not whoever looks at the error later."""

    class Mute:
        def __str__(self) -> str:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ActionError(Mute())


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_at_a_place_is_the_same_error_with_the_place_before_its_message(
    error: AttemptError,
) -> None:
    """Its kind and all that it says stay; the error itself isn't changed."""
    said = error.message
    placed = error.at(PLACE)
    assert type(placed) is type(error)
    assert str(placed) == f"flow.yaml:14:7  {error}"
    assert {**vars(placed), "message": said} == vars(error)
    assert (placed.type, placed.data, placed.retryable) == (
        error.type,
        error.data,
        error.retryable,
    )
    again = pickle.loads(pickle.dumps(placed))
    assert str(again) == str(placed)
    assert vars(again) == vars(placed)
