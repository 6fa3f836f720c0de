"""From the text of a project's `triggers.yaml` to its triggers, or to all of its problems at once.

The entries are those of `on` in a workflow, and each names the workflow that it starts. The key
`notify` of a `fanwise.yaml` is short for one of them.
"""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError

from fanwise.definition.field_types import Text
from fanwise.definition.keys import Keys
from fanwise.definition.messages import Notes, add_problem
from fanwise.definition.problems import Problems, did_you_mean, shown
from fanwise.definition.shorthand import write_out
from fanwise.definition.trigger_rules import check_triggers
from fanwise.definition.trigger_schema import TriggerDefinition, plain
from fanwise.definition.yaml.composer import compose
from fanwise.definition.yaml.nodes import Node
from fanwise.definition.yaml.text import read_text
from fanwise.errors import Place
from fanwise.model import Limits
from fanwise.values import FrozenDict, FrozenList

TRIGGERS_FILE: Final = "triggers.yaml"


NOTIFY: Final = "notify"
ANY_WORKFLOW: Final = "*"
_NOTIFY_KEYS: Final = ("workflow", "status", "parameters", "when", "overlap", "tags")
_NOTIFIED: Final = ("failed", "interrupted")


def _map(around: Node, parts: dict[str, Node]) -> Node:
    """A map at the place of another node; keys that stood in that keep their places."""
    spots = around.keys or {}
    return Node(
        around.spot,
        FrozenDict({key: part.value for key, part in parts.items()}),
        parts,
        {key: spots.get(key, around.spot) for key in parts},
    )


class ProjectTrigger(TriggerDefinition):
    """A trigger that stands apart from its workflow."""

    workflow: Annotated[Text, AfterValidator(plain)] = Field(
        description="The name of the workflow that it starts."
    )


class ProjectTriggers(Keys):
    """The triggers of a `triggers.yaml`. Their paths begin with `on`, as in a workflow."""

    on: tuple[ProjectTrigger, ...] = ()

    _file: str = PrivateAttr()
    _root: Node = PrivateAttr()

    @classmethod
    def load(cls, text: str | bytes, *, file: str, limits: Limits) -> Self:
        """The triggers in `text`, the content of `file`. Raises `DefinitionError`."""
        problems = Problems(file)
        document = compose(read_text(text, problems, limits), problems)
        problems.raise_any()
        if document is None or document.value is None:
            document = Node((1, 1), FrozenDict(), {}, {})
        if not isinstance(document.value, list | dict):
            problems.stop(
                document.spot,
                "bad-type",
                f"the file is {shown(document.value)}, not a list of triggers.",
                'Write for example - {name: nightly, workflow: report, schedule: "0 2 * * *"}.',
            )
        return cls._of(document, file, problems)

    @classmethod
    def notices(cls, node: Node, *, file: str) -> Self:
        """The trigger that `notify` of a `fanwise.yaml` is short for: one on all runs that fail.

        Raises `DefinitionError`.
        """
        problems = Problems(file)
        parts = dict(node.children) if isinstance(node.children, dict) else {"workflow": node}
        for key in parts.keys() - set(_NOTIFY_KEYS):
            hint = did_you_mean(key, _NOTIFY_KEYS) or f"It takes {', '.join(_NOTIFY_KEYS)}."
            text = f'"notify" has no key {shown(key)}.'
            problems.add(node.key_spot((key,)), "unknown-key", text, hint)
        problems.raise_any()
        status = parts.pop("status", Node(node.spot, FrozenList(_NOTIFIED)))
        run = _map(node, {"workflow": Node(node.spot, ANY_WORKFLOW), "status": status})
        trigger = _map(node, {"name": Node(node.spot, NOTIFY), **parts, "run": run})
        listed = Node(node.spot, FrozenList([trigger.value]), [trigger])
        return cls._of(listed, file, problems)

    @classmethod
    def _of(cls, listed: Node, file: str, problems: Problems) -> Self:
        root = write_out(_map(listed, {"on": listed}))
        check_triggers(root.value["on"], Notes(root, problems))
        try:
            found = cls.model_validate(root.value)
        except ValidationError as error:
            for each in error.errors(include_url=False):
                add_problem(each, root, problems)
            raise problems.error() from None
        problems.raise_any()
        return found.located(file, root)

    def located(self, file: str, root: Node) -> Self:
        """The same triggers with their file, for their places."""
        self._file, self._root = file, root
        return self

    def place(self, *path: str | int) -> Place:
        """The start of the value at `path`, or of the nearest value around it."""
        return Place(self._file, *self._root.value_spot(path))

    def key_place(self, *path: str | int) -> Place:
        """The start of the key of the value at `path`, or of the nearest around it."""
        return Place(self._file, *self._root.key_spot(path))
