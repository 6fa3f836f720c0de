"""A task's settings in a plan: each a literal, or a template and the reader of its result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import msgspec

from fanwise.context import WorkflowContext
from fanwise.definition import Tolerance
from fanwise.errors import TemplateError
from fanwise.model import TaskResult
from fanwise.plan.values import Value

T = TypeVar("T")


class Template(msgspec.Struct, Generic[T], frozen=True):
    """A template that gives a setting; `read` raises `ValueError` for a result that doesn't fit."""

    value: Value
    read: Callable[[object], T]


class Setting(msgspec.Struct, Generic[T], frozen=True):
    """The value of the task's key `key`, such as `concurrency` or `retry.delay`."""

    key: str
    given: T | Template[T]

    @property
    def template(self) -> Value | None:
        """The template that gives the setting, or None for a literal."""
        return self.given.value if isinstance(self.given, Template) else None

    def resolve(self, context: WorkflowContext, outcome: TaskResult | None = None) -> T:
        """Return the literal, or the template's result. Raises `AttemptError`."""
        if not isinstance(self.given, Template):
            return self.given
        value = self.given.value
        result = value.evaluate(context, outcome)
        try:
            return self.given.read(result)
        except ValueError as error:
            raise TemplateError(
                f"{value.place}  {self.key} {error}; its template gave something else."
            ) from None


class PlannedRetry(msgspec.Struct, frozen=True):
    """The settings of a task's `retry`; spans are in seconds."""

    count: Setting[int]
    delay: Setting[float]
    backoff: Setting[str]
    max_delay: Setting[float | None]
    jitter: Setting[bool]
    within: Setting[float | None]


class PlannedSettings(msgspec.Struct, frozen=True):
    """The keys of a task that are neither input nor condition; spans are in seconds."""

    concurrency: Setting[int]
    rate: Setting[float | None]
    batch_size: Setting[int | None]
    tolerate: Setting[Tolerance]
    bad_records: Setting[str]
    on_item_error: Setting[str]
    keep_output: Setting[str]
    on_error: Setting[str]
    timeout: Setting[float | None]
    delay: Setting[float]
    executor: Setting[str | None]
    retry: PlannedRetry | None

    def templates(self) -> Iterator[tuple[str, Value]]:
        """Yield the templates among the settings, each with its key."""
        for part in (self, self.retry):
            for name in () if part is None else part.__struct_fields__:
                setting = getattr(part, name)
                if isinstance(setting, Setting) and setting.template is not None:
                    yield setting.key, setting.template
