"""Errors: they carry text, survive pickling, and can be told where they happened."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from fanwise import errors
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


CODES = {
    "ActionError": "action-failed",
    "ActionLoadError": "bad-pack",
    "AttemptError": "attempt-failed",
    "AttemptTimeoutError": "timed-out",
    "ConflictError": "conflict",
    "DefinitionError": "bad-workflow",
    "FanwiseError": "error",
    "FrozenError": "frozen",
    "InputError": "bad-input",
    "LeaseLostError": "lease-lost",
    "KeyConflictError": "key-conflict",
    "LimitError": "over-limit",
    "NoSlotError": "no-slot",
    "NoStoreError": "no-store",
    "NotFoundError": "not-found",
    "NothingToRetryError": "nothing-to-retry",
    "ParameterError": "bad-parameter",
    "RecordRefusedError": "record-refused",
    "ResultError": "not-json",
    "RunDrivenError": "run-driven",
    "RunExistsError": "run-exists",
    "RunFailedError": "run-failed",
    "RunNotDrivenError": "run-not-driven",
    "RunNotFoundError": "run-not-found",
    "RunNotOverError": "run-not-over",
    "RunOverError": "run-over",
    "QueueFullError": "queue-full",
    "RunRepeatedError": "run-repeated",
    "ServerError": "bad-server",
    "SignatureError": "bad-signature",
    "SourceChangedError": "source-changed",
    "StoreError": "bad-store",
    "StoreUnusableError": "store-unusable",
    "TaskNotFoundError": "task-not-found",
    "WaitNotFoundError": "wait-not-found",
    "WaitSettledError": "wait-settled",
    "NotAskedError": "not-asked",
    "TemplateError": "template-failed",
    "TemplateSyntaxError": "bad-template",
    "TooDeepError": "too-deep",
    "UsageError": "usage",
    "WorkerDiedError": "worker-died",
    "WorkerRefusedError": "worker-refused",
}


def every_class() -> list[type[FanwiseError]]:
    """The classes of the tree."""
    classes = [each for _, each in inspect.getmembers(errors, inspect.isclass)]
    return [each for each in classes if issubclass(each, FanwiseError)]


def test_codes_are_stable_and_each_class_has_its_own() -> None:
    """Programs compare them, so none changes and none stands for two classes."""
    assert {each.__name__: each.code for each in every_class()} == CODES
    assert len(set(CODES.values())) == len(CODES)


def test_the_tree_is_drawn_as_it_is() -> None:
    """Each class stands in the docstring under its base."""
    assert errors.__doc__ is not None
    drawn: dict[str, str] = {}
    bases = ["Exception"]
    for depth, name in re.findall(
        r"^    ([|` -]*)(\w+Error)\b", errors.__doc__, flags=re.MULTILINE
    ):
        del bases[len(depth) // 4 + 1 :]
        drawn[name] = bases[-1]
        bases.append(name)
    assert drawn == {each.__name__: each.__bases__[0].__name__ for each in every_class()}


@pytest.mark.parametrize("kind", every_class(), ids=lambda each: each.__name__)
def test_an_error_survives_pickling_with_all_that_it_has(kind: type[FanwiseError]) -> None:
    """Whatever arguments its class takes."""
    given: dict[str, object] = {"problems": ()}
    parameters = inspect.signature(kind).parameters
    arguments = {name: given.get(name, f"<{name}>") for name in parameters}
    error = kind(**arguments)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error))


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
