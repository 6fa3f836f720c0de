"""`core.shell`: one command, or a script for the shell."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache, partial
from shutil import which
from typing import Annotated, Any, Literal

from fanwise.actions.core._shared import MAX_BYTES, require_time, result_bytes
from fanwise.actions.decorator import DURATION, PATH, SCRIPT, Written, action
from fanwise.catalog import ActionContext
from fanwise.errors import ActionError, Excerpt, InputError
from fanwise.ports import SECRET_PREFIX
from fanwise.trace_ids import is_traced
from fanwise.values import encode

_NAME = "core.shell"
_TIME = Written(partial(require_time, _NAME))
_TAIL_CHARACTERS = 2_000
_WHOLE_CHARACTERS = 100_000  # in which secrets are looked for


@action(_NAME, one_of=("command", "script"))
async def run_command(
    command: list[Any] | None = None,
    script: Annotated[str | None, SCRIPT] = None,
    env: dict[str, Any] | None = None,
    cwd: Annotated[str | None, PATH] = None,
    input: str | None = None,
    shell: Literal["bash", "sh"] | None = None,
    timeout: Annotated[float | None, DURATION, _TIME] = None,  # noqa: ASYNC109 - the name that workflows use
    check: bool = True,
    max_bytes: Annotated[int | None, MAX_BYTES] = None,
    context: ActionContext | None = None,
) -> dict[str, Any]:
    """Run a program, or a script for the shell.

    When it ends, is cancelled or takes too long, everything that it started and that still runs is
    killed. It sees the environment of fanwise itself, but for `FANWISE_SECRET_*`.

    Input: `command` or `script`, and
      command    the program and its arguments, as a list; no shell reads it
      script     text for a shell, which stops at the first command that fails (`-e`); at one within
                 a pipe only after `set -o pipefail`. It is no template, so ${#x} and {{.Name}} stay
                 as they are: give values in `env` and write "$name"
      shell      bash or sh; default bash where there is one, else sh
      env        environment variables: text as it is, other values as JSON, null unsets one
      cwd        the folder to run in; default the workflow's
      input      text for its standard input; default nothing
      timeout    a duration; default none
      check      whether an exit code other than 0 is an error; default true
      max_bytes  of standard output, and of standard error; what writes more is killed; default
                 limits.result_bytes
    Result: {exit_code, stdout, stderr, seconds}. The texts keep the end of their last line, which
    the filter `trim` takes away, and have U+FFFD for what isn't UTF-8. An exit code below 0 is the
    signal that ended it.
    Errors:
      InputError           neither or both of command and script, or a bad name in env
      NotFound             no such program or folder; never retried
      PermissionDenied     the program can't be executed; never retried
      ExitStatus           data: {exit_code, stderr, stdout}, of both the last 2,000 characters
      Timeout              it took longer than `timeout`
      OutputTooLarge       data: {max_bytes}; never retried
      CommandFailed        the operating system can't start it
    """
    from fanwise.actions.core.process import run_process

    if timeout is not None:
        require_time(_NAME, timeout)
    arguments = _arguments(command, script, shell)
    finished = await run_process(
        arguments,
        environment=_environment(env or {}, context),
        cwd=context.folder if cwd is None and context else cwd,
        input=(input or "").encode(),
        timeout_s=timeout,
        max_bytes=result_bytes(max_bytes, None if context is None else context.limits),
    )
    if check and finished.exit_code != 0:
        raise ActionError(
            f"{_NAME}: it ended with exit code {finished.exit_code}.",
            type="ExitStatus",
            data={
                "exit_code": finished.exit_code,
                "stderr": _end(finished.stderr),
                "stdout": _end(finished.stdout),
            },
        )
    return finished._asdict()


def _end(text: str) -> Excerpt:
    return Excerpt(text[-_WHOLE_CHARACTERS:], _TAIL_CHARACTERS, from_end=True)


def _arguments(command: list[Any] | None, script: str | None, shell: str | None) -> list[str]:
    if script is not None:
        return [shell or _default_shell(), "-e", "-c", script]
    if not command or not all(isinstance(part, str | int | float) for part in command):
        raise InputError(
            f'input "command" of {_NAME} must be a list of texts and numbers, and not empty.'
        )
    return [_text(part) for part in command]


@lru_cache
def _default_shell() -> str:
    return which("bash") or "/bin/sh"


def _environment(env: Mapping[str, Any], context: ActionContext | None) -> dict[str, str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(SECRET_PREFIX)
    }
    if context is not None and is_traced(environment):
        environment["TRACEPARENT"] = context.traceparent
    for name, value in env.items():
        if not name or "=" in name:
            raise InputError(f'a name in input "env" of {_NAME} is empty or holds "=".')
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = _text(value)
    return environment


def _text(value: object) -> str:
    return value if isinstance(value, str) else encode(value).decode()
