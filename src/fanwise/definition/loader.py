"""From the text of a workflow file to its definition, or to all of its problems at once.

Reads no files and no clock: it is given the text and the name that messages call the file by. A
definition that is returned is complete and immutable; whether its templates compile and its actions
exist is for the plan to find out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from fanwise.definition.keys import Keys
from fanwise.definition.messages import LOOKS_LIKE, add_problem
from fanwise.definition.problems import Problems, shown
from fanwise.definition.rules import check_rules
from fanwise.definition.schema import WorkflowDefinition
from fanwise.definition.shorthand import write_out
from fanwise.definition.yaml.composer import compose
from fanwise.definition.yaml.nodes import Node
from fanwise.definition.yaml.text import read_text
from fanwise.model import Limits

if TYPE_CHECKING:
    from fanwise.definition.trigger_schema import TriggerDefinition

_Model = TypeVar("_Model", bound=Keys)
_DEFAULT_LIMITS = Limits()
_OF_PROJECTS = ("fanwise.yaml", "triggers.yaml")


def load(text: str | bytes, *, file: str, limits: Limits = _DEFAULT_LIMITS) -> WorkflowDefinition:
    """The workflow in `text`, which is the content of `file`.

    Raises `DefinitionError` with every problem of the file, in the order of the file.
    """
    problems = Problems(file)
    content = read_text(text, problems, limits)
    root = write_out(_find_workflow(compose(content, problems), problems))
    check_rules(root, problems)
    definition = _check(WorkflowDefinition, {"name": _stem(file)} | root.value, root, problems)
    triggers = _triggers(root, problems)
    problems.raise_any()
    assert definition is not None
    return definition.located(file, content, root, triggers)


def _triggers(root: Node, problems: Problems) -> tuple[TriggerDefinition, ...]:
    listed = root.value.get("on")
    if not isinstance(listed, list) or not listed:
        return ()
    from fanwise.definition.trigger_schema import Triggers  # few workflows have some

    found = _check(Triggers, {"on": listed}, root, problems)
    return found.on if found is not None else ()


def _check(model: type[_Model], values: object, root: Node, problems: Problems) -> _Model | None:
    """The model of the values, or None after noting what is wrong with them."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            add_problem(each, root, problems)
        return None


def _find_workflow(document: Node | None, problems: Problems) -> Node:
    """The map that holds the workflow: the whole document, or what stands under `workflow`."""
    if document is None or document.value is None:
        problems.raise_any()  # what couldn't be read at all has said so
        problems.stop((1, 1), "not-a-workflow", "the file is empty.", LOOKS_LIKE)
    root = document
    if isinstance(root.children, dict) and list(root.children) == ["workflow"]:
        root = root.children["workflow"]
    if _name(problems.file) in _OF_PROJECTS and "tasks" not in (root.children or ()):
        message = "the file is the project's own, and no workflow."
        problems.stop((1, 1), "not-a-workflow", message, "Check it with: fanwise triggers --check")
    if not isinstance(root.value, dict):
        message = f"the workflow is {shown(root.value)}, not a map."
        problems.add(root.spot, "not-a-workflow", message, LOOKS_LIKE, last=True)
        raise problems.error()
    return root


def _stem(file: str) -> str:
    """The file's name without folders and ending."""
    name = _name(file)
    return name.rpartition(".")[0] or name or "workflow"


def _name(file: str) -> str:
    return re.split(r"[/\\]", file)[-1]
