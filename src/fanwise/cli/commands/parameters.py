"""The parameters of a run, from `-p NAME=VALUE` and from a file. Finds all problems at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fanwise.errors import ParameterError, UsageError

if TYPE_CHECKING:
    from fanwise.model import Limits
    from fanwise.plan import Plan
    from fanwise.values import Json, JsonObject


def read_parameters(
    plan: Plan, settings: Sequence[str], file: Path | None, limits: Limits
) -> JsonObject:
    """Read the values of `NAME=VALUE` settings and of a YAML or JSON file; settings win.

    Raises `ParameterError` with a line for each that doesn't fit the workflow.
    """
    from fanwise.plan import read_given

    texts, problems = {}, []
    for setting in settings:
        name, separator, text = setting.partition("=")
        if separator and name:
            texts[name] = text
        else:
            # The text isn't quoted: it may be a value, and so a secret.
            problems.append("-p takes NAME=VALUE, as in -p region=eu.")
    given = {} if file is None else read_file(file, limits)
    try:
        found = read_given(plan, given, texts)
    except ParameterError as error:
        problems += str(error).splitlines()
    if problems:
        raise ParameterError("\n".join(problems))
    return found


def read_texts(settings: Sequence[str]) -> Mapping[str, str]:
    """Read `NAME=VALUE` settings, for who knows their types. Raises `UsageError`."""
    given = {}
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not separator or not name:
            raise UsageError("-p takes NAME=VALUE, as in -p reason=done.")
        given[name] = text
    return given


def read_secrets(plan: Plan, settings: Sequence[str]) -> JsonObject:
    """Read the values of secret parameters from `NAME=VALUE` settings. Raises `ParameterError`."""
    from fanwise.plan import read_parameter

    given: JsonObject = {}
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not separator or not name:
            raise ParameterError("-p takes NAME=VALUE, as in -p token=...")
        given[name] = read_parameter(plan, name, text)
    return given


def read_file(file: Path, limits: Limits) -> Mapping[str, Json]:
    """Read a file of parameters. Raises `ParameterError`, `DefinitionError` and `UsageError`."""
    from fanwise.definition.problems import Problems
    from fanwise.definition.yaml.composer import compose
    from fanwise.definition.yaml.text import read_text

    try:
        with file.open("rb") as stream:
            content = stream.read(limits.definition_bytes + 1)
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise UsageError(
            f"{file}  can't be read: {cause}.", hint="Give the path of a file of parameters."
        ) from None
    problems = Problems(str(file))
    root = compose(read_text(content, problems, limits), problems)
    problems.raise_any()
    if root is None or not isinstance(root.value, Mapping):
        raise ParameterError(
            f"{file}  the file of parameters isn't a map.", hint="Write one NAME: VALUE a line."
        )
    return root.value
