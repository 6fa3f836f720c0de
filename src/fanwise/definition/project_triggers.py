"""From the text of a project's `triggers.yaml` to its triggers, or to all of its problems at once.

The entries are those of `on` in a workflow, and each names the workflow that it starts.
"""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError

from fanwise.definition.field_types import Text
from fanwise.definition.keys import Keys
from fanwise.definition.messages import Notes, add_problem
from fanwise.definition.problems import Problems, shown
from fanwise.definition.shorthand import write_out
from fanwise.definition.trigger_rules import check_triggers
from fanwise.definition.trigger_schema import TriggerDefinition, plain
from fanwise.definition.yaml.composer import compose
from fanwise.definition.yaml.nodes import Node
from fanwise.definition.yaml.text import read_text
from fanwise.errors import Place
from fanwise.model import Limits
from fanwise.values import FrozenDict

TRIGGERS_FILE: Final = "triggers.yaml"


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
        spot = document.spot
        root = write_out(Node(spot, FrozenDict(on=document.value), {"on": document}, {"on": spot}))
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
