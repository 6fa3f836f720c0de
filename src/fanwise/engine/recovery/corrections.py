"""Parameters that a retry corrects: the tasks that use them. Reads plans only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from fanwise.model import RunRecord
from fanwise.plan import Plan, PlannedTask, Value


class Corrections:
    """The parameters of a plan that have other values than those that the run was recorded with."""

    def __init__(self, plan: Plan, names: Collection[str]) -> None:
        self.names = frozenset(names)
        self._variables: dict[str, frozenset[str]] = {}  # what each was made from
        for name, value in plan.variables.items():
            self._variables[name] = self._used([value])

    def used_by(self, task: PlannedTask) -> tuple[str, ...]:
        """The names of those that a task uses, itself or by a variable of the workflow."""
        return tuple(sorted(self._used(_values_of(task))))

    def change_items(self, task: PlannedTask) -> bool:
        """True if a task's items come from one of them."""
        if task.items is None:
            return False
        batch = task.settings.batch_size.template
        size = [] if batch is None else [batch]
        return bool(self._used([*task.items.parts.values(), *size]))

    def change_input(self, task: PlannedTask) -> bool:
        """True if a task's input comes from one of them."""
        return bool(self._used(entry.value for entry in task.inputs))

    def _used(self, values: Iterable[Value]) -> frozenset[str]:
        if not self.names:
            return self.names
        found = [self._named(path) for value in values for path in value.references]
        return frozenset().union(*found)

    def _named(self, path: tuple[str, ...]) -> frozenset[str]:
        known: Mapping[str, frozenset[str]] = {}
        if path[0] == "parameters":
            known = {name: frozenset({name}) for name in self.names}
        elif path[0] == "vars":
            known = self._variables
        if len(path) > 1:
            return known.get(path[1], frozenset())
        return frozenset().union(*known.values())


def kept_defaults(plan: Plan, recorded: Plan, record: RunRecord) -> list[str]:
    """A notice for each parameter whose repaired default isn't taken."""
    before = recorded.parameters
    return [
        f'the parameter "{name}" keeps the value that the run began with, so its new default '
        f"isn't taken. To take another: fanwise retry {record.id} -p {name}=VALUE"
        for name, parameter in plan.parameters.items()
        if name in before
        and name not in record.origin.given
        and not parameter.secret
        and parameter.default != before[name].default
    ]


def _values_of(task: PlannedTask) -> Iterator[Value]:
    """All values of a task that may hold templates."""
    yield from (entry.value for entry in task.inputs)
    yield from (task.items.parts if task.items else {}).values()
    yield from task.publish.values()
    conditions = (task.when, task.label, task.retry_when, task.retry_until)
    yield from (value for value in conditions if value is not None)
    for transition in task.transitions:
        if transition.when is not None:
            yield transition.when
        yield from transition.publish.values()
        if transition.message is not None:
            yield transition.message
    yield from (value for _, value in task.settings.templates())
