"""`@fanwise.action`: a function says by its signature what the action takes."""

from __future__ import annotations

import re
from typing import Annotated, Any

import pytest
from pydantic import Field

import fanwise
from fanwise.actions.decorator import SCRIPT, spec_of
from fanwise.catalog import ActionSpec, Runs
from fanwise.errors import ActionLoadError


def spec(function: object) -> ActionSpec:
    made = spec_of(function)
    assert made is not None
    return made


class TestSpec:
    def test_the_function_stays_a_plain_function(self) -> None:
        """Decorated functions can be called and tested as what they are."""

        @fanwise.action("math.double")
        def double(x: int) -> int:
            return 2 * x

        assert double(4) == 8
        assert spec(double).function is double

    def test_fields_follow_the_signature(self) -> None:
        """Fields come in the order declared, with defaults where the function has them."""

        @fanwise.action("a.b")
        def function(first: str, second, third: int = 3, *, fourth: bool = False) -> None: ...

        fields = spec(function).fields
        assert list(fields) == ["first", "second", "third", "fourth"]
        assert [f.required for f in fields.values()] == [True, True, False, False]
        assert [f.default for f in fields.values()] == [None, None, 3, False]
        assert not spec(function).open_input

    def test_keyword_arguments_open_the_input(self) -> None:
        """`**kwargs` means that any names are taken."""

        @fanwise.action("a.b")
        def function(x: int, **rest: Any) -> None: ...

        assert spec(function).open_input
        assert list(spec(function).fields) == ["x"]

    def test_the_context_is_no_field(self) -> None:
        """A parameter annotated ActionContext, also as optional, is no input."""

        @fanwise.action("a.b")
        def needs(x: int, context: fanwise.ActionContext) -> None: ...

        @fanwise.action("a.c")
        def may_have(ctx: fanwise.ActionContext | None = None) -> None: ...

        assert spec(needs).context_field == "context"
        assert list(spec(needs).fields) == ["x"]
        assert spec(may_have).context_field == "ctx"
        assert not spec(may_have).fields

    @pytest.mark.parametrize("service", [fanwise.ActionContext, fanwise.Limits])
    def test_a_service_is_asked_for_once(self, service: type) -> None:
        """Two parameters for one service are told where they stand, and not at each call."""

        def function(x: int, one: object, other: object = None) -> None: ...

        function.__annotations__ |= {"one": service, "other": service | None}
        marked = fanwise.action("a.b")(function)
        with pytest.raises(ActionLoadError, match=r'"a\.b" asks for \w+ twice: in "one" and in "o'):
            spec(marked)

    def test_the_limits_are_no_field(self) -> None:
        """A parameter annotated Limits, also as optional, is no input."""

        @fanwise.action("a.b")
        def needs(x: int, limits: fanwise.Limits) -> None: ...

        @fanwise.action("a.c")
        def may_have(bounds: fanwise.Limits | None = None) -> None: ...

        assert spec(needs).limits_field == "limits"
        assert list(spec(needs).fields) == ["x"]
        assert spec(may_have).limits_field == "bounds"
        assert not spec(may_have).fields

    def test_where_an_action_runs_follows_from_how_it_is_defined(self) -> None:
        """An async def runs on the event loop, a def in a thread, with cpu=True in a process."""

        @fanwise.action("a.a")
        async def asynchronous() -> None: ...

        @fanwise.action("a.b")
        def blocking() -> None: ...

        @fanwise.action("a.c", cpu=True)
        def heavy() -> None: ...

        runs = [spec(f).runs for f in (asynchronous, blocking, heavy)]
        assert runs == [Runs.ASYNC, Runs.THREAD, Runs.PROCESS]

    def test_an_annotation_may_name_what_is_defined_further_down(self) -> None:
        """Annotations are evaluated when the module is whole."""

        @fanwise.action("a.b")
        def function(x: DefinedLater) -> None: ...

        assert spec(function).fields["x"].accepts == "DefinedLater"

    def test_docs_and_source_are_told(self) -> None:
        """The docstring, the place, and descriptions of fields reach the spec."""

        @fanwise.action("a.b")
        def function(x: Annotated[int, Field(description="How many.")]) -> None:
            """Do it.

            Well.
            """

        assert spec(function).doc == "Do it.\n\nWell."
        assert re.fullmatch(rf"{re.escape(__file__)}:\d+", spec(function).source)
        assert spec(function).fields["x"].doc == "How many."

    def test_a_script_is_marked(self) -> None:
        """Text that a shell runs is marked, so that templates can be refused in it."""

        @fanwise.action("a.b")
        def function(script: Annotated[str | None, SCRIPT] = None, other: str = "") -> None: ...

        fields = spec(function).fields
        assert fields["script"].is_script
        assert fields["script"].accepts == "text or null"
        assert not fields["other"].is_script

    def test_anything_else_has_no_spec(self) -> None:
        """Only decorated functions are actions."""
        assert spec_of(len) is None
        assert spec_of(spec) is None
        assert spec_of(7) is None


class DefinedLater(str):
    __slots__ = ()


def load_error(name: Any, function: Any, **options: bool) -> str:
    with pytest.raises(ActionLoadError) as caught:
        spec_of(fanwise.action(name, **options)(function))
    text = str(caught.value)
    assert "\n" not in text
    return text


class TestRefusals:
    @pytest.mark.parametrize("name", ["plain", "Upper.case", "a.", ".b", "a..b", "a-b.c", "a b.c"])
    def test_names_are_pack_dot_name(self, name: str) -> None:
        """A name that isn't pack.name is refused, with the function's file and line."""

        def function() -> None: ...

        text = load_error(name, function)
        assert text.startswith(f"{__file__}:")
        assert f'"{name}" isn\'t named pack.name.' in text

    def test_a_decorator_without_a_name_is_refused(self) -> None:
        """`@fanwise.action` without its call is told how to write it."""
        with pytest.raises(ActionLoadError, match=r'used without a name. Write @fanwise.action\("'):

            @fanwise.action
            def function() -> None: ...

    def test_input_has_names(self) -> None:
        """Parameters that can only be given by place are refused."""

        def positional(x: int, /) -> None: ...

        def several(*xs: int) -> None: ...

        assert '"x" before a /' in load_error("a.b", positional)
        assert "takes *xs" in load_error("a.b", several)

    def test_an_action_returns_once(self) -> None:
        """Generators are no actions."""

        def generator() -> Any:
            yield 1

        async def async_generator() -> Any:
            yield 1

        assert "uses yield" in load_error("a.b", generator)
        assert "uses yield" in load_error("a.b", async_generator)

    def test_only_a_def_runs_in_a_process(self) -> None:
        """cpu=True on an async def is a contradiction."""

        async def function() -> None: ...

        assert "cpu=True needs a def" in load_error("a.b", function, cpu=True)

    def test_a_rule_names_parameters(self) -> None:
        """A rule on an input that the function doesn't have is told when it is defined."""

        def function(text: str | None = None) -> None: ...

        error = load_error("a.b", function, one_of=("text", "flie"))
        assert 'has no parameter "flie", which one_of names' in error

    def test_a_class_is_no_action(self) -> None:
        """Only functions are actions."""
        assert "is a type, not a function" in load_error("a.b", DefinedLater)

    def test_one_function_has_one_name(self) -> None:
        """A second decorator on a function is refused, so that no name gets lost."""

        @fanwise.action("a.first")
        def function() -> None: ...

        assert 'is the action "a.first" already' in load_error("a.second", function)

    def test_an_annotation_that_means_nothing_is_refused(self) -> None:
        """A name that only type checkers know is found before the action is called."""

        def function(x: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

        assert "can't be evaluated: NameError: name 'Nowhere'" in load_error("a.b", function)
