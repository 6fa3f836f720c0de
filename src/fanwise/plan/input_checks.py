"""Checks of a task's inputs before it runs, against its action's fields and rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from fanwise.catalog import ActionSpec
from fanwise.definition import WorkflowDefinition, did_you_mean
from fanwise.errors import AttemptError, Diagnostic
from fanwise.plan.model import PlannedInput, PlannedTask
from fanwise.plan.values import Value


def input_problems(
    definition: WorkflowDefinition, task: PlannedTask, spec: ActionSpec
) -> Iterator[Diagnostic]:
    """The inputs of a task that are missing, unknown or don't fit."""
    given = {entry.name for entry in task.inputs}
    missing = [
        field.name for field in spec.fields.values() if field.required and field.name not in given
    ]
    if missing:
        names = ", ".join(f'"{name}"' for name in missing)
        yield Diagnostic(
            task.place,
            "missing-input",
            f'task "{task.name}" calls {spec.name} without {names}.',
            f"Add to its input: {', '.join(missing)}.",
        )
    for entry in task.inputs:
        yield from _input_problems(definition, task, spec, entry)
    if not spec.open_input and not given <= spec.fields.keys():
        return  # the misspelt one may be the one that is missing
    possible = [entry.name for entry in task.inputs if _may_be_given(entry.value)]
    certain = [entry.name for entry in task.inputs if _is_given(entry.value)]
    for rule in spec.rules:
        if fault := rule.fault(certain, possible):
            yield Diagnostic(
                definition.place(*task.path, "input") if task.inputs else task.place,
                "conflicting-inputs",
                f'task "{task.name}" can\'t call {spec.name}, which {fault}.',
                f"`fanwise actions {spec.name}` tells what it takes.",
            )


def _input_problems(
    definition: WorkflowDefinition, task: PlannedTask, spec: ActionSpec, entry: PlannedInput
) -> Iterator[Diagnostic]:
    field = spec.fields.get(entry.name)
    if field is None:
        if not spec.open_input:
            known = ", ".join(spec.fields) or "none"
            yield Diagnostic(
                definition.key_place(*task.path, "input", entry.name),
                "unknown-input",
                f'{spec.name} has no parameter "{entry.name}".',
                _meant(entry.name, spec) or f"Its parameters: {known}.",
            )
    elif entry.value.is_constant:
        try:
            value = entry.value.raw
            if field.check is not None:
                value = field.check(value)
            if field.written is not None and value is not None:
                field.written(value)
        except AttemptError as error:
            yield Diagnostic(entry.value.place, "bad-input", error.message, error.hint)


_ELSEWHERE: Final[Mapping[str, Sequence[str]]] = {
    name: words.split()
    for name, words in {
        "command": "cmd argv args exec program",
        "script": "run bash sh code shell_command",
        "cwd": "dir directory workdir working_dir chdir",
        "env": "environment vars",
        "url": "uri endpoint address host",
        "body": "data payload content text",
        "json": "json_body",
        "query": "params query_params",
        "headers": "header",
        "path": "file filename dest",
        "content": "text data body",
        "sender": "from",
        "server": "smtp host",
        "seconds": "duration time for",
    }.items()
}
"""The words that other tools have for inputs of the core pack."""


def _meant(name: str, spec: ActionSpec) -> str:
    """The question for the input that is meant by an unknown name, or nothing."""
    meant = [known for known, words in _ELSEWHERE.items() if name in words and known in spec.fields]
    return f'Did you mean "{meant[0]}"?' if meant else did_you_mean(name, spec.fields)


def _may_be_given(value: Value) -> bool:
    return not (value.is_constant and value.raw is None)


def _is_given(value: Value) -> bool:
    """True if the value can't be null, which a sole expression can."""
    if value.is_constant:
        return value.raw is not None
    if value.is_broken:
        return False
    return not isinstance(value.raw, str) or not value.templates[0].is_expression
