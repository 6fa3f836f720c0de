"""The errors that fanwise raises, all in one tree.

Every error is a `FanwiseError`. It has a stable `code` for programs, a message of one line that
says what happened and, where there is one, a `hint` that says what to do now; `str()` gives both.
Errors survive pickling, and none of them quotes a value from a context, since values can be
secrets.

    FanwiseError
    |-- DefinitionError       a workflow file has problems; `problems` lists them all
    |-- ParameterError        a run's parameters don't fit the workflow
    |-- UsageError            a command, a setting or an argument of a call is wrong
    |-- NotFoundError         the store has no such record
    |   |-- RunNotFoundError    no run has the id `run_id`
    |   |-- TaskNotFoundError   the run `run_id` has no record of the task `task`
    |   `-- WaitNotFoundError   the run `run_id` asks nothing at `path`
    |-- ConflictError         the state of the run `run_id` rules the call out
    |   |-- RunExistsError      a new run's id is taken
    |   |-- RunOverError        the run is over, and the call needs a run that isn't
    |   |-- RunNotOverError     the run isn't over, and the call needs a run that is
    |   |-- RunDrivenError      another process drives the run
    |   |-- NoSlotError         as many runs of its kind are driven as its workflow allows
    |   |-- RunRepeatedError    the run would repeat another one, by its workflow's `dedupe`
    |   |-- QueueFullError      too many runs of the workflow wait already
    |   |-- RunNotDrivenError   no process drives the run
    |   |-- WaitSettledError    a question was answered, or is closed
    |   |-- NotAskedError       a question isn't for the one who answers it
    |   |-- NothingToRetryError  nothing in the run has failed
    |   `-- SourceChangedError  a file that the run reads further has changed
    |-- KeyConflictError      the key `name` has another version than a change is for
    |-- ActionLoadError       a pack can't be imported, or names an action wrongly
    |-- StoreError            the store can't be opened, read or written
    |   |-- NoStoreError        there is no store at the place that was named
    |   |-- RecordRefusedError  the store refuses one record and would take others
    |   |-- StoreUnusableError  the store is gone, another one or damaged, so waiting doesn't help
    |   `-- LeaseLostError      another process drives the run by now
    |-- ServerError           a server can't be reached, or refuses a request
    |-- SignatureError        a webhook's request isn't signed as it has to be
    |-- FrozenError           something tried to change a shared value (also a `TypeError`)
    |-- TemplateSyntaxError   a template's text can't be compiled
    `-- AttemptError          what can end an attempt; `type` is what workflows see
        |-- ActionError       raised by actions to fail with a type and data of their own
        |-- TemplateError     a template can't be evaluated
        |-- InputError        an action's input doesn't fit its parameters
        |-- ResultError       a result isn't JSON
        |-- LimitError        something is larger than a limit allows; names the setting
        |-- AttemptTimeoutError  an attempt took longer than its `timeout`
        |-- WorkerDiedError     the process that ran an attempt has died
        |-- WorkerRefusedError  a worker can't make a task's attempts
        |-- RunFailedError      a child workflow has failed; names its path
        `-- TooDeepError        too many workflows call each other in a row

This module imports nothing of fanwise.
"""

from __future__ import annotations

import copy
import copyreg
from typing import Any, ClassVar, NamedTuple, Self


class Place(NamedTuple):
    """A place in a file: `line` and `column` count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Diagnostic(NamedTuple):
    """One thing that is wrong with a workflow: where, which kind, what, and what to do."""

    place: Place
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.place}  {self.code}  {self.message}"
        return f"{text} {self.hint}" if self.hint else text


class FanwiseError(Exception):
    """The root of the tree: a one-line message, a stable `code`, and a `hint`.

    A `message` that isn't text, such as another exception, is made text.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: object, *, hint: str = "") -> None:
        self.message = str(message)
        super().__init__(self.message)
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions pickle by calling the class with `args`, which loses keyword arguments.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class DefinitionError(FanwiseError):
    """A workflow file has problems. `problems` holds all of them, in the order of the file."""

    code = "bad-workflow"

    def __init__(self, problems: tuple[Diagnostic, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class ParameterError(FanwiseError):
    """A parameter is missing, unknown, or of the wrong type."""

    code = "bad-parameter"


class UsageError(FanwiseError):
    """A command, a setting or an argument of a call is wrong."""

    code = "usage"


class NotFoundError(FanwiseError):
    """The store has no record of a run, or of a part of it. `run_id` is the run's id."""

    code = "not-found"

    def __init__(self, message: object, *, run_id: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.run_id = run_id


class RunNotFoundError(NotFoundError):
    """No run in the store has the id `run_id`."""

    code = "run-not-found"


class TaskNotFoundError(NotFoundError):
    """The run `run_id` has no record of the task or item `task`."""

    code = "task-not-found"

    def __init__(self, message: object, *, run_id: str, task: str, hint: str = "") -> None:
        super().__init__(message, run_id=run_id, hint=hint)
        self.task = task


class WaitNotFoundError(NotFoundError):
    """The run `run_id` asks nothing at the task or item `path`."""

    code = "wait-not-found"

    def __init__(self, message: object, *, run_id: str, path: str, hint: str = "") -> None:
        super().__init__(message, run_id=run_id, hint=hint)
        self.path = path


class ConflictError(FanwiseError):
    """The state of a run rules the call out. `run_id` is the run's id."""

    code = "conflict"

    def __init__(self, message: object, *, run_id: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.run_id = run_id


class RunExistsError(ConflictError):
    """The store has a run with the id `run_id` already, so nothing was started."""

    code = "run-exists"


class RunOverError(ConflictError):
    """The run is over, so it can't be resumed, paused or cancelled. `status` is its status."""

    code = "run-over"

    def __init__(self, message: object, *, run_id: str, status: str, hint: str = "") -> None:
        super().__init__(message, run_id=run_id, hint=hint)
        self.status = status


class RunNotOverError(ConflictError):
    """The run isn't over, so it can't be retried or deleted. `status` is its status."""

    code = "run-not-over"

    def __init__(self, message: object, *, run_id: str, status: str, hint: str = "") -> None:
        super().__init__(message, run_id=run_id, hint=hint)
        self.status = status


class RunDrivenError(ConflictError):
    """Another process drives the run, so this one can't."""

    code = "run-driven"


class NoSlotError(ConflictError):
    """As many runs are driven as the workflow's `concurrency` allows, so the run isn't.

    `holders` has the ids of the runs that have the slots.
    """

    code = "no-slot"

    def __init__(
        self, message: object, *, run_id: str, holders: tuple[str, ...] = (), hint: str = ""
    ) -> None:
        super().__init__(message, run_id=run_id, hint=hint)
        self.holders = holders


class RunRepeatedError(ConflictError):
    """A run with the same `dedupe` key was made not long ago, so none was made.

    `run_id` is the id of that run.
    """

    code = "run-repeated"


class QueueFullError(ConflictError):
    """So many runs of the workflow wait for an engine that no more are submitted."""

    code = "queue-full"


class RunNotDrivenError(ConflictError):
    """No process drives the run, so there is nothing to pause."""

    code = "run-not-driven"


class WaitSettledError(ConflictError):
    """A question of the run was answered already, its deadline has come, or its task is over."""

    code = "wait-settled"


class NotAskedError(ConflictError):
    """A question of the run isn't for the one who answers it."""

    code = "not-asked"


class NothingToRetryError(ConflictError):
    """Nothing in the run has failed, so a retry has nothing to run again."""

    code = "nothing-to-retry"


class SourceChangedError(ConflictError):
    """A `file` has changed since the task `task` of the run began to read its items from it."""

    code = "source-changed"

    def __init__(
        self, message: object, *, run_id: str, task: str, file: str, hint: str = ""
    ) -> None:
        super().__init__(message, run_id=run_id, hint=hint)
        self.task = task
        self.file = file


class KeyConflictError(FanwiseError):
    """A key has another version than a change is for, so nothing was changed.

    `name` is the key, and `version` the one that it has, 0 if it isn't set.
    """

    code = "key-conflict"

    def __init__(self, message: object, *, name: str, version: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.name = name
        self.version = version


class ActionLoadError(FanwiseError):
    """A pack can't be imported. `traceback` is the author's own, or empty."""

    code = "bad-pack"

    def __init__(self, message: str, *, hint: str = "", traceback: str = "") -> None:
        super().__init__(message, hint=hint)
        self.traceback = traceback


class StoreError(FanwiseError):
    """The store can't be opened, read or written."""

    code = "bad-store"


class NoStoreError(StoreError):
    """There is no store at the place that was named; the first run makes it."""

    code = "no-store"


class RecordRefusedError(StoreError):
    """The store can be written, but refuses what one of these records holds."""

    code = "record-refused"


class StoreUnusableError(StoreError):
    """The store in use is gone, is another one by now, or is damaged: no later try can succeed."""

    code = "store-unusable"


class LeaseLostError(StoreError):
    """Another process has taken the run over, so this one can't write to it any more."""

    code = "lease-lost"

    def __init__(self, message: object, *, run_no: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.run_no = run_no


class ServerError(FanwiseError):
    """A server can't be reached, or refuses a request.

    `reason` is the code of the refusal, `unreachable`, or `foreign` for an answer that isn't one of
    a server of this version. `status` is that of the answer, or None.
    """

    code = "bad-server"

    def __init__(
        self, message: object, *, reason: str, status: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.status = status


class SignatureError(FanwiseError):
    """A request to a webhook isn't signed as it has to be.

    `reason` is `missing`, `malformed`, `wrong`, `stale` (too old, or ahead) or `bad-secret`.
    """

    code = "bad-signature"

    def __init__(self, message: object, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class FrozenError(FanwiseError, TypeError):
    """Something tried to change a value that is shared."""

    code = "frozen"


class TemplateSyntaxError(FanwiseError):
    """A template's text can't be compiled. `offset` says where in the text, from 0."""

    code = "bad-template"

    def __init__(self, message: str, *, offset: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.offset = offset


class Excerpt(str):
    """The beginning or the end of a text, for the data of an error.

    It is cut again from `whole`, a longer part of the text, once secrets are masked there: of a
    secret that lies across the cut a part would be left otherwise.
    """

    whole: str
    most: int
    from_end: bool

    def __new__(cls, whole: str, most: int, *, from_end: bool = False) -> Self:
        """Take at most so many characters of `whole`."""
        made = super().__new__(cls, _cut(whole, most, from_end=from_end))
        made.whole = whole
        made.most = most
        made.from_end = from_end
        return made

    def cut(self, masked: str) -> str:
        """Return the excerpt of the whole text without secrets."""
        return _cut(masked, self.most, from_end=self.from_end)


def _cut(text: str, most: int, *, from_end: bool) -> str:
    return text[-most:] if from_end else text[:most]


class AttemptError(FanwiseError):
    """Errors that end an attempt; `error()` gives their `type` and `data` to a workflow."""

    code = "attempt-failed"
    type = "Error"
    retryable = True
    retry_after_s: float | None = None
    data: Any = None

    def at(self, place: Place) -> Self:
        """The same error, with `place` before its message."""
        placed = copy.copy(self)
        placed.message = f"{place}  {self.message}"
        placed.args = (placed.message,)
        return placed


class ActionError(AttemptError):
    """Raise this in an action to fail with a type and data of your own.

    `message` is text, or an exception whose text is taken. `type` is a short name such as
    `NotFound`, which a workflow can test; `data` is JSON. With `retry=False` the attempt is the
    item's last one, whatever the task's `retry` says; with `retry_after_s` the next one starts no
    earlier than after so many seconds.
    """

    code = "action-failed"

    def __init__(
        self,
        message: object,
        *,
        type: str = "ActionError",
        data: object = None,
        retry: bool = True,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.type = type
        self.data = data
        self.retryable = bool(retry)


class TemplateError(AttemptError):
    """A template can't be evaluated: an unknown name, a wrong type, a budget that is used up."""

    code = "template-failed"
    type = "TemplateError"
    retryable = False


class InputError(AttemptError):
    """An action's input doesn't fit its parameters."""

    code = "bad-input"
    type = "InputError"
    retryable = False


class ResultError(AttemptError):
    """A value isn't JSON. `path` says where in it, as in `$.servers[3].seen`."""

    code = "not-json"
    type = "ResultError"
    retryable = False

    def __init__(self, message: str, *, path: str = "$", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


class LimitError(AttemptError):
    """Something is larger than a limit allows. `setting` is the limit's name."""

    code = "over-limit"
    type = "LimitExceeded"
    retryable = False

    def __init__(self, message: str, *, setting: str, hint: str = "") -> None:
        super().__init__(message, hint=hint or f"The setting {setting} raises the bound.")
        self.setting = setting


class AttemptTimeoutError(AttemptError):
    """An attempt took longer than its task's `timeout`."""

    code = "timed-out"
    type = "Timeout"


class WorkerDiedError(AttemptError):
    """The worker process that ran an attempt has died, and so has the next one.

    `signal` is the number of the signal that has killed it, or None if it has ended by itself with
    the exit status `exit_status`.
    """

    code = "worker-died"
    type = "WorkerDied"

    def __init__(
        self, message: object, *, signal: int | None, exit_status: int | None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.signal = signal
        self.exit_status = exit_status
        self.data = {"signal": signal, "exit_status": exit_status}


class WorkerRefusedError(AttemptError):
    """A worker can't make a task's attempts: it lacks the action, or has other versions."""

    code = "worker-refused"
    type = "WorkerRefused"
    retryable = False


class RunFailedError(AttemptError):
    """A child workflow has failed: `path` is where it ran, `cause` the type of its error."""

    code = "run-failed"
    type = "RunFailed"

    def __init__(self, message: object, *, path: str, cause: str, data: object = None) -> None:
        super().__init__(message)
        self.path = path
        self.cause = cause
        self.data = {"path": path, "type": cause, "data": data}


class TooDeepError(AttemptError):
    """More workflows call each other in a row than the engine allows."""

    code = "too-deep"
    type = "TooDeep"
    retryable = False
